"""Encrypted credential requests and responses (OpenID4VCI 1.0 section 10): JWE by joserfc.

Keys are on P-256 with ECDH-ES (HAIP 1.0 section 7). Nothing is compressed.
"""

from dataclasses import dataclass
from typing import Final, Self, cast

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.credentials.jose import (
    ES256,
    algorithm_of,
    export_public_jwk,
    generate_key,
    parse_public_jwk,
    thumbprint,
)
from client_sdk.errors import CredentialFormatError, KeyFormatError
from client_sdk.strict_json import encode_json, parse_strict_json_object

KEY_ALGORITHM: Final = "ECDH-ES"
CONTENT_ALGORITHMS: Final = ("A256GCM", "A128GCM")
"""What both sides know, the preferred one first."""
MAX_MESSAGE_CHARS: Final = 1 << 22
MEDIA_TYPE: Final = "application/jwt"

_REGISTRY: Final = jwe.JWERegistry(algorithms=[KEY_ALGORITHM, *CONTENT_ALGORITHMS])
# A batch of credentials with a portrait each is longer than the library expects.
_REGISTRY.max_ciphertext_length = MAX_MESSAGE_CHARS


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageEncryption:
    """To whom a message is encrypted, and how.

    Attributes:
        jwk: The public key on P-256, with its required members only.
        kid: The key's name, which the message repeats; None where it has none.
        content_algorithm: JWE `enc`.
    """

    jwk: JsonObject
    kid: str | None
    content_algorithm: str = CONTENT_ALGORITHMS[0]

    @classmethod
    def from_jwk(cls, value: JsonValue, *, content_algorithm: JsonValue) -> Self:
        """Return how to encrypt to a public JWK.

        Raises:
            KeyFormatError: No key on P-256 for ECDH-ES, or a content encryption that is not known.
        """
        if not isinstance(value, dict) or value.get("alg") != KEY_ALGORITHM:
            raise KeyFormatError(f"encryption key: a JWK with alg {KEY_ALGORITHM} is expected")
        if value.get("use", "enc") != "enc":
            raise KeyFormatError("encryption key: use is not enc")
        key, kid = parse_public_jwk(value), value.get("kid")
        if algorithm_of(key) != ES256 or not isinstance(kid, str | None):
            raise KeyFormatError("encryption key: a key on P-256 is expected, and kid is a text")
        if content_algorithm not in CONTENT_ALGORITHMS:
            raise KeyFormatError(f"enc: {' or '.join(CONTENT_ALGORITHMS)} is expected")
        return cls(jwk=export_public_jwk(key), kid=kid, content_algorithm=str(content_algorithm))

    def to_fields(self) -> JsonObject:
        """Return `credential_response_encryption` of a request."""
        return {"jwk": self.to_jwk(), "enc": self.content_algorithm}

    def to_jwk(self) -> JsonObject:
        """Return the public JWK as it is published."""
        jwk: JsonObject = {**self.jwk, "use": "enc", "alg": KEY_ALGORITHM}
        if self.kid is not None:
            jwk["kid"] = self.kid
        return jwk


def generate_encryption_key() -> ECKey:
    """Return a new private key that messages are encrypted to."""
    return cast(ECKey, generate_key(ES256))


def encryption_to(key: ECKey) -> MessageEncryption:
    """Return how others encrypt to a key; its name is its thumbprint."""
    return MessageEncryption(jwk=export_public_jwk(key), kid=thumbprint(key))


def parse_response_encryption(value: JsonValue) -> MessageEncryption:
    """Return how a wallet wants its answer encrypted (section 8.2).

    Raises:
        KeyFormatError: A member is missing or not acceptable, or it wants compression.
    """
    if not isinstance(value, dict):
        raise KeyFormatError("credential_response_encryption is an object")
    if "zip" in value:
        raise KeyFormatError("credential_response_encryption.zip: nothing is compressed here")
    return MessageEncryption.from_jwk(value.get("jwk"), content_algorithm=value.get("enc"))


def encrypt_message(message: JsonObject, encryption: MessageEncryption) -> str:
    """Return a message as JWE.

    Raises:
        CredentialFormatError: It would be too long.
    """
    header = {"alg": KEY_ALGORITHM, "enc": encryption.content_algorithm, "typ": "JWT"}
    if encryption.kid is not None:
        header["kid"] = encryption.kid
    key = parse_public_jwk(encryption.jwk)
    token = jwe.encrypt_compact(header, encode_json(message), key, registry=_REGISTRY)
    if len(token) > MAX_MESSAGE_CHARS:
        raise CredentialFormatError(f"a message may have {MAX_MESSAGE_CHARS} characters at most")
    return token


def decrypt_message(token: bytes, key: ECKey) -> JsonObject:
    """Return the message that a JWE to this key holds.

    Raises:
        CredentialFormatError: Not a JWE to this key, too long, compressed, or its content is not a
            JSON object.
    """
    if len(token) > MAX_MESSAGE_CHARS:
        raise CredentialFormatError(f"a message may have {MAX_MESSAGE_CHARS} characters at most")
    try:
        content = jwe.decrypt_compact(token, key, registry=_REGISTRY).plaintext
    except (JoseError, ValueError, KeyError, TypeError):
        # joserfc lets errors of the key's parts through where the header is malformed.
        raise CredentialFormatError("the message cannot be decrypted with this key") from None
    return parse_strict_json_object(content or b"")

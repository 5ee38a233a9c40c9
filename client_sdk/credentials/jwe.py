"""Messages encrypted to a key on P-256 (JWE with ECDH-ES, as HAIP 1.0 asks), by joserfc.

Credential requests and responses travel so, and presentations. Nothing is compressed.
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
"""What we encrypt with and decrypt, the preferred one first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionKey:
    """A public key that messages are encrypted to.

    Attributes:
        jwk: The key on P-256, with its required members only.
        kid: Its name, which a message repeats; None where it has none.
    """

    jwk: JsonObject
    kid: str | None

    @classmethod
    def of(cls, key: ECKey) -> Self:
        """Return what others encrypt to so that `key` decrypts it; its name is its thumbprint."""
        return cls(jwk=export_public_jwk(key), kid=thumbprint(key))

    @classmethod
    def from_jwk(cls, value: JsonValue) -> Self:
        """Return the key of a public JWK.

        Raises:
            KeyFormatError: No key on P-256 for ECDH-ES.
        """
        if not isinstance(value, dict) or value.get("alg") != KEY_ALGORITHM:
            raise KeyFormatError(f"encryption key: a JWK with alg {KEY_ALGORITHM} is expected")
        if value.get("use", "enc") != "enc":
            raise KeyFormatError("encryption key: use is not enc")
        key, kid = parse_public_jwk(value), value.get("kid")
        if algorithm_of(key) != ES256 or not isinstance(kid, str | None):
            raise KeyFormatError("encryption key: a key on P-256 is expected, and kid is a text")
        return cls(jwk=export_public_jwk(key), kid=kid)

    def to_jwk(self) -> JsonObject:
        """Return the public JWK as it is published."""
        jwk: JsonObject = {**self.jwk, "use": "enc", "alg": KEY_ALGORITHM}
        if self.kid is not None:
            jwk["kid"] = self.kid
        return jwk


class JweCodec:
    """Encrypts and decrypts one kind of message."""

    def __init__(self, what: str, *, max_chars: int) -> None:
        """Prepare.

        Args:
            what: What the messages are called in errors, such as `response`.
            max_chars: How long one may be, encrypted.
        """
        self._what = what
        self._max_chars = max_chars
        self._registry = jwe.JWERegistry(algorithms=[KEY_ALGORITHM, *CONTENT_ALGORITHMS])
        # With portraits they are longer than the library expects.
        self._registry.max_ciphertext_length = max_chars

    def encrypt(
        self, content: JsonObject, to: EncryptionKey, *, content_algorithm: str, typ: str | None
    ) -> str:
        """Return a message as JWE.

        Args:
            content: The message.
            to: Who can read it.
            content_algorithm: JWE `enc`, of `CONTENT_ALGORITHMS`.
            typ: JWE `typ`; None for none.

        Raises:
            CredentialFormatError: It would be too long.
        """
        header: dict[str, str] = {"alg": KEY_ALGORITHM, "enc": content_algorithm}
        if typ is not None:
            header["typ"] = typ
        if to.kid is not None:
            header["kid"] = to.kid
        token = jwe.encrypt_compact(
            header, encode_json(content), parse_public_jwk(to.jwk), registry=self._registry
        )
        self._check_length(token)
        return token

    def decrypt(self, token: str | bytes, key: ECKey) -> JsonObject:
        """Return the message that a JWE to this key holds.

        Raises:
            CredentialFormatError: Not a JWE to this key, too long, or its content is not a JSON
                object.
        """
        self._check_length(token)
        try:
            content = jwe.decrypt_compact(token, key, registry=self._registry).plaintext
        except (JoseError, ValueError, KeyError, TypeError):
            # joserfc lets errors of the key's parts through where the header is malformed.
            raise CredentialFormatError(
                f"the {self._what} cannot be decrypted with this key"
            ) from None
        return parse_strict_json_object(content or b"")

    def _check_length(self, token: str | bytes) -> None:
        if len(token) > self._max_chars or not token.isascii():
            raise CredentialFormatError(
                f"a {self._what} is a JWE of at most {self._max_chars} characters"
            )


def generate_encryption_key() -> ECKey:
    """Return a new private key that messages are encrypted to."""
    return cast(ECKey, generate_key(ES256))

"""Encrypted credential requests and responses (OpenID4VCI 1.0 section 10)."""

from dataclasses import dataclass
from typing import Final, Self

from joserfc.jwk import ECKey

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.credentials.jwe import CONTENT_ALGORITHMS, EncryptionKey, JweCodec
from client_sdk.errors import KeyFormatError

MEDIA_TYPE: Final = "application/jwt"

# A batch of credentials with a portrait each.
_CODEC: Final = JweCodec("message", max_chars=1 << 22)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageEncryption:
    """To whom a message is encrypted, and how.

    Attributes:
        key: The public key.
        content_algorithm: JWE `enc`.
    """

    key: EncryptionKey
    content_algorithm: str = CONTENT_ALGORITHMS[0]

    @classmethod
    def from_jwk(cls, value: JsonValue, *, content_algorithm: JsonValue) -> Self:
        """Return how to encrypt to a public JWK.

        Raises:
            KeyFormatError: No key on P-256 for ECDH-ES, or a content encryption that is not known.
        """
        key = EncryptionKey.from_jwk(value)
        if content_algorithm not in CONTENT_ALGORITHMS:
            raise KeyFormatError(f"enc: {' or '.join(CONTENT_ALGORITHMS)} is expected")
        return cls(key=key, content_algorithm=str(content_algorithm))

    def to_fields(self) -> JsonObject:
        """Return `credential_response_encryption` of a request."""
        return {"jwk": self.key.to_jwk(), "enc": self.content_algorithm}


def encryption_to(key: ECKey) -> MessageEncryption:
    """Return how others encrypt to a key; its name is its thumbprint."""
    return MessageEncryption(key=EncryptionKey.of(key))


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
    return _CODEC.encrypt(
        message, encryption.key, content_algorithm=encryption.content_algorithm, typ="JWT"
    )


def decrypt_message(token: bytes, key: ECKey) -> JsonObject:
    """Return the message that a JWE to this key holds.

    Raises:
        CredentialFormatError: Not a JWE to this key, too long, compressed, or its content is not a
            JSON object.
    """
    return _CODEC.decrypt(token, key)

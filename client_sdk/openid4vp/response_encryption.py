"""Encrypted responses, `direct_post.jwt` (OpenID4VP 1.0 section 8.3): an unsigned JWE.

A verifier makes a new key for each request (HAIP 1.0 section 5).
"""

from dataclasses import dataclass
from typing import Final, Self

from joserfc.jwk import ECKey

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.credentials.jwe import CONTENT_ALGORITHMS, KEY_ALGORITHM, EncryptionKey, JweCodec
from client_sdk.errors import KeyFormatError, RequestError
from client_sdk.strict_json import text_list

DEFAULT_CONTENT_ALGORITHM: Final = "A128GCM"
MAX_RESPONSE_CHARS: Final = 1 << 20

_CODEC: Final = JweCodec("response", max_chars=MAX_RESPONSE_CHARS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseEncryption:
    """How a verifier wants its response to be encrypted.

    Attributes:
        key: The public key.
        content_algorithms: What the verifier decrypts, of those that we know.
    """

    key: EncryptionKey
    content_algorithms: tuple[str, ...] = CONTENT_ALGORITHMS

    @classmethod
    def for_key(cls, key: ECKey) -> Self:
        """Return what a verifier writes in its request so that `key` decrypts the response."""
        return cls(key=EncryptionKey.of(key))

    def to_metadata(self) -> JsonObject:
        """Return the members of `client_metadata`."""
        return {
            "jwks": {"keys": [self.key.to_jwk()]},
            "encrypted_response_enc_values_supported": [*self.content_algorithms],
        }

    @classmethod
    def from_metadata(cls, metadata: JsonValue) -> Self:
        """Return the first key of `client_metadata` that we can encrypt to.

        Raises:
            RequestError: There is none, or no content encryption that we know.
        """
        fields = metadata if isinstance(metadata, dict) else {}
        jwks = fields.get("jwks")
        keys = jwks.get("keys") if isinstance(jwks, dict) else None
        usable = map(_read_key, keys) if isinstance(keys, list) else ()
        found = next((key for key in usable if key is not None), None)
        if found is None:
            raise RequestError(f"client_metadata.jwks: no key for {KEY_ALGORITHM} on P-256")
        offered = text_list(
            fields.get("encrypted_response_enc_values_supported", [DEFAULT_CONTENT_ALGORITHM])
        )
        known = tuple(name for name in CONTENT_ALGORITHMS if name in offered)
        if not known:
            raise RequestError(
                "client_metadata.encrypted_response_enc_values_supported: "
                f"{' or '.join(CONTENT_ALGORITHMS)} is expected"
            )
        return cls(key=found, content_algorithms=known)


def encrypt_response(payload: JsonObject, encryption: ResponseEncryption) -> str:
    """Return the JWE of a response's parameters.

    Args:
        payload: The parameters of the response, such as `vp_token` and `state`.
        encryption: From the verified request.

    Raises:
        CredentialFormatError: The response is too long.
    """
    return _CODEC.encrypt(
        payload, encryption.key, content_algorithm=encryption.content_algorithms[0], typ=None
    )


def decrypt_response(token: str, key: ECKey) -> JsonObject:
    """Return the parameters of an encrypted response.

    Raises:
        CredentialFormatError: Not a JWE to this key, too long, or its content is not a JSON object.
    """
    return _CODEC.decrypt(token, key)


def _read_key(value: JsonValue) -> EncryptionKey | None:
    try:
        return EncryptionKey.from_jwk(value)
    except KeyFormatError:
        return None

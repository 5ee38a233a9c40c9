"""Encrypted responses, `direct_post.jwt` (OpenID4VP 1.0 section 8.3): an unsigned JWE, by joserfc.

Keys are on P-256 with ECDH-ES; a verifier makes a new one for each request (HAIP 1.0 section 5).
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
from client_sdk.errors import CredentialFormatError, KeyFormatError, RequestError
from client_sdk.strict_json import encode_json, parse_strict_json_object, text_list

KEY_ALGORITHM: Final = "ECDH-ES"
DEFAULT_CONTENT_ALGORITHM: Final = "A128GCM"
CONTENT_ALGORITHMS: Final = ("A256GCM", "A128GCM")
"""What we encrypt with and decrypt, the preferred one first."""
MAX_RESPONSE_CHARS: Final = 1 << 20

_REGISTRY: Final = jwe.JWERegistry(algorithms=[KEY_ALGORITHM, *CONTENT_ALGORITHMS])
# A presentation with a portrait is longer than the library expects.
_REGISTRY.max_ciphertext_length = MAX_RESPONSE_CHARS


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseEncryption:
    """How a verifier wants its response to be encrypted.

    Attributes:
        jwk: The public key on P-256, with its required members only.
        kid: The key's name, which the response repeats; None where the verifier gives none.
        content_algorithms: What the verifier decrypts, of those that we know.
    """

    jwk: JsonObject
    kid: str | None
    content_algorithms: tuple[str, ...] = CONTENT_ALGORITHMS

    @classmethod
    def for_key(cls, key: ECKey) -> Self:
        """Return what a verifier writes in its request so that `key` decrypts the response."""
        return cls(jwk=export_public_jwk(key), kid=thumbprint(key))

    def to_metadata(self) -> JsonObject:
        """Return the members of `client_metadata`."""
        key: JsonObject = {**self.jwk, "use": "enc", "alg": KEY_ALGORITHM}
        if self.kid is not None:
            key["kid"] = self.kid
        return {
            "jwks": {"keys": [key]},
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
        usable = (_read_key(key) for key in keys) if isinstance(keys, list) else ()
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
        jwk, kid = found
        return cls(jwk=jwk, kid=kid, content_algorithms=known)


def generate_response_key() -> ECKey:
    """Return a new key for one request's response."""
    return cast(ECKey, generate_key(ES256))


def encrypt_response(payload: JsonObject, encryption: ResponseEncryption) -> str:
    """Return the JWE of a response's parameters.

    Args:
        payload: The parameters of the response, such as `vp_token` and `state`.
        encryption: From the verified request.

    Raises:
        CredentialFormatError: The response is too long.
    """
    header: dict[str, str] = {"alg": KEY_ALGORITHM, "enc": encryption.content_algorithms[0]}
    if encryption.kid is not None:
        header["kid"] = encryption.kid
    key = parse_public_jwk(encryption.jwk)
    token = jwe.encrypt_compact(header, encode_json(payload), key, registry=_REGISTRY)
    if len(token) > MAX_RESPONSE_CHARS:
        raise CredentialFormatError(f"a response may have {MAX_RESPONSE_CHARS} characters at most")
    return token


def decrypt_response(token: str, key: ECKey) -> JsonObject:
    """Return the parameters of an encrypted response.

    Raises:
        CredentialFormatError: Not a JWE to this key, too long, or its content is not a JSON object.
    """
    if len(token) > MAX_RESPONSE_CHARS or not token.isascii():
        raise CredentialFormatError(f"a response is a JWE of at most {MAX_RESPONSE_CHARS} chars")
    try:
        content = jwe.decrypt_compact(token, key, registry=_REGISTRY).plaintext
    except (JoseError, ValueError, KeyError, TypeError):
        # joserfc lets errors of the key's parts through where the header is malformed.
        raise CredentialFormatError(
            "the response cannot be decrypted with this request's key"
        ) from None
    return parse_strict_json_object(content or b"")


def _read_key(value: JsonValue) -> tuple[JsonObject, str | None] | None:
    if not isinstance(value, dict) or value.get("alg") != KEY_ALGORITHM:
        return None
    if value.get("use", "enc") != "enc":
        return None
    try:
        key = parse_public_jwk(value)
    except KeyFormatError:
        return None
    kid = value.get("kid")
    if algorithm_of(key) != ES256 or not isinstance(kid, str | None):
        return None
    return export_public_jwk(key), kid

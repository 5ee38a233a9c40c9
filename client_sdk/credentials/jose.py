"""Signed JWTs in compact form: EdDSA (Ed25519) and ES256 (P-256), and nothing else.

The key decides the algorithm; a header only has to agree (RFC 8725 sections 3.1 and 3.2).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from chaincode.encoding import JsonObject, decode_base64url, encode_base64url
from chaincode.errors import DecodeError
from client_sdk.credentials.jwk import (
    ALGORITHMS,
    EDDSA,
    ES256,
    Key,
    algorithm_of,
    export_private_jwk,
    export_public_jwk,
    generate_key,
    key_from_seed,
    parse_private_jwk,
    parse_public_jwk,
    sign_bytes,
    thumbprint,
    verify_bytes,
)
from client_sdk.errors import CredentialFormatError, ExpiredError, SignatureError
from client_sdk.strict_json import encode_json, parse_strict_json_object

__all__ = [
    "ALGORITHMS",
    "EDDSA",
    "ES256",
    "MAX_TOKEN_CHARS",
    "Key",
    "UnverifiedToken",
    "algorithm_of",
    "export_private_jwk",
    "export_public_jwk",
    "generate_key",
    "key_from_seed",
    "parse_compact",
    "parse_private_jwk",
    "parse_public_jwk",
    "sign_bytes",
    "sign_compact",
    "sign_compact_elsewhere",
    "thumbprint",
    "validate_times",
    "verify_bytes",
    "verify_compact",
]

MAX_TOKEN_CHARS: Final = 1 << 18

_MAX_HEADER_CHARS: Final = 1 << 15
_SHORT_HEADER_CHARS: Final = 512
_HEADER_TYPES: Final[dict[str, type]] = {
    **dict.fromkeys(("alg", "cty", "jku", "kid", "typ", "x5t", "x5t#S256", "x5u"), str),
    "jwk": dict,
    "x5c": list,
}
"""What the header parameters of RFC 7515 section 4.1 are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedToken:
    """A well-formed signed JWT, whose signature nobody has checked yet.

    Attributes:
        unverified_header: The protected header; `alg` and `typ`, when present, are strings.
        unverified_payload: The claims.
    """

    unverified_header: JsonObject
    unverified_payload: JsonObject = field(repr=False)
    _signing_input: bytes = field(repr=False)
    _signature: str = field(repr=False)

    def verify(self, *, key: Key, expected_typ: str) -> tuple[JsonObject, JsonObject]:
        """Return header and claims, now known to be signed under `key` (RFC 7515 section 5.2).

        Raises:
            CredentialFormatError: The header's `typ` is another one (RFC 8725 section 3.11).
            SignatureError: `alg` does not belong to the key, or the signature does not verify.
            KeyFormatError: The key is of no allowed kind.
        """
        header = self.unverified_header
        if header.get("typ") != expected_typ:
            raise CredentialFormatError(f"JWT header: typ {expected_typ!r} is expected")
        algorithm = algorithm_of(key)
        if header.get("alg") != algorithm:
            raise SignatureError(f"JWT header: alg {algorithm!r} is expected for this key")
        misfit = _ill_typed(header)
        if misfit is not None:
            raise SignatureError(f"JWT header: {misfit} is of another type than it has in RFC 7515")
        try:
            signature = decode_base64url(self._signature)
        except DecodeError:
            raise SignatureError("the JWT's signature is not base64url") from None
        if not verify_bytes(self._signing_input, signature, key):
            raise SignatureError("the JWT's signature does not verify under the expected key")
        return header, self.unverified_payload


def parse_compact(token: str) -> UnverifiedToken:
    """Return the parts of a signed JWT in compact form, unverified (RFC 7515 section 7.1).

    Raises:
        CredentialFormatError: Not three parts, too long, a header or payload that is not a strict
            JSON object in canonical base64url, or a header with extensions (`crit`, `b64`).
    """
    if not isinstance(token, str) or len(token) > MAX_TOKEN_CHARS:
        raise CredentialFormatError(f"a JWT is text of at most {MAX_TOKEN_CHARS} characters")
    parts = token.split(".")
    if len(parts) != 3 or not all(parts) or not token.isascii():
        raise CredentialFormatError("a signed JWT has three parts with a dot between them")
    if len(parts[0]) > _MAX_HEADER_CHARS:
        raise CredentialFormatError(f"a JWT's header has at most {_MAX_HEADER_CHARS} characters")
    # Most headers are those of many JWTs: an issuer's, or what every key binding begins with.
    is_short = len(parts[0]) <= _SHORT_HEADER_CHARS
    header = {**_parse_header(parts[0])} if is_short else _parse_header.__wrapped__(parts[0])
    payload = _parse_part(parts[1])
    signing_input, _, signature = token.rpartition(".")
    return UnverifiedToken(
        unverified_header=header,
        unverified_payload=payload,
        _signing_input=signing_input.encode("ascii"),
        _signature=signature,
    )


@lru_cache(maxsize=256)
def _parse_header(text: str) -> JsonObject:
    header = _parse_part(text)
    if "crit" in header or "b64" in header:
        raise CredentialFormatError("JWT header: extensions (crit, b64) are not supported")
    return header


def _parse_part(text: str) -> JsonObject:
    try:
        return parse_strict_json_object(decode_base64url(text))
    except DecodeError as error:
        raise CredentialFormatError(f"JWT: {error}") from None


def verify_compact(token: str, key: Key, expected_typ: str) -> tuple[JsonObject, JsonObject]:
    """Return header and claims of a JWT, now known to be signed under `key`.

    Raises:
        CredentialFormatError: As `parse_compact`, or another `typ`.
        SignatureError: `alg` does not belong to the key, or the signature does not verify.
        KeyFormatError: The key is of no allowed kind.
    """
    return parse_compact(token).verify(key=key, expected_typ=expected_typ)


def sign_compact(header: JsonObject, payload: JsonObject, key: Key) -> str:
    """Return the JWT in compact form; `alg` is set from the key.

    Raises:
        KeyFormatError: The key is of no allowed kind, or is only the public half.
        CredentialFormatError: The header names another `alg` or an extension, header or payload
            is not JSON, or the JWT would be too long.
    """
    return sign_compact_elsewhere(header, payload, key, lambda data: sign_bytes(data, key))


def sign_compact_elsewhere(
    header: JsonObject, payload: JsonObject, public_key: Key, sign: Callable[[bytes], bytes]
) -> str:
    """Return the JWT in compact form, signed by whoever has the private key.

    Args:
        header: As for `sign_compact`.
        payload: The claims.
        public_key: The public half; it decides `alg`.
        sign: Returns the signature of the signing input (RFC 7515 section 5.1).

    Raises:
        KeyFormatError: The key is of no allowed kind.
        CredentialFormatError: As for `sign_compact`.
    """
    protected = _protected_header(header, public_key)
    signing_input = ".".join(encode_base64url(encode_json(part)) for part in (protected, payload))
    signature = sign(signing_input.encode("ascii"))
    return _check_length(f"{signing_input}.{encode_base64url(signature)}")


def _protected_header(header: JsonObject, key: Key) -> JsonObject:
    algorithm = algorithm_of(key)
    if header.get("alg", algorithm) != algorithm or "crit" in header or "b64" in header:
        raise CredentialFormatError(
            "JWT header: alg follows from the key; crit and b64 are refused"
        )
    misfit = _ill_typed(header)
    if misfit is not None:
        raise CredentialFormatError(f"JWT header: {misfit} is of another type than in RFC 7515")
    return {"alg": algorithm, **header}


def _ill_typed(header: JsonObject) -> str | None:
    """Return the name of a header parameter that is of another type than RFC 7515 gives it."""
    for name, value in header.items():
        if name in _HEADER_TYPES and not isinstance(value, _HEADER_TYPES[name]):
            return name
    return None


def _check_length(token: str) -> str:
    if len(token) > MAX_TOKEN_CHARS or token.index(".") > _MAX_HEADER_CHARS:
        raise CredentialFormatError(f"a JWT may have at most {MAX_TOKEN_CHARS} characters")
    return token


def validate_times(claims: JsonObject, *, now_s: int, leeway_s: int) -> None:
    """Refuse claims that are not valid at `now_s` by their `exp`, `nbf` or `iat` (RFC 7519).

    Args:
        claims: All members of the JWT's payload.
        now_s: Seconds since 1970-01-01 UTC.
        leeway_s: How many seconds the two clocks may differ.

    Raises:
        CredentialFormatError: A time is not a number.
        ExpiredError: Expired, not valid yet, or issued in the future.
    """
    expires, starts, issued = (_numeric_date(claims, name) for name in ("exp", "nbf", "iat"))
    if expires is not None and now_s - leeway_s >= expires:
        raise ExpiredError("it has expired (exp)")
    if starts is not None and now_s + leeway_s < starts:
        raise ExpiredError("it is not valid yet (nbf)")
    if issued is not None and now_s + leeway_s < issued:
        raise ExpiredError("it was issued in the future (iat); check this computer's clock")


def _numeric_date(claims: JsonObject, name: str) -> float | None:
    value = claims.get(name)
    if name not in claims:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CredentialFormatError(f"{name} must be a number of seconds since 1970")
    return value

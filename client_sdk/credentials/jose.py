"""Signed JWTs and public JWKs, by joserfc: EdDSA (Ed25519) and ES256 (P-256), and nothing else.

The key decides the algorithm; a header only has to agree (RFC 8725 sections 3.1 and 3.2).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias, cast

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwa import EdDSAAlgorithm
from joserfc.jwk import ECKey, OKPKey
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from chaincode.encoding import JsonObject, JsonValue, decode_base64url, encode_base64url
from chaincode.errors import DecodeError
from client_sdk.errors import (
    CredentialFormatError,
    ExpiredError,
    KeyFormatError,
    SignatureError,
)
from client_sdk.strict_json import encode_json, parse_strict_json_object

Key: TypeAlias = ECKey | OKPKey

EDDSA: Final = "EdDSA"
ES256: Final = "ES256"
ALGORITHMS: Final = (EDDSA, ES256)
MAX_TOKEN_CHARS: Final = 1 << 18

_MAX_HEADER_CHARS: Final = 1 << 15
_COORDINATE_BYTES: Final = 32


class _Ed25519(EdDSAAlgorithm):
    """EdDSA as peers write it; RFC 9864 renames it, so joserfc would warn at each use.

    It verifies with libsodium, which also refuses keys of small order and takes half the time.
    """

    security_warning = ""

    def verify(self, msg: bytes, sig: bytes, key: OKPKey) -> bool:
        try:
            VerifyKey(key.public_key.public_bytes_raw()).verify(msg, sig)
        except (BadSignatureError, ValueError):
            return False
        return True


class _Registry(jws.JWSRegistry):
    def __init__(self) -> None:
        super().__init__(algorithms=ALGORITHMS, strict_check_header=False)
        self.algorithms = {EDDSA: _Ed25519(), ES256: jws.JWSRegistry.algorithms[ES256]}
        self.max_header_length = _MAX_HEADER_CHARS
        self.max_payload_length = MAX_TOKEN_CHARS


_REGISTRY: Final = _Registry()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedToken:
    """A well-formed signed JWT, whose signature nobody has checked yet.

    Attributes:
        unverified_header: The protected header; `alg` and `typ`, when present, are strings.
        unverified_payload: The claims.
    """

    unverified_header: JsonObject
    unverified_payload: JsonObject = field(repr=False)
    _signature: jws.CompactSignature = field(repr=False)

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
        try:
            is_valid = jws.validate_compact(self._signature, key, registry=_REGISTRY)
        except JoseError as error:
            raise SignatureError(f"JWT header: {error}") from None
        if not is_valid:
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
    try:
        header_bytes, payload_bytes = decode_base64url(parts[0]), decode_base64url(parts[1])
    except DecodeError as error:
        raise CredentialFormatError(f"JWT: {error}") from None
    header = parse_strict_json_object(header_bytes)
    payload = parse_strict_json_object(payload_bytes)
    if "crit" in header or "b64" in header:
        raise CredentialFormatError("JWT header: extensions (crit, b64) are not supported")
    # Not `jws.extract_compact`: it would parse the header again, and accept a name twice.
    signature = jws.CompactSignature(header, payload_bytes)
    protected, claims, proof = (part.encode("ascii") for part in parts)
    signature.segments = {"header": protected, "payload": claims, "signature": proof}
    return UnverifiedToken(
        unverified_header=header, unverified_payload=payload, _signature=signature
    )


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
    if not key.is_private:
        raise KeyFormatError("a private key is needed to sign; this is the public half")
    protected = _protected_header(header, key)
    try:
        token = jws.serialize_compact(protected, encode_json(payload), key, registry=_REGISTRY)
    except (JoseError, ValueError) as error:
        raise CredentialFormatError(f"JWT header: {type(error).__name__}") from None
    return _check_length(token)


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
    protected: JsonObject = {"alg": algorithm, **header}
    encode_json(protected)
    return protected


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


def generate_key(algorithm: str = EDDSA) -> Key:
    """Return a new random private key for `algorithm`.

    Raises:
        KeyFormatError: Not one of `ALGORITHMS`.
    """
    match algorithm:
        case "EdDSA":
            return OKPKey.generate_key("Ed25519")
        case "ES256":
            return ECKey.generate_key("P-256")
        case _:
            raise KeyFormatError(f"keys are made for {' and '.join(ALGORITHMS)} only")


def key_from_seed(seed: bytes) -> Key:
    """Return the private key on Ed25519 that 32 secret bytes stand for (RFC 8032 section 5.1.5)."""
    public_key = bytes(SigningKey(seed).verify_key)
    return parse_private_jwk(
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": encode_base64url(public_key),
            "d": encode_base64url(seed),
        }
    )


def algorithm_of(key: Key) -> str:
    """Return the one algorithm that a key may be used with: `EdDSA` or `ES256`.

    Raises:
        KeyFormatError: The key is of another type or curve.
    """
    match key:
        case OKPKey() if key.curve_name == "Ed25519":
            return EDDSA
        case ECKey() if key.curve_name == "P-256":
            return ES256
        case _:
            raise KeyFormatError("a key on Ed25519 or P-256 is expected")


def parse_public_jwk(jwk: JsonValue) -> Key:
    """Return the key of a public JWK (RFC 7517, RFC 8037); only `kty`, `crv`, `x`, `y` are read.

    Raises:
        KeyFormatError: Not a JWK on Ed25519 or P-256, a coordinate of another length or off the
            curve, or the JWK holds a private key.
    """
    if isinstance(jwk, dict) and "d" in jwk:
        raise KeyFormatError("JWK: a private key where only a public one may stand")
    return _parse_jwk(jwk, private=False)


def parse_private_jwk(jwk: JsonValue) -> Key:
    """Return the key of a private JWK, as `export_private_jwk` writes it.

    Raises:
        KeyFormatError: As `parse_public_jwk`; `d` is absent, or is not the private half of the key.
    """
    key = _parse_jwk(jwk, private=True)
    # OpenSSL compares the halves on P-256 only; an Ed25519 JWK with a foreign `x` would sign as it.
    if isinstance(key, OKPKey):
        derived = OKPKey.import_key(key.raw_value)
        if export_public_jwk(derived) != export_public_jwk(key):
            raise KeyFormatError("JWK: the private and the public half do not belong together")
    return key


def export_public_jwk(key: Key) -> JsonObject:
    """Return the public JWK with its required members only, also of a private key."""
    coordinates = ("x", "y") if isinstance(key, ECKey) else ("x",)
    return {name: cast(str, key[name]) for name in ("kty", "crv", *coordinates)}


def export_private_jwk(key: Key) -> JsonObject:
    """Return the JWK with its private member `d`: for sealed storage only.

    Raises:
        KeyFormatError: The key is only the public half.
    """
    if not key.is_private:
        raise KeyFormatError("a private key is expected; this is the public half")
    return {**export_public_jwk(key), "d": cast(str, key["d"])}


def thumbprint(key: Key) -> str:
    """Return the SHA-256 thumbprint of the public key, base64url (RFC 7638)."""
    return key.thumbprint()


def _parse_jwk(jwk: JsonValue, *, private: bool) -> Key:
    if not isinstance(jwk, dict):
        raise KeyFormatError("JWK: a JSON object is expected")
    secret = ("d",) if private else ()
    try:
        match jwk.get("kty"), jwk.get("crv"):
            case "OKP", "Ed25519":
                return OKPKey.import_key(_read_members(jwk, "x", *secret))
            case "EC", "P-256":
                return ECKey.import_key(_read_members(jwk, "x", "y", *secret))
            case _:
                raise KeyFormatError("JWK: a key on Ed25519 (OKP) or P-256 (EC) is expected")
    except (JoseError, ValueError) as error:
        raise KeyFormatError(f"JWK: not a point of its curve ({type(error).__name__})") from None


def _read_members(jwk: JsonObject, *coordinates: str) -> dict[str, str | list[str]]:
    members: dict[str, str | list[str]] = {}
    for name in ("kty", "crv", *coordinates):
        text = jwk.get(name)
        if not isinstance(text, str) or (name in coordinates and not _is_coordinate(text)):
            raise KeyFormatError(f"JWK: {name} must be {_COORDINATE_BYTES} bytes in base64url")
        members[name] = text
    return members


def _is_coordinate(text: str) -> bool:
    try:
        return len(decode_base64url(text)) == _COORDINATE_BYTES
    except DecodeError:
        return False


def _numeric_date(claims: JsonObject, name: str) -> float | None:
    value = claims.get(name)
    if name not in claims:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CredentialFormatError(f"{name} must be a number of seconds since 1970")
    return value

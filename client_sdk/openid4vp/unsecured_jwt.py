"""JWTs that nobody signed (RFC 7519 section 6): requests of verifiers that prove nothing."""

from chaincode.encoding import JsonObject, encode_base64url
from client_sdk.credentials.jose import UnverifiedToken, parse_compact
from client_sdk.errors import CredentialFormatError
from client_sdk.strict_json import encode_json

_NONE = "none"


def encode_unsecured(header: JsonObject, payload: JsonObject) -> str:
    """Return an unsecured JWT in compact form."""
    parts = ({"alg": _NONE, **header}, payload)
    return ".".join(encode_base64url(encode_json(part)) for part in parts) + "."


def parse_unsecured(token: str) -> UnverifiedToken:
    """Return the parts of an unsecured JWT.

    Raises:
        CredentialFormatError: It is signed, or not a well-formed JWT.
    """
    if not token.endswith("."):
        raise CredentialFormatError("an unsecured JWT has no signature, and this one has")
    # The signed form differs by its third part alone.
    parsed = parse_compact(f"{token}{_NONE}")
    if parsed.unverified_header.get("alg") != _NONE:
        raise CredentialFormatError("JWT header: alg none is expected where nothing is signed")
    return parsed

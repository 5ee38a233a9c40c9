"""Proofs that an access token is in the hands it was given to (RFC 9449, DPoP)."""

import hashlib
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from chaincode.encoding import JsonObject, encode_base64url
from client_sdk.credentials.jose import (
    Key,
    export_public_jwk,
    parse_compact,
    parse_public_jwk,
    sign_compact,
    thumbprint,
)
from client_sdk.errors import DpopError, KeyFormatError

HEADER: Final = "DPoP"
NONCE_HEADER: Final = "DPoP-Nonce"
PROOF_TYP: Final = "dpop+jwt"
MAX_AGE_S: Final = 60
_MAX_ID_CHARS: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedDpopProof:
    """A proof that is known to be of its key, for this request.

    Attributes:
        jkt: The key's thumbprint (RFC 7638).
        jti: The proof's id; the server sees to its single use.
        nonce: The server's nonce that it answers; None for none.
    """

    jkt: str
    jti: str
    nonce: str | None


def token_hash(access_token: str) -> str:
    """Return `ath`: the hash of an access token (section 4.2)."""
    return encode_base64url(hashlib.sha256(access_token.encode("ascii")).digest())


def sign_dpop_proof(
    key: Key,
    *,
    method: str,
    url: str,
    proof_id: str,
    now_s: int,
    nonce: str | None = None,
    access_token: str | None = None,
) -> str:
    """Return the proof for one request (section 4.2).

    Args:
        key: The private key that the token is, or will be, bound to.
        method: The HTTP method.
        url: Of the request; query and fragment are left out.
        proof_id: Random, at least 96 bits, used once.
        now_s: Seconds since 1970-01-01 UTC.
        nonce: The server's latest, where it gave one.
        access_token: What the request shows; None at the authorization server.
    """
    payload: JsonObject = {"jti": proof_id, "htm": method, "htu": _target(url), "iat": now_s}
    if nonce is not None:
        payload["nonce"] = nonce
    if access_token is not None:
        payload["ath"] = token_hash(access_token)
    return sign_compact({"typ": PROOF_TYP, "jwk": export_public_jwk(key)}, payload, key)


def verify_dpop_proof(
    proof: str, *, method: str, url: str, access_token: str | None, now_s: int
) -> VerifiedDpopProof:
    """Return whose proof it is (section 4.3); its nonce and its single use are the caller's.

    Args:
        proof: The header's value.
        method: The HTTP method of the request.
        url: Of the request, as its sender knows it.
        access_token: What the request shows; None at the authorization server.
        now_s: Seconds since 1970-01-01 UTC.

    Raises:
        CredentialFormatError: Not a signed JWT of this type.
        KeyFormatError: The header holds no public key of an allowed kind.
        SignatureError: Not signed under the key in its header.
        DpopError: Another request's, another token's, too old or from the future.
    """
    token = parse_compact(proof)
    header = token.unverified_header
    if "kid" in header or "x5c" in header:
        raise KeyFormatError("DPoP: the key stands in jwk, and in no other header parameter")
    key = parse_public_jwk(header.get("jwk"))
    _, payload = token.verify(key=key, expected_typ=PROOF_TYP)
    if payload.get("htm") != method:
        raise DpopError("DPoP: it is for another method (htm)")
    target = payload.get("htu")
    if not isinstance(target, str) or _normalized(target) != _normalized(url):
        raise DpopError("DPoP: it is for another address (htu)")
    issued_at = payload.get("iat")
    if not isinstance(issued_at, int | float) or isinstance(issued_at, bool):
        raise DpopError("DPoP: iat is a number of seconds since 1970")
    if abs(now_s - issued_at) > MAX_AGE_S:
        raise DpopError("DPoP: too old or from the future (iat)")
    proof_id, nonce = payload.get("jti"), payload.get("nonce")
    if not isinstance(proof_id, str) or not 1 <= len(proof_id) <= _MAX_ID_CHARS:
        raise DpopError("DPoP: jti is missing, or is no text of acceptable length")
    if not isinstance(nonce, str | None):
        raise DpopError("DPoP: nonce is a text")
    if access_token is not None and payload.get("ath") != token_hash(access_token):
        raise DpopError("DPoP: it is for another access token (ath)")
    return VerifiedDpopProof(jkt=thumbprint(key), jti=proof_id, nonce=nonce)


def _target(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))


def _normalized(url: str) -> str:
    """Return a URL as section 4.3 compares it: without query, host in lower case."""
    try:
        parts = urlsplit(url)
        port = {"https": ":443", "http": ":80"}.get(parts.scheme.lower(), "")
    except ValueError:
        return ""
    host = parts.netloc.lower().removesuffix(port) if port else parts.netloc.lower()
    return urlunsplit((parts.scheme.lower(), host, parts.path or "/", "", ""))

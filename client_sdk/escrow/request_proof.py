"""A proof that the sender of one HTTP request holds a key: DPoP (RFC 9449), and the body's hash.

The nonce is one that the service made (section 8), so a proof is good once, for one request, now.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from chaincode.encoding import JsonObject, encode_base64url
from client_sdk.credentials.jose import (
    Key,
    export_public_jwk,
    parse_compact,
    parse_public_jwk,
    sign_compact,
    thumbprint,
)
from client_sdk.errors import ClientError, RequestProofError

PROOF_HEADER: Final = "DPoP"
PROOF_TYP: Final = "dpop+jwt"
BODY_CLAIM: Final = "body_sha256"
"""Our own claim: RFC 9449 binds method and address, this one what is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedRequest:
    """What is known of a request's sender.

    Attributes:
        key: The thumbprint (RFC 7638) of the key that the sender holds.
        nonce: The nonce that the proof answers; the service has yet to check that it is its own.
    """

    key: str
    nonce: str


def sign_request(key: Key, *, method: str, url: str, body: bytes, nonce: str) -> str:
    """Return the proof for a request, to be sent in the header `DPoP`.

    Args:
        key: The private key.
        method: Such as `POST`.
        url: The whole address, without query.
        body: The body as it will be sent; empty where there is none.
        nonce: What the service gave.
    """
    header: JsonObject = {"typ": PROOF_TYP, "jwk": export_public_jwk(key)}
    return sign_compact(header, _claims(method, url, body, nonce), key)


def verify_request(proof: str, *, method: str, url: str, body: bytes) -> VerifiedRequest:
    """Return who sent a request.

    Args:
        proof: The header `DPoP`.
        method: The request's method.
        url: Its whole address, as senders know it.
        body: Its body.

    Raises:
        RequestProofError: The proof is not well formed, of another request, or not signed by the
            key that it names.
    """
    try:
        token = parse_compact(proof)
        key = parse_public_jwk(token.unverified_header.get("jwk"))
        _, claims = token.verify(key=key, expected_typ=PROOF_TYP)
    except ClientError as error:
        raise RequestProofError(str(error)) from None
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or claims != _claims(method, url, body, nonce):
        raise RequestProofError("it is the proof of another request")
    return VerifiedRequest(key=thumbprint(key), nonce=nonce)


def _claims(method: str, url: str, body: bytes, nonce: str) -> JsonObject:
    digest = encode_base64url(hashlib.sha256(body).digest())
    return {"htm": method, "htu": url, BODY_CLAIM: digest, "nonce": nonce}

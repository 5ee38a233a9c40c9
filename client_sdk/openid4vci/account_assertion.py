"""The word of an account's key, as a grant for an access token (RFC 7523 section 2.1).

A wallet whose account has a new key asks for its credentials anew with it: the assertion says which
account it speaks for, and the ledger says whether its key is a signatory of that account.
"""

from dataclasses import dataclass
from typing import Final

from chaincode.encoding import JsonObject
from chaincode.ids import ACCOUNT_ID
from client_sdk.credentials.jose import (
    Key,
    export_public_jwk,
    parse_compact,
    parse_public_jwk,
    sign_compact,
    validate_times,
)
from client_sdk.errors import HolderBindingError, KeyFormatError

JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
REPLACED_CREDENTIAL: Final = "tegata_replaced_credential"
"""Our own parameter of the token request: the credential to issue anew, with all disclosures."""
ASSERTION_TYP: Final = "tegata-account-assertion+jwt"
LIFETIME_S: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedAssertion:
    """A key known to speak for an account, if the ledger says that it is a signatory of it.

    Attributes:
        holder_key: The public JWK.
        account: The ledger account.
        nonce: The nonce that it answers; the issuer has yet to check that it is its own.
    """

    holder_key: JsonObject
    account: str
    nonce: str


def sign_account_assertion(
    *, holder_key: Key, account: str, issuer_url: str, nonce: str, now_s: int
) -> str:
    """Return the assertion as a JWT.

    Args:
        holder_key: The private key of a signatory of the account.
        account: The ledger account.
        issuer_url: The issuer's identifier.
        nonce: The issuer's `c_nonce`.
        now_s: Seconds since 1970-01-01 UTC.
    """
    payload: JsonObject = {
        "iss": account,
        "sub": account,
        "aud": issuer_url,
        "iat": now_s,
        "exp": now_s + LIFETIME_S,
        "jti": nonce,
    }
    header: JsonObject = {"typ": ASSERTION_TYP, "jwk": export_public_jwk(holder_key)}
    return sign_compact(header, payload, holder_key)


def verify_account_assertion(
    assertion: str, *, expected_issuer: str, now_s: int, leeway_s: int
) -> VerifiedAssertion:
    """Return whom an assertion speaks for.

    Args:
        assertion: The JWT.
        expected_issuer: This issuer's identifier.
        now_s: Seconds since 1970-01-01 UTC.
        leeway_s: How many seconds the two clocks may differ.

    Raises:
        CredentialFormatError: Not a signed JWT of this type.
        KeyFormatError: The header holds no public key of an allowed kind, or names more than one.
        SignatureError: Not signed under the key in its header.
        ExpiredError: It is not valid at this time.
        HolderBindingError: For another issuer, for no account, without a nonce, or for too long.
    """
    token = parse_compact(assertion)
    header = token.unverified_header
    if "kid" in header or "x5c" in header:
        raise KeyFormatError("assertion: the key stands in jwk, and in no other header parameter")
    key = parse_public_jwk(header.get("jwk"))
    _, payload = token.verify(key=key, expected_typ=ASSERTION_TYP)
    if payload.get("aud") != expected_issuer:
        raise HolderBindingError("assertion: it is for another issuer (aud)")
    validate_times(payload, now_s=now_s, leeway_s=leeway_s)
    expires, account, nonce = payload.get("exp"), payload.get("sub"), payload.get("jti")
    if not isinstance(expires, int) or expires > now_s + LIFETIME_S + leeway_s:
        raise HolderBindingError(f"assertion: it is good for at most {LIFETIME_S} seconds (exp)")
    if not isinstance(account, str) or not ACCOUNT_ID.fullmatch(account):
        raise HolderBindingError("assertion: it names no ledger account (sub)")
    if payload.get("iss") != account:
        raise HolderBindingError("assertion: an account speaks for itself (iss and sub)")
    if not isinstance(nonce, str) or not nonce:
        raise HolderBindingError("assertion: it holds no nonce of this issuer (jti)")
    return VerifiedAssertion(holder_key=export_public_jwk(key), account=account, nonce=nonce)

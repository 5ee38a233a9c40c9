"""What all three roles read of an SD-JWT VC: its parts, its revealed claims, its anchored hash."""

import hashlib
from typing import Final

from client_sdk.credentials.jose import UnverifiedToken, parse_compact
from client_sdk.credentials.sd_jwt import SdJwt, parse_sd_jwt
from client_sdk.credentials.sd_jwt_vc_claims import NEVER_CONCEALED, has_open_claim, validate_claims
from client_sdk.credentials.selective_disclosure import Revealed, reveal
from client_sdk.errors import CredentialFormatError, DisclosureError

CREDENTIAL_TYP: Final = "dc+sd-jwt"


def parse_unverified(text: str) -> tuple[SdJwt, UnverifiedToken]:
    """Return the parts of an SD-JWT VC and its issuer-signed JWT, unverified.

    Raises:
        CredentialFormatError: Not a well-formed SD-JWT VC.
        DisclosureError: A disclosure is malformed.
    """
    sd_jwt = parse_sd_jwt(text)
    return sd_jwt, parse_compact(sd_jwt.issuer_jwt)


def reveal_claims(
    token: UnverifiedToken, sd_jwt: SdJwt, *, counts_concealed: bool = True
) -> Revealed:
    """Return the claims with what the disclosures show, in the form that SD-JWT VC gives them.

    Args:
        token: The issuer-signed JWT.
        sd_jwt: All parts.
        counts_concealed: As for `reveal`.

    Raises:
        CredentialFormatError: A registered claim is malformed.
        DisclosureError: A disclosure does not belong to it, or holds what may not be concealed.
    """
    revealed = reveal(
        token.unverified_payload, sd_jwt.disclosures, counts_concealed=counts_concealed
    )
    if has_open_claim(revealed.paths):
        raise DisclosureError(f"never disclosed apart: {', '.join(sorted(NEVER_CONCEALED))}")
    validate_claims(revealed.claims)
    return revealed


def anchor_hash(issuer_jwt: str) -> bytes:
    """Return the 32-byte SHA-256 of an issuer-signed JWT: what the ledger anchors.

    Raises:
        CredentialFormatError: Not ASCII, so not a JWT.
    """
    try:
        return hashlib.sha256(issuer_jwt.encode("ascii")).digest()
    except UnicodeEncodeError:
        raise CredentialFormatError("a JWT is ASCII text") from None

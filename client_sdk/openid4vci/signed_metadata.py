"""Issuer metadata that its issuer signed (OpenID4VCI 1.0 section 12.2.3), by certificates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography import x509

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import Key, parse_compact, sign_compact, validate_times
from client_sdk.errors import OfferError
from client_sdk.openid4vci.certificate_chain import encode_x5c, verify_x5c

METADATA_MEDIA_TYPE: Final = "application/jwt"
METADATA_TYP: Final = "openidvci-issuer-metadata+jwt"
LIFETIME_S: Final = 86_400
_CLAIMS: Final = ("iss", "sub", "iat", "exp")


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataTrust:
    """Whose word on an issuer's metadata is demanded, beyond that of its web server.

    Attributes:
        anchors: Certificates of the authorities that are trusted.
        now_s: Seconds since 1970-01-01 UTC.
    """

    anchors: tuple[x509.Certificate, ...]
    now_s: int


def sign_metadata(
    metadata: JsonObject, *, key: Key, chain: Sequence[x509.Certificate], now_s: int
) -> str:
    """Return metadata as a JWT.

    Args:
        metadata: The issuer's.
        key: The private key of the chain's first certificate.
        chain: The certificates, without the trust anchor.
        now_s: Seconds since 1970-01-01 UTC.
    """
    payload: JsonObject = {
        **metadata,
        "sub": metadata["credential_issuer"],
        "iat": now_s,
        "exp": now_s + LIFETIME_S,
    }
    return sign_compact({"typ": METADATA_TYP, "x5c": encode_x5c(chain)}, payload, key)


def verify_metadata(
    token: str,
    *,
    expected_issuer: str,
    anchors: Sequence[x509.Certificate],
    now_s: int,
    leeway_s: int,
) -> JsonObject:
    """Return the metadata of a JWT, now known to be signed by whom an anchor vouches for.

    Args:
        token: The JWT.
        expected_issuer: The identifier that its address was made from.
        anchors: Certificates of the authorities that are trusted.
        now_s: Seconds since 1970-01-01 UTC.
        leeway_s: How many seconds two clocks may differ.

    Raises:
        CredentialFormatError: Not a signed JWT of this type.
        SignatureError: Not signed under a certificate that an anchor vouches for.
        ExpiredError: It is not valid at this time.
        OfferError: Of another issuer, or without the time at which it was signed.
    """
    unverified = parse_compact(token)
    key = verify_x5c(unverified.unverified_header, anchors=anchors, now_s=now_s)
    _, claims = unverified.verify(key=key, expected_typ=METADATA_TYP)
    validate_times(claims, now_s=now_s, leeway_s=leeway_s)
    if claims.get("sub") != expected_issuer:
        raise OfferError("issuer metadata: it is another issuer's (sub)")
    if not isinstance(claims.get("iat"), int):
        raise OfferError("issuer metadata: iat is missing")
    return {name: value for name, value in claims.items() if name not in _CLAIMS}

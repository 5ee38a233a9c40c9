"""Presentation requests: OpenID4VP 1.0 with signed request objects, and the links to them.

Pure: no network, no clock, no randomness. A verifier signs a request, a wallet verifies it. Client
identifiers are of the kind `x509_hash`.
"""

import base64
import binascii
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc.jwk import ECKey

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.credentials.jose import parse_compact, sign_compact, validate_times
from client_sdk.endpoint_url import MAX_URI_CHARS, parse_endpoint, parse_identifier
from client_sdk.errors import (
    CredentialFormatError,
    KeyFormatError,
    RequestError,
    SignatureError,
)
from client_sdk.openid4vp.access_certificate import (
    CLIENT_ID_PREFIX,
    MAX_CHAIN,
    AccessIdentity,
    client_id_of,
    find_anchor,
    load_der_certificate,
    organization_of,
    public_key_of,
)
from client_sdk.openid4vp.grant_offer import GrantOffer, check_offer, parse_grant_offer
from client_sdk.openid4vp.request_object import STATE, PresentationRequest
from client_sdk.openid4vp.response import unique_fields
from client_sdk.openid4vp.verifier_registration import (
    AskedClaim,
    Registration,
    asked_claims,
    find_exceeding,
    verify_registrations,
)

REQUEST_TYP: Final = "oauth-authz-req+jwt"
REQUEST_MEDIA_TYPE: Final = f"application/{REQUEST_TYP}"
LINK_SCHEME: Final = "openid4vp"
LEEWAY_S: Final = 60

_CLIENT_ID: Final = re.compile(rf"{CLIENT_ID_PREFIX}:[A-Za-z0-9_-]{{43}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedRequest:
    """A request that is known to be signed by the key of the certificate that it shows.

    Attributes:
        request: What is asked.
        verifier_name: The organization in the certificate.
        is_anchored: Whether a trusted authority certified the verifier. Where it did not, the name
            is the verifier's own claim, and a wallet must say so.
        offers: The grants that the verifier asks for, at most one for each credential query; they
            differ in nothing but credential and attributes.
        registrations: What the verifier registered to ask, by the word of a trusted authority.
    """

    request: PresentationRequest
    verifier_name: str
    is_anchored: bool
    offers: tuple[GrantOffer, ...] = ()
    registrations: tuple[Registration, ...] = ()

    @property
    def offer(self) -> GrantOffer | None:
        """The first of the offers, whose purpose, end and uses are those of all; None for none."""
        return self.offers[0] if self.offers else None

    @property
    def exceeding(self) -> tuple[AskedClaim, ...]:
        """The claims that the verifier asks for beyond its registrations; all where it has none.

        Empty for a verifier that nobody certified: there is no registration to compare with.
        """
        if not self.is_anchored:
            return ()
        purpose = None if self.offer is None else self.offer.purpose_term
        asked = asked_claims(self.request.query)
        return find_exceeding(asked, self.registrations, purpose=purpose)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLink:
    """Where a wallet fetches a request: the content of a link or QR code."""

    client_id: str
    request_uri: str


def sign_request(
    request: PresentationRequest, *, identity: AccessIdentity, wallet_nonce: str | None = None
) -> str:
    """Return the signed request object (section 5, RFC 9101).

    Args:
        request: What is asked.
        identity: The verifier's certificate and key.
        wallet_nonce: What a wallet sent to be repeated, where it fetches by POST (section 5.10).

    Raises:
        RequestError: The request breaks a rule that `verify_request` checks, or is another
            verifier's.
    """
    if request.client_id != identity.client_id:
        raise RequestError("client_id: not of the certificate that signs")
    payload = request.to_claims()
    if PresentationRequest.from_claims(payload) != request:
        raise RequestError("dcql_query: not in the form that a wallet reads")
    _parse_offers(request, identity.name)
    if wallet_nonce is not None:
        if not STATE.fullmatch(wallet_nonce):
            raise RequestError(
                "wallet_nonce: 1 to 512 characters that are safe in URLs are expected"
            )
        payload["wallet_nonce"] = wallet_nonce
    chain: list[JsonValue] = [
        base64.b64encode(certificate.public_bytes(Encoding.DER)).decode("ascii")
        for certificate in identity.chain
    ]
    header: JsonObject = {"typ": REQUEST_TYP, "x5c": chain}
    return sign_compact(header, payload, identity.signing_key)


def verify_request(
    token: str,
    *,
    expected_client_id: str,
    trust_anchors: tuple[x509.Certificate, ...],
    now_s: int,
) -> VerifiedRequest:
    """Return a request object, verified (sections 5.9.3, 5.10.1 and 14.4.1).

    Args:
        token: The JWT from the request URI.
        expected_client_id: The client identifier in the link.
        trust_anchors: The authorities that certify verifiers.
        now_s: Seconds since 1970-01-01 UTC.

    Raises:
        RequestError: The request breaks a rule, is another verifier's, or asks for something that
            this wallet cannot do; the text says what.
        ExpiredError: The request is not valid at this time.
    """
    if not _CLIENT_ID.fullmatch(expected_client_id):
        raise RequestError(f"client_id: only the kind {CLIENT_ID_PREFIX} is supported")
    try:
        unverified = parse_compact(token)
        chain = _parse_chain(unverified.unverified_header.get("x5c"))
        if client_id_of(chain[0]) != expected_client_id:
            raise RequestError("client_id: not the hash of the certificate in x5c")
        key = ECKey.import_key(public_key_of(chain[0]))
        _, payload = unverified.verify(key=key, expected_typ=REQUEST_TYP)
        validate_times(payload, now_s=now_s, leeway_s=LEEWAY_S)
        name = organization_of(chain[0])
    except (CredentialFormatError, KeyFormatError, SignatureError) as error:
        raise RequestError(f"request object: {error}") from None
    request = PresentationRequest.from_claims(payload)
    if request.client_id != expected_client_id:
        raise RequestError("client_id: the request object names another verifier than its link")
    _check_validity(chain[0], now_s)
    return VerifiedRequest(
        request=request,
        verifier_name=name,
        is_anchored=find_anchor(chain, trust_anchors=trust_anchors, now_s=now_s) is not None,
        offers=_parse_offers(request, name),
        registrations=verify_registrations(
            request.registrations,
            client_id=request.client_id,
            trust_anchors=trust_anchors,
            now_s=now_s,
        ),
    )


def build_link(link: RequestLink) -> str:
    """Return the link that opens a wallet (sections 5.10 and 13.1.2)."""
    query = urlencode({"client_id": link.client_id, "request_uri": link.request_uri})
    return f"{LINK_SCHEME}://?{query}"


def parse_link(text: str) -> RequestLink:
    """Return what a link or QR code says; parameters other than these two are not used.

    Raises:
        RequestError: Not an `openid4vp://` link with one client identifier and one request URI.
    """
    if len(text) > 2 * MAX_URI_CHARS:
        raise RequestError(f"link: longer than {2 * MAX_URI_CHARS} characters")
    try:
        parts = urlsplit(text)
        pairs = parse_qsl(parts.query, keep_blank_values=True, errors="strict", max_num_fields=32)
    except ValueError:
        raise RequestError("link: not a URI") from None
    if parts.scheme != LINK_SCHEME:
        raise RequestError(f"link: it begins with {LINK_SCHEME}://")
    values = unique_fields(pairs, RequestError("link: a parameter stands there twice"))
    if "client_id" not in values or "request_uri" not in values:
        raise RequestError("link: client_id and request_uri are expected")
    return RequestLink(
        client_id=parse_identifier(values["client_id"], "client_id"),
        request_uri=parse_endpoint(values["request_uri"], "request_uri"),
    )


def _parse_offers(request: PresentationRequest, verifier_name: str) -> tuple[GrantOffer, ...]:
    """Read the transaction data; one entry that is not understood is an error (section 5.1)."""
    offers = tuple(parse_grant_offer(text) for text in request.transaction_data)
    if len({offer.query_id for offer in offers}) != len(offers):
        raise RequestError("transaction_data: two grants for one credential")
    if len({replace(offer, query_id="", attributes=()) for offer in offers}) > 1:
        raise RequestError("transaction_data: the grants of one request differ in their terms")
    for offer in offers:
        query = request.query.find(offer.query_id)
        if query is None:
            raise RequestError("transaction_data.credential_ids: dcql_query has no such credential")
        check_offer(offer, query=query, client_id=request.client_id)
        if offer.verifier_name != verifier_name:
            raise RequestError("transaction_data.verifier_name: not the name in the certificate")
        if offer.expires_at_ms < request.issued_at * 1000:
            raise RequestError(
                "transaction_data.expires_at_ms: the grant would end before it begins"
            )
    return offers


def _parse_chain(value: JsonValue) -> tuple[x509.Certificate, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_CHAIN:
        raise RequestError(f"x5c: 1 to {MAX_CHAIN} certificates are expected in the header")
    try:
        return tuple(
            load_der_certificate(
                base64.b64decode(item if isinstance(item, str) else "", validate=True)
            )
            for item in value
        )
    except (binascii.Error, ValueError):
        raise RequestError("x5c: certificates are written in base64 (RFC 7515)") from None


def _check_validity(leaf: x509.Certificate, now_s: int) -> None:
    now = datetime.fromtimestamp(now_s, tz=UTC)
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        raise RequestError("x5c: the verifier's certificate is not valid at this time")

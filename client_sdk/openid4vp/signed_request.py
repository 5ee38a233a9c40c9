"""Presentation requests: OpenID4VP 1.0 with signed request objects, and the links to them.

No clock, no randomness, and no network but for the documents of DIDs. A verifier signs a request, a
wallet verifies it. Those of the client identifier prefix `redirect_uri` cannot be signed.
"""

from dataclasses import dataclass, field, replace
from typing import Final

from cryptography import x509

from chaincode.encoding import JsonObject
from client_sdk.credentials.jose import UnverifiedToken, parse_compact, sign_compact, validate_times
from client_sdk.did.resolution import DidResolver
from client_sdk.errors import (
    CredentialFormatError,
    KeyFormatError,
    ReplyAddress,
    RequestError,
    SignatureError,
)
from client_sdk.http.endpoint_url import parse_endpoint
from client_sdk.openid4vp.client_identifier import (
    RequestAuthor,
    check_response_uri,
    find_author,
    name_of,
    parse_client_id,
)
from client_sdk.openid4vp.grant_offer import GrantOffer, check_offer, parse_grant_offer
from client_sdk.openid4vp.haip import check_author, check_request
from client_sdk.openid4vp.request_object import STATE, PresentationRequest
from client_sdk.openid4vp.unsecured_jwt import encode_unsecured, parse_unsecured
from client_sdk.openid4vp.verifier_identity import VerifierIdentity
from client_sdk.openid4vp.verifier_registration import (
    AskedClaim,
    Registration,
    asked_claims,
    find_exceeding,
    verify_registrations,
)

REQUEST_TYP: Final = "oauth-authz-req+jwt"
REQUEST_MEDIA_TYPE: Final = f"application/{REQUEST_TYP}"
LEEWAY_S: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedRequest:
    """A request that is known to be from the one whom its client identifier names.

    With the prefix `redirect_uri` nothing is known but where the response goes.

    Attributes:
        request: What is asked.
        verifier_name: The organization in the certificate, the DID, or the response's host.
        is_anchored: Whether a trusted authority certified the verifier. Where it did not, the name
            is the verifier's own claim, and a wallet must say so.
        offers: The grants that the verifier asks for, at most one for each credential query; they
            differ in nothing but credential and attributes.
        registrations: What the verifier registered to ask, by the word of a trusted authority.
        formats: What the verifier takes: formats and algorithms (`vp_formats_supported`).
        token: The request object as it was fetched, signed by the verifier.
    """

    request: PresentationRequest
    verifier_name: str
    is_anchored: bool
    offers: tuple[GrantOffer, ...] = ()
    registrations: tuple[Registration, ...] = ()
    formats: JsonObject = field(default_factory=dict)
    token: str = field(default="", repr=False)

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


def sign_request(
    request: PresentationRequest, *, identity: VerifierIdentity, wallet_nonce: str | None = None
) -> str:
    """Return the signed request object (section 5, RFC 9101).

    Where the verifier's client identifier is of a kind that cannot be signed, it is an unsecured
    JWT (RFC 7519 section 6).

    Args:
        request: What is asked.
        identity: The verifier's name and key.
        wallet_nonce: What a wallet sent to be repeated, where it fetches by POST (section 5.10).

    Raises:
        RequestError: The request breaks a rule that `verify_request` checks, or is another
            verifier's.
    """
    if request.client_id != identity.client_id:
        raise RequestError("client_id: not of the identity that signs")
    client_id = parse_client_id(request.client_id)
    payload = request.to_claims()
    if PresentationRequest.from_claims(payload) != request:
        raise RequestError("dcql_query: not in the form that a wallet reads")
    check_response_uri(client_id, request.response_uri)
    _parse_offers(request, identity.name)
    if wallet_nonce is not None:
        if not STATE.fullmatch(wallet_nonce):
            raise RequestError(
                "wallet_nonce: 1 to 512 characters that are safe in URLs are expected"
            )
        payload["wallet_nonce"] = wallet_nonce
    header: JsonObject = {"typ": REQUEST_TYP, **identity.request_header()}
    if identity.signing_key is None:
        return encode_unsecured(header, payload)
    return sign_compact(header, payload, identity.signing_key)


def verify_request(
    token: str,
    *,
    expected_client_id: str,
    trust_anchors: tuple[x509.Certificate, ...],
    now_s: int,
    resolver: DidResolver | None = None,
    expected_wallet_nonce: str | None = None,
    haip: bool = False,
) -> VerifiedRequest:
    """Return a request object, verified (sections 5.9.3, 5.10.1 and 14.4.1).

    Args:
        token: The JWT from the request URI.
        expected_client_id: The client identifier in the link.
        trust_anchors: The authorities that certify verifiers.
        now_s: Seconds since 1970-01-01 UTC.
        resolver: Finds the keys of DIDs; without it none is accepted.
        expected_wallet_nonce: What the wallet sent to be repeated; None where it sent nothing.
        haip: Whether it must keep to the high assurance profile, too.

    Raises:
        RequestError: The request breaks a rule, is another verifier's, or asks for something that
            this wallet cannot do; the text says what.
        ExpiredError: The request is not valid at this time.
        TransportError: The place that holds a DID's document cannot be reached.
    """
    client_id = parse_client_id(expected_client_id)
    try:
        unverified = parse_compact(token) if client_id.is_signed else parse_unsecured(token)
        author = find_author(
            client_id,
            unverified.unverified_header,
            trust_anchors=trust_anchors,
            resolver=resolver,
            now_s=now_s,
        )
        payload = _payload_of(unverified, author)
        validate_times(payload, now_s=now_s, leeway_s=LEEWAY_S)
    except (CredentialFormatError, KeyFormatError, SignatureError) as error:
        raise RequestError(f"request object: {error}") from None
    if haip:
        check_author(author, trust_anchors)
    if client_id.is_signed and "aud" not in payload:
        raise RequestError("aud: a signed request says whom it is for")
    if expected_wallet_nonce is not None and payload.get("wallet_nonce") != expected_wallet_nonce:
        raise RequestError("wallet_nonce: the request object does not repeat what the wallet sent")
    try:
        accepted = _accept(PresentationRequest.from_claims(payload), author)
        if haip:
            check_request(accepted.request)
    except RequestError as error:
        error.reply_to = _reply_address(payload, author)
        raise
    registrations = verify_registrations(
        accepted.request.registrations,
        client_id=expected_client_id,
        trust_anchors=trust_anchors,
        now_s=now_s,
    )
    return replace(accepted, registrations=registrations, formats=_formats_of(payload), token=token)


def read_own_request(token: str) -> PresentationRequest:
    """Return what a request object asks that the caller itself made; nothing is verified.

    Raises:
        CredentialFormatError: It is no request object.
        RequestError: It asks for something that no wallet reads.
    """
    token_is_signed = not token.endswith(".")
    unverified = parse_compact(token) if token_is_signed else parse_unsecured(token)
    return PresentationRequest.from_claims(unverified.unverified_payload)


def verify_parameters(parameters: JsonObject) -> VerifiedRequest:
    """Return the request in a link's own parameters, which nobody signed (section 5).

    Args:
        parameters: As `request_link.parse_link` returns them; those that are not known are ignored.

    Raises:
        RequestError: The client identifier is of a kind that must be signed, or the request breaks
            a rule; the text says which.
    """
    client_id = parse_client_id(str(parameters.get("client_id", "")))
    if client_id.is_signed:
        raise RequestError(f"client_id: requests of the kind {client_id.prefix} are signed")
    author = RequestAuthor(client_id=client_id, name=name_of(client_id), key=None)
    accepted = _accept(PresentationRequest.from_claims(parameters), author)
    return replace(accepted, formats=_formats_of(parameters))


def _formats_of(payload: JsonObject) -> JsonObject:
    metadata = payload.get("client_metadata")
    formats = metadata.get("vp_formats_supported") if isinstance(metadata, dict) else None
    return formats if isinstance(formats, dict) else {}


def _payload_of(unverified: UnverifiedToken, author: RequestAuthor) -> JsonObject:
    if author.key is not None:
        return unverified.verify(key=author.key, expected_typ=REQUEST_TYP)[1]
    if unverified.unverified_header.get("typ") != REQUEST_TYP:
        raise RequestError(f"request object: typ {REQUEST_TYP} is expected")
    return unverified.unverified_payload


def _reply_address(payload: JsonObject, author: RequestAuthor) -> ReplyAddress | None:
    """Return where the author of a request that breaks a rule wants its answer, if that holds."""
    state = payload.get("state")
    try:
        response_uri = parse_endpoint(payload.get("response_uri"), "response_uri")
        check_response_uri(author.client_id, response_uri)
    except RequestError:
        return None
    if payload.get("client_id") != str(author.client_id) or not isinstance(state, str | None):
        return None
    return ReplyAddress(response_uri=response_uri, state=state)


def _accept(request: PresentationRequest, author: RequestAuthor) -> VerifiedRequest:
    if request.client_id != str(author.client_id):
        raise RequestError("client_id: the request object names another verifier than its link")
    check_response_uri(author.client_id, request.response_uri)
    return VerifiedRequest(
        request=request,
        verifier_name=author.name,
        is_anchored=author.is_anchored,
        offers=_parse_offers(request, author.name),
    )


def _parse_offers(request: PresentationRequest, verifier_name: str) -> tuple[GrantOffer, ...]:
    """Read the transaction data; one entry that is not understood is an error (section 5.1)."""
    try:
        return _read_offers(request, verifier_name)
    except RequestError as error:
        raise RequestError(str(error), code="invalid_transaction_data") from None


def _read_offers(request: PresentationRequest, verifier_name: str) -> tuple[GrantOffer, ...]:
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
            raise RequestError("transaction_data.verifier_name: not the name of the one that asks")
        if offer.expires_at_ms < (request.issued_at or 0) * 1000:
            raise RequestError(
                "transaction_data.expires_at_ms: the grant would end before it begins"
            )
    return offers

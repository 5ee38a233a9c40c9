"""The wallet's side of an issuer's service: receive a credential (OpenID4VCI 1.0), get an account.

Of OpenID4VCI this is the pre-authorized code flow, with transaction code, nonce and key proof.
"""

from dataclasses import dataclass, field, replace
from typing import Final

from chaincode.encoding import JsonObject, JsonValue
from client_sdk.credentials.jose import Key
from client_sdk.errors import (
    IssuerRefusedError,
    OfferError,
    TransportError,
)
from client_sdk.http_client import HttpClient
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.batches import Inclusion
from client_sdk.openid4vci.account_enrolment import account_name, enrolment_message
from client_sdk.openid4vci.credential_offer import (
    PRE_AUTHORIZED_CODE,
    CredentialOffer,
    parse_offer,
    parse_offer_link,
    parse_url,
)
from client_sdk.openid4vci.issuer_answers import accept_answer, fetch_metadata, host_of
from client_sdk.openid4vci.issuer_metadata import (
    KEY_METADATA,
    CredentialConfiguration,
    IssuerMetadata,
    well_known_url,
)
from client_sdk.openid4vci.key_proof import sign_key_proof
from client_sdk.openid4vci.received_credential import ReceivedCredential, read_received
from client_sdk.openid4vci.server_metadata import SERVER_METADATA, ServerMetadata

LEEWAY_S: Final = 60
_MAX_TOKEN_CHARS: Final = 16_384
_MAX_NONCE_CHARS: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedOffer:
    """An offer whose code was redeemed. Its repr does not show the token.

    Attributes:
        metadata: The issuer's.
        credential_format: The format that is asked for.
        credential_type: The type that was offered.
        issuer_keys: The issuer's `jwt-vc-issuer` document.
        token: The access token; short-lived, and good for this one credential.
        wanted: How the credential request names the credential.
    """

    metadata: IssuerMetadata
    credential_format: str
    credential_type: str
    issuer_keys: JsonObject
    token: str = field(repr=False)
    wanted: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredAccount:
    """A holder's new account on the ledger.

    Attributes:
        account_id: The account.
        ledger_id: The ledger's id, 64 hex digits.
        issuer_account: The account of the issuer that made it.
        issuer_url: That issuer's identifier.
    """

    account_id: str
    ledger_id: str
    issuer_account: str
    issuer_url: str


def fetch_offer(offer_link: str, *, http: HttpClient) -> CredentialOffer:
    """Return the offer of a link, fetched where the link only points to it (section 4.1.3).

    It tells who offers what, and whether a transaction code is needed, before anything is sent.

    Raises:
        OfferError: The link or the offer is not acceptable, or the offer is no longer there.
        TransportError: The issuer cannot be reached.
    """
    offer = parse_offer_link(offer_link)
    if isinstance(offer, CredentialOffer):
        return offer
    answer = http.get(offer.uri)
    accept_answer(answer, f"{host_of(offer.uri)}: credential offer")
    return parse_offer(answer.body)


def receive_credential(
    offer_link: str,
    *,
    tx_code: str | None,
    holder_key: Key,
    account: str | None = None,
    credential_format: str | None = None,
    now_ms: int,
    http: HttpClient,
) -> ReceivedCredential:
    """Accept an offer and return its credential: `redeem_offer`, then `request_credential`.

    Args:
        offer_link: `openid-credential-offer://...`.
        tx_code: What the person typed; None where the offer asks for nothing.
        credential_format: The format that is wanted; None for the first that is offered.
        holder_key: The private key that the credential is to be bound to.
        account: The ledger account that it is to name, of which the key is a signatory.
        now_ms: Milliseconds since 1970, UTC.
        http: The session.

    Raises:
        OfferError: The offer cannot be used, or the issuer refused it.
        VerificationError: The credential is not signed by the issuer, or not for this key.
        CredentialFormatError: The credential is not well formed.
        TransportError: The issuer cannot be reached. An offer's code is good once: a wallet that
            wants to try again without a new offer takes the two steps itself.
    """
    offer = fetch_offer(offer_link, http=http)
    accepted = redeem_offer(offer, tx_code=tx_code, credential_format=credential_format, http=http)
    return request_credential(
        accepted, holder_key=holder_key, account=account, now_ms=now_ms, http=http
    )


def redeem_offer(
    offer: CredentialOffer,
    *,
    tx_code: str | None,
    credential_format: str | None = None,
    http: HttpClient,
) -> AcceptedOffer:
    """Exchange an offer's code for a token; what is needed to check the credential comes first.

    Args:
        offer: The offer.
        tx_code: What the person typed; None where the offer asks for nothing.
        credential_format: The format that is wanted; None for the first that is offered.
        http: The session.

    Raises:
        OfferError: The offer cannot be used, or the issuer refused it.
        TransportError: The issuer cannot be reached.
    """
    if offer.pre_authorized_code is None:
        raise OfferError("offer: the issuer wants to see you at its page first; authorize there")
    if offer.transaction_code is not None and not tx_code:
        raise OfferError("offer: it asks for a transaction code; type the one that came with it")
    metadata = fetch_metadata(offer.credential_issuer, http=http)
    name, configuration = _choose_configuration(offer, metadata, credential_format)
    answer = http.get(well_known_url(metadata.credential_issuer, KEY_METADATA))
    keys = accept_answer(answer, f"{host_of(metadata.credential_issuer)}: issuer keys")
    endpoint = _find_token_endpoint(offer, metadata, http)
    form = {"grant_type": PRE_AUTHORIZED_CODE, "pre-authorized_code": offer.pre_authorized_code}
    if offer.transaction_code is not None and tx_code:
        form["tx_code"] = tx_code
    where = f"{host_of(endpoint)}: token"
    fields = accept_answer(http.post_form(endpoint, form), where)
    token = accept_token(fields, where)
    return AcceptedOffer(
        metadata=metadata,
        credential_format=configuration.format,
        credential_type=configuration.credential_type,
        issuer_keys=keys,
        token=token,
        wanted=_wanted(fields.get("authorization_details"), name),
    )


def request_credential(
    accepted: AcceptedOffer,
    *,
    holder_key: Key,
    account: str | None = None,
    now_ms: int,
    http: HttpClient,
) -> ReceivedCredential:
    """Return the credential of an accepted offer, checked against the issuer's published keys.

    Whether the issuer is registered on the ledger is not looked at here: a verifier does.

    Args:
        accepted: The accepted offer.
        holder_key: The private key that the credential is to be bound to.
        account: The ledger account that it is to name, of which the key is a signatory.
        now_ms: Milliseconds since 1970, UTC.
        http: The session.

    Raises:
        OfferError: The issuer refused.
        VerificationError: The credential is not signed by the issuer, or not for this key.
        CredentialFormatError: The credential is not well formed.
        TransportError: The issuer or its ledger cannot be reached: ask again with the same offer.
    """
    now_s = now_ms // 1000
    try:
        credential, inclusion = _fetch_credential(accepted, holder_key, account, now_s, http)
    except IssuerRefusedError as error:
        if error.code != "invalid_nonce":
            raise
        # The nonce expired on the way: the issuer asks for a proof over a new one.
        credential, inclusion = _fetch_credential(accepted, holder_key, account, now_s, http)
    received = read_received(
        credential,
        credential_format=accepted.credential_format,
        credential_type=accepted.credential_type,
        issuer_url=accepted.metadata.credential_issuer,
        issuer_keys=accepted.issuer_keys,
        holder_key=holder_key,
        now_s=now_s,
    )
    return replace(received, inclusion=inclusion)


def accept_token(fields: JsonObject, where: str) -> str:
    """Return the access token of a token answer.

    Raises:
        OfferError: It is of another type than Bearer.
        TransportError: The answer holds none.
    """
    token, kind = fields.get("access_token"), fields.get("token_type")
    if not isinstance(token, str) or not _is_header_text(token, _MAX_TOKEN_CHARS):
        raise TransportError(f"{where}: the answer holds no access token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise OfferError(f"{where}: the token is not of the type Bearer")
    return token


def fetch_nonce(metadata: IssuerMetadata, http: HttpClient) -> str | None:
    """Return a nonce of the issuer's (section 7); None where it has no nonce endpoint.

    Raises:
        OfferError: The issuer refused.
        TransportError: It cannot be reached, or answers with none.
    """
    if metadata.nonce_endpoint is None:
        return None
    where = f"{host_of(metadata.nonce_endpoint)}: nonce"
    nonce = accept_answer(http.post_form(metadata.nonce_endpoint, {}), where).get("c_nonce")
    if not isinstance(nonce, str) or not _is_header_text(nonce, _MAX_NONCE_CHARS):
        raise TransportError(f"{where}: the answer holds no nonce")
    return nonce


def register_account(
    issuer_url: str, *, enrolment_code: str, key: AccountKey, http: HttpClient
) -> RegisteredAccount:
    """Have an issuer's service make an account on the ledger, under a name that tells nothing.

    Asking again with the same code and key gives the same account.

    Args:
        issuer_url: The issuer's identifier.
        enrolment_code: The one-time code that the person was given.
        key: The account's key.
        http: The session.

    Raises:
        OfferError: The service refused, or makes no accounts.
        TransportError: The service cannot be reached, or the ledger behind it; try again.
    """
    issuer_url = parse_url(issuer_url, "issuer").rstrip("/")
    service = fetch_metadata(issuer_url, http=http).accounts
    if service is None:
        raise OfferError(f"{host_of(issuer_url)}: this service makes no accounts on a ledger")
    account_id = f"{account_name(enrolment_code, key.public_key)}@{service.holder_domain}"
    message = enrolment_message(
        issuer_url=issuer_url,
        account_id=account_id,
        public_key=key.public_key,
        enrolment_code=enrolment_code,
    )
    request: JsonObject = {
        "enrolment_code": enrolment_code,
        "account_id": account_id,
        "public_key": key.public_key,
        "proof": key.sign(message),
    }
    where = f"{host_of(service.accounts_endpoint)}: account"
    made = accept_answer(http.post_json(service.accounts_endpoint, request), where)
    ledger_id, issuer = made.get("ledger_id"), made.get("issuer_account")
    if (
        made.get("account_id") != account_id
        or ledger_id != service.ledger_id
        or issuer != service.issuer_account
    ):
        raise TransportError(f"{where}: the answer is about another account or ledger")
    return RegisteredAccount(
        account_id=account_id,
        ledger_id=service.ledger_id,
        issuer_account=service.issuer_account,
        issuer_url=issuer_url,
    )


def _choose_configuration(
    offer: CredentialOffer, metadata: IssuerMetadata, wanted_format: str | None
) -> tuple[str, CredentialConfiguration]:
    for name in offer.configuration_ids:
        found = metadata.configurations.get(name)
        if found is not None and wanted_format in (None, found.format):
            return name, found
    raise OfferError("offer: no credential of it is in a format that this wallet holds")


def _find_token_endpoint(offer: CredentialOffer, metadata: IssuerMetadata, http: HttpClient) -> str:
    servers = metadata.authorization_servers or (metadata.credential_issuer,)
    server = offer.authorization_server or servers[0]
    if server not in servers:
        raise OfferError("offer: authorization_server is none of the issuer's")
    answer = http.get(well_known_url(server, SERVER_METADATA))
    fields = accept_answer(answer, f"{host_of(server)}: authorization server metadata")
    return ServerMetadata.from_fields(fields, expected_issuer=server).token_endpoint


def _wanted(details: JsonValue, configuration_id: str) -> JsonObject:
    """Return how a request must name the credential (section 3.3.4)."""
    for detail in details if isinstance(details, list) else []:
        match detail:
            case {
                "type": "openid_credential",
                "credential_configuration_id": name,
                "credential_identifiers": [str() as identifier, *_],
            } if name == configuration_id:
                return {"credential_identifier": identifier}
    return {"credential_configuration_id": configuration_id}


def _fetch_credential(
    accepted: AcceptedOffer, holder_key: Key, account: str | None, now_s: int, http: HttpClient
) -> tuple[JsonValue, Inclusion | None]:
    metadata = accepted.metadata
    proof = sign_key_proof(
        holder_key=holder_key,
        issuer_url=metadata.credential_issuer,
        nonce=fetch_nonce(metadata, http),
        issued_at=now_s,
        account=account,
    )
    request: JsonObject = {**accepted.wanted, "proofs": {"jwt": [proof]}}
    where = f"{host_of(metadata.credential_endpoint)}: credential"
    answer = http.post_json(metadata.credential_endpoint, request, bearer=accepted.token)
    return _credential_of(accept_answer(answer, where), where)


def _credential_of(fields: JsonObject, where: str) -> tuple[JsonValue, Inclusion | None]:
    if "transaction_id" in fields:
        raise OfferError(f"{where}: the issuer wants to issue later, which this wallet cannot wait")
    match fields.get("credentials"):
        case [{"credential": credential, "tegata_inclusion": proof}, *_] if credential:
            return credential, Inclusion.from_json(proof)
        case [{"credential": credential}, *_] if credential:
            return credential, None
        case _:
            raise TransportError(f"{where}: the answer holds no credential")


def _is_header_text(text: str, most: int) -> bool:
    return 1 <= len(text) <= most and text.isascii() and text.isprintable() and " " not in text

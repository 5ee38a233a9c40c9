"""The wallet's side of an issuer's service: receive a credential (OpenID4VCI 1.0), get an account.

Of OpenID4VCI this is the pre-authorized code flow, with transaction code, nonce and key proof.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from chaincode.encoding import JsonObject, JsonValue
from chaincode.ids import ACCOUNT_ID, RECORD_ID
from client_sdk.account_enrolment import account_name, enrolment_message
from client_sdk.account_key import AccountKey
from client_sdk.credential_offer import (
    PRE_AUTHORIZED_CODE,
    CredentialOffer,
    parse_offer,
    parse_offer_link,
    parse_url,
)
from client_sdk.errors import (
    CredentialFormatError,
    HolderBindingError,
    IssuerRefusedError,
    OfferError,
    TransportError,
)
from client_sdk.http_client import HttpAnswer, HttpClient
from client_sdk.issuer import PLACE_CLAIM
from client_sdk.issuer_metadata import (
    ISSUER_METADATA,
    KEY_METADATA,
    SERVER_METADATA,
    CredentialConfiguration,
    IssuerMetadata,
    ServerMetadata,
    find_published_key,
    well_known_url,
)
from client_sdk.jose import Key, export_public_jwk
from client_sdk.key_proof import sign_key_proof
from client_sdk.sd_jwt_vc import VerifiedCredential, parse_credential, verify_credential

LEEWAY_S: Final = 60
_MAX_TOKEN_CHARS: Final = 16_384
_MAX_NONCE_CHARS: Final = 1024
_ERROR_CODE: Final = re.compile(r"[a-z_]{1,64}")
_ADVICE: Final = {
    "credential_request_denied": "the issuer will not give this credential; ask it why",
    "invalid_grant": "the offer or the transaction code is wrong, used or expired",
    "invalid_request": "the offer asks for a transaction code, or for none",
    "invalid_token": "the offer was used or has expired; ask for a new one",
    "invalid_enrolment": "the enrolment code is wrong, used or expired; ask for a new one",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedCredential:
    """A credential that its issuer signed for this wallet.

    Attributes:
        record_id: The id of its record on the ledger, 32 hex digits.
        credential_type: Its `vct`.
        issuer: The issuer's account on the ledger.
        expires_at_ms: Milliseconds since 1970, UTC.
        sd_jwt: The credential with all its disclosures.
    """

    record_id: str
    credential_type: str
    issuer: str
    expires_at_ms: int
    sd_jwt: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredAccount:
    """A holder's new account on the ledger.

    Attributes:
        account_id: The account.
        ledger_id: The ledger's id, 64 hex digits.
        issuer_account: The account of the issuer that made it.
    """

    account_id: str
    ledger_id: str
    issuer_account: str


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
    _accept(answer, f"{_host(offer.uri)}: credential offer")
    return parse_offer(answer.body)


def receive_credential(
    offer_link: str,
    *,
    tx_code: str | None,
    holder_key: Key,
    now_ms: int,
    http: HttpClient,
) -> ReceivedCredential:
    """Accept an offer and return its credential, checked against the issuer's published keys.

    Whether the issuer is registered on the ledger is not looked at here: a verifier does.

    Args:
        offer_link: `openid-credential-offer://...`.
        tx_code: What the person typed; None where the offer asks for nothing.
        holder_key: The private key that the credential is to be bound to.
        now_ms: Milliseconds since 1970, UTC.
        http: The session.

    Raises:
        OfferError: The offer cannot be used, or the issuer refused it.
        VerificationError: The credential is not signed by the issuer, or not for this key.
        CredentialFormatError: The credential is not well formed.
        TransportError: The issuer cannot be reached; the offer may be tried again.
    """
    offer = fetch_offer(offer_link, http=http)
    if offer.transaction_code is not None and not tx_code:
        raise OfferError("offer: it asks for a transaction code; type the one that came with it")
    metadata = fetch_metadata(offer.credential_issuer, http=http)
    name, configuration = _choose_configuration(offer, metadata)
    token, wanted = _fetch_token(
        offer, metadata, tx_code if offer.transaction_code is not None else None, name, http
    )
    request = partial(
        _fetch_credential,
        metadata,
        token=token,
        wanted=wanted,
        holder_key=holder_key,
        now_s=now_ms // 1000,
        http=http,
    )
    try:
        sd_jwt = request()
    except IssuerRefusedError as error:
        if error.code != "invalid_nonce":
            raise
        # The nonce expired on the way: the issuer asks for a proof over a new one.
        sd_jwt = request()
    verified = _verify(sd_jwt, metadata, configuration, now_ms // 1000, http)
    if verified.holder_key != export_public_jwk(holder_key):
        raise HolderBindingError("the issuer bound the credential to another key than the wallet's")
    return _receipt(sd_jwt, verified, configuration)


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
    service = fetch_metadata(parse_url(issuer_url, "issuer"), http=http).accounts
    if service is None:
        raise OfferError(f"{_host(issuer_url)}: this service makes no accounts on a ledger")
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
    where = f"{_host(service.accounts_endpoint)}: account"
    made = _accept(http.post_json(service.accounts_endpoint, request), where)
    ledger_id, issuer = made.get("ledger_id"), made.get("issuer_account")
    if (
        made.get("account_id") != account_id
        or ledger_id != service.ledger_id
        or issuer != service.issuer_account
    ):
        raise TransportError(f"{where}: the answer is about another account or ledger")
    return RegisteredAccount(
        account_id=account_id, ledger_id=service.ledger_id, issuer_account=service.issuer_account
    )


def fetch_metadata(issuer_url: str, *, http: HttpClient) -> IssuerMetadata:
    """Return what an issuer publishes of itself (section 12.2).

    Raises:
        OfferError: It has no acceptable metadata.
        TransportError: It cannot be reached.
    """
    answer = http.get(well_known_url(issuer_url, ISSUER_METADATA))
    fields = _accept(answer, f"{_host(issuer_url)}: issuer metadata")
    return IssuerMetadata.from_fields(fields, expected_issuer=issuer_url)


def _choose_configuration(
    offer: CredentialOffer, metadata: IssuerMetadata
) -> tuple[str, CredentialConfiguration]:
    for name in offer.configuration_ids:
        if name in metadata.configurations:
            return name, metadata.configurations[name]
    raise OfferError("offer: no credential of it is in a format that this wallet holds (dc+sd-jwt)")


def _fetch_token(
    offer: CredentialOffer,
    metadata: IssuerMetadata,
    tx_code: str | None,
    configuration_id: str,
    http: HttpClient,
) -> tuple[str, JsonObject]:
    """Return the access token, and how the request must name the credential (section 3.3.4)."""
    servers = metadata.authorization_servers or (metadata.credential_issuer,)
    server = offer.authorization_server or servers[0]
    if server not in servers:
        raise OfferError("offer: authorization_server is none of the issuer's")
    answer = http.get(well_known_url(server, SERVER_METADATA))
    fields = _accept(answer, f"{_host(server)}: authorization server metadata")
    endpoint = ServerMetadata.from_fields(fields, expected_issuer=server).token_endpoint
    form = {
        "grant_type": PRE_AUTHORIZED_CODE,
        "pre-authorized_code": offer.pre_authorized_code,
    }
    if tx_code is not None:
        form["tx_code"] = tx_code
    where = f"{_host(endpoint)}: token"
    fields = _accept(http.post_form(endpoint, form), where)
    token, kind = fields.get("access_token"), fields.get("token_type")
    if not isinstance(token, str) or not _is_header_text(token, _MAX_TOKEN_CHARS):
        raise TransportError(f"{where}: the answer holds no access token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise OfferError(f"{where}: the token is not of the type Bearer")
    return token, _wanted(fields.get("authorization_details"), configuration_id)


def _wanted(details: JsonValue, configuration_id: str) -> JsonObject:
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
    metadata: IssuerMetadata,
    *,
    token: str,
    wanted: JsonObject,
    holder_key: Key,
    now_s: int,
    http: HttpClient,
) -> str:
    proof = sign_key_proof(
        holder_key=holder_key,
        issuer_url=metadata.credential_issuer,
        nonce=_fetch_nonce(metadata, http),
        issued_at=now_s,
    )
    request: JsonObject = {**wanted, "proofs": {"jwt": [proof]}}
    where = f"{_host(metadata.credential_endpoint)}: credential"
    answer = http.post_json(metadata.credential_endpoint, request, bearer=token)
    return _credential_of(_accept(answer, where), where)


def _fetch_nonce(metadata: IssuerMetadata, http: HttpClient) -> str | None:
    if metadata.nonce_endpoint is None:
        return None
    where = f"{_host(metadata.nonce_endpoint)}: nonce"
    nonce = _accept(http.post_form(metadata.nonce_endpoint, {}), where).get("c_nonce")
    if not isinstance(nonce, str) or not _is_header_text(nonce, _MAX_NONCE_CHARS):
        raise TransportError(f"{where}: the answer holds no nonce")
    return nonce


def _credential_of(fields: JsonObject, where: str) -> str:
    if "transaction_id" in fields:
        raise OfferError(f"{where}: the issuer wants to issue later, which this wallet cannot wait")
    match fields.get("credentials"):
        case [{"credential": str() as credential}, *_]:
            return credential
        case _:
            raise TransportError(f"{where}: the answer holds no credential")


def _verify(
    sd_jwt: str,
    metadata: IssuerMetadata,
    configuration: CredentialConfiguration,
    now_s: int,
    http: HttpClient,
) -> VerifiedCredential:
    held = parse_credential(sd_jwt)
    if held.unverified_claims.get("iss") != metadata.credential_issuer:
        raise CredentialFormatError("the credential names another issuer (iss) than the offer's")
    answer = http.get(well_known_url(metadata.credential_issuer, KEY_METADATA))
    fields = _accept(answer, f"{_host(metadata.credential_issuer)}: issuer keys")
    return verify_credential(
        sd_jwt,
        issuer_key=find_published_key(
            fields,
            expected_issuer=metadata.credential_issuer,
            kid=held.unverified_header.get("kid"),
        ),
        expected_vct=configuration.credential_type,
        now_s=now_s,
        leeway_s=LEEWAY_S,
    )


def _receipt(
    sd_jwt: str, verified: VerifiedCredential, configuration: CredentialConfiguration
) -> ReceivedCredential:
    place, expires_s = verified.claims.get(PLACE_CLAIM), verified.claims.get("exp")
    match place:
        case {"issuer": str() as issuer, "record": str() as record_id} if ACCOUNT_ID.fullmatch(
            issuer
        ) and RECORD_ID.fullmatch(record_id):
            pass
        case _:
            raise CredentialFormatError("the credential does not say where its record is (tegata)")
    if not isinstance(expires_s, int) or isinstance(expires_s, bool):
        raise CredentialFormatError("the credential does not say when it expires (exp)")
    return ReceivedCredential(
        record_id=record_id,
        credential_type=configuration.credential_type,
        issuer=issuer,
        expires_at_ms=expires_s * 1000,
        sd_jwt=sd_jwt,
    )


def _accept(answer: HttpAnswer, where: str) -> JsonObject:
    """Return the members of a good answer, or raise what the issuer says, in our own words."""
    if answer.status in (200, 201, 202):
        return answer.json()
    if answer.status >= 500:
        raise TransportError(f"{where}: the service is out of order (HTTP {answer.status}); later?")
    code = _error_code(answer)
    # The server's own description is left out: it may repeat what was sent.
    advice = _ADVICE.get(code, f"the issuer refused (HTTP {answer.status})")
    raise IssuerRefusedError(f"{where}: {code}: {advice}", code=code)


def _error_code(answer: HttpAnswer) -> str:
    try:
        fields: Mapping[str, JsonValue] = answer.json()
    except TransportError:
        fields = {}
    code = fields.get("error", fields.get("code"))
    return code if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else "no_error_code"


def _is_header_text(text: str, most: int) -> bool:
    return 1 <= len(text) <= most and text.isascii() and text.isprintable() and " " not in text


def _host(url: str) -> str:
    return urlsplit(url).netloc

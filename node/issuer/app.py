"""The issuer's service as a Flask application: wires its parts."""

import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Final, Protocol

import structlog
from flask import Flask
from flask_openapi.models.security_scheme import SecurityScheme

from chaincode.encoding import decode_base64url
from client_sdk.credentials.jose import (
    Key,
    export_private_jwk,
)
from client_sdk.credentials.sd_jwt_vc import CredentialSigner, public_key_of
from client_sdk.errors import (
    QueryFailedError,
    TransactionFailedError,
    TransportError,
)
from client_sdk.face.client import FaceClient
from client_sdk.http.client import HttpClient
from client_sdk.issuer import Issuer
from client_sdk.openid4vci.issuer_metadata import build_key_metadata
from node.issuer.account_routes import add_account_routes
from node.issuer.accounts import AccountLedger, Accounts
from node.issuer.approval_routes import add_approval_routes
from node.issuer.approvals import ApprovalLedger, Approvals
from node.issuer.authorization_pages import add_authorization_pages
from node.issuer.authorization_routes import add_push_routes
from node.issuer.authorizations import Authorizations
from node.issuer.batch_queue import BatchQueue
from node.issuer.cards import Cards
from node.issuer.cases import Cases
from node.issuer.clients import Clients
from node.issuer.config import IssuerConfig, load_wallet_providers
from node.issuer.configurations import configurations_of
from node.issuer.credential_certificates import load_credential_certificates
from node.issuer.credential_maker import Press
from node.issuer.credential_requests import MessageReader
from node.issuer.credential_routes import add_credential_routes
from node.issuer.dpop_proofs import DpopProofs
from node.issuer.errors import register_protocol_errors
from node.issuer.face_tests import FaceTests
from node.issuer.issuance import Issuance
from node.issuer.key_proofs import AttestationPolicy, KeyProofs
from node.issuer.metadata import build_metadata, build_server_metadata, metadata_signer
from node.issuer.metadata_routes import add_metadata_routes
from node.issuer.offer_routes import add_offer_routes
from node.issuer.offers import Offers
from node.issuer.pages import Counter, add_counter_pages, create_pages
from node.issuer.refresh_tokens import RefreshTokens
from node.issuer.renewals import Renewals
from node.issuer.reviews import Reviews
from node.issuer.revocation_routes import add_revocation_routes
from node.issuer.revocations import Revocations
from node.issuer.status_lists import StatusLists
from node.issuer.status_routes import add_status_routes
from node.issuer.store import IssuerStore
from node.issuer.token_routes import Tokens, add_token_routes
from node.issuer.waci import WaciIssuing
from node.issuer.waci_routes import add_waci_routes
from node.jwk_files import load_trusted_keys
from node.web.app import create_api
from node.web.didcomm import agreement_key
from node.web.nonce import NonceSealer
from node.web.problems import register_ledger_unavailable
from node.web.rate_limit import RateLimiter

# An offer may hold a portrait.
MAX_BODY_BYTES: Final = 256 * 1024
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.issuer")


class ServiceLedger(ApprovalLedger, AccountLedger, Protocol):
    """What the service needs of a ledger: `client_sdk.ledger.client.LedgerClient` has it."""


def create_app(
    config: IssuerConfig,
    *,
    store: IssuerStore,
    ledger: ServiceLedger,
    signing_key: Key | CredentialSigner,
    nonce_key: Key,
    session_key: bytes,
    http: HttpClient | None = None,
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
) -> Flask:
    """Make the issuer's application.

    Args:
        config: The configuration.
        store: Where offers and enrolment codes are kept.
        ledger: A client of the issuer's account.
        signing_key: The private key that credentials are signed with, or whoever has it.
        nonce_key: The private key that nonces are sealed under.
        session_key: What the sessions of its pages are signed with.
        http: How the face service is reached.
        now_ms: The clock: milliseconds since 1970, UTC.
    """
    public_key = public_key_of(signing_key)
    issuer = Issuer(
        ledger,
        config.ledger.ledger_id,
        account=config.ledger.account,
        issuer_record=config.issuer_record,
        signing_key=signing_key,
        issuer_url=config.public_url,
        certificates=load_credential_certificates(config, public_key),
        now_ms=now_ms,
    )
    configurations = configurations_of(signing_key, haip=config.haip)
    nonces = NonceSealer(nonce_key, service="issuer")
    cards = (
        None
        if config.card is None
        else Cards(store, nonces, config.card, public_url=config.public_url, now_ms=now_ms)
    )
    refresh_tokens = (
        RefreshTokens(store, days=config.refresh_days, now_ms=now_ms)
        if config.refresh_days
        else None
    )
    offers = Offers(
        store,
        public_url=config.public_url,
        offer_seconds=config.offer_seconds,
        cards=cards,
        configuration_ids=tuple(configurations),
        refresh_tokens=refresh_tokens,
        now_ms=now_ms,
    )
    dpop = DpopProofs(
        store,
        NonceSealer(nonce_key, service="issuer DPoP"),
        public_url=config.public_url,
        required=config.haip,
        now_ms=now_ms,
    )
    wallet_providers = load_wallet_providers(config)
    clients = Clients(
        store,
        NonceSealer(nonce_key, service="issuer attestation"),
        audience=config.public_url,
        registered=config.wallets,
        anchors=wallet_providers,
        attestation_required=config.haip,
        now_ms=now_ms,
    )
    authorizations = Authorizations(store, offers, clients, issuer=config.public_url, now_ms=now_ms)
    status_lists = build_status_lists(config, store, issuer, signing_key, now_ms=now_ms)
    revocations = Revocations(store, issuer, status_lists)
    renewals = Renewals(
        store,
        ledger,
        nonces,
        public_url=config.public_url,
        ledger_id=config.ledger.ledger_id,
        account=config.ledger.account,
        signing_key=public_key,
        configurations=configurations,
        revocations=revocations,
        now_ms=now_ms,
    )
    face_tests = build_face_tests(config, http or HttpClient(), now_ms=now_ms)
    is_face_tested = config.face is not None and config.face.at == "issuance"
    issuance = Issuance(
        store,
        Press(issuer=issuer, status_lists=status_lists, queue=BatchQueue(issuer.anchor)),
        ledger,
        nonces,
        KeyProofs(
            nonces,
            public_url=config.public_url,
            batch_size=config.batch_size,
            attestations=AttestationPolicy(
                anchors=wallet_providers,
                demand=None
                if config.key_attestations is None
                else config.key_attestations.demand(),
            ),
            now_ms=now_ms,
        ),
        revocations=revocations,
        configurations=configurations,
        credential_days=config.credential_days,
        face_tests=face_tests if is_face_tested else None,
        now_ms=now_ms,
    )
    encryption_key = store.keys.encryption_key(str(export_private_jwk(nonce_key)["d"]))
    accounts = Accounts(
        store,
        ledger,
        public_url=config.public_url,
        holder_domain=config.holder_domain,
        enrolment_seconds=config.enrolment_seconds,
        now_ms=now_ms,
    )
    app = create_api(
        "issuer",
        version("tegata"),
        title="Tegata issuer",
        description="Resident credentials by OpenID4VCI 1.0, and holders' accounts.",
        max_body_bytes=MAX_BODY_BYTES,
        security_schemes={
            "operator_token": SecurityScheme(type="http", scheme="bearer"),
            "access_token": SecurityScheme(type="http", scheme="bearer"),
        },
    )
    metadata = build_metadata(config, public_key, encryption_key, configurations)
    register_protocol_errors(app)
    register_ledger_unavailable(
        app,
        TransportError,
        QueryFailedError,
        TransactionFailedError,
        title="The ledger cannot be asked now, or refuses this issuer",
        detail="Nothing was used up. Send the same again in a moment; if this lasts, tell the "
        "issuer's operator.",
    )
    add_metadata_routes(
        app,
        issuer=metadata,
        server=build_server_metadata(config, configurations),
        sign=metadata_signer(config, metadata, now_ms),
        keys=build_key_metadata(config.public_url, (public_key,)),
    )
    add_status_routes(app, status_lists=status_lists)
    add_token_routes(
        app,
        Tokens(
            offers=offers,
            authorizations=authorizations,
            renewals=renewals,
            refresh_tokens=refresh_tokens,
            clients=clients,
            dpop=dpop,
        ),
    )
    add_push_routes(app, authorizations=authorizations, clients=clients, dpop=dpop)
    limiter = RateLimiter(store.counts)
    pages = create_pages(app, config, session_key=session_key, limiter=limiter, now_ms=now_ms)
    add_authorization_pages(
        app,
        pages,
        authorizations,
        name=config.display_name,
        is_push_required=config.haip,
    )
    add_credential_routes(
        app,
        offers=offers,
        issuance=issuance,
        messages=MessageReader(encryption_key, encryption_required=config.encryption_required),
        dpop=dpop,
    )
    waci = None
    if config.waci:
        seed = decode_base64url(str(export_private_jwk(nonce_key)["d"]))
        waci = WaciIssuing(offers, issuance, issuer_url=config.public_url, key=agreement_key(seed))
        add_waci_routes(app, waci, now_ms=now_ms)
    add_account_routes(
        app,
        accounts=accounts,
        ledger_id=config.ledger.ledger_id,
        issuer_account=config.ledger.account,
    )
    token_sha256 = config.operator_token_sha256
    reviews = Reviews(store, now_ms=now_ms)
    add_offer_routes(
        app,
        token_sha256=token_sha256,
        offers=offers,
        reviews=reviews,
        accounts=accounts,
        waci=waci,
    )
    add_revocation_routes(app, token_sha256=token_sha256, revocations=revocations, store=store)
    add_approval_routes(
        app,
        token_sha256=token_sha256,
        approvals=Approvals(ledger, account=config.ledger.account),
    )
    if config.logins:
        counter = Counter(
            offers=offers,
            accounts=accounts,
            reviews=reviews,
            revocations=revocations,
            store=store,
            cards=cards,
            face_tests=face_tests,
        )
        add_counter_pages(app, pages, config, counter, cases=Cases(session_key, now_ms=now_ms))
    return app


def build_face_tests(
    config: IssuerConfig, http: HttpClient, *, now_ms: Callable[[], int]
) -> FaceTests | None:
    """Return what has holders' faces tested, where the configuration says so.

    Raises:
        ConfigError: The face service's key cannot be read.
    """
    if config.face is None:
        return None
    return FaceTests(
        FaceClient(config.face.url, http),
        load_trusted_keys((config.face,)),
        public_url=config.public_url,
        now_ms=now_ms,
    )


def build_status_lists(
    config: IssuerConfig,
    store: IssuerStore,
    issuer: Issuer,
    signing_key: Key | CredentialSigner,
    *,
    now_ms: Callable[[], int],
) -> StatusLists:
    """Return the issuer's status lists."""
    made = StatusLists(
        store.status_lists,
        issuer.anchor,
        public_url=config.public_url,
        signing_key=signing_key,
        entries=config.status_list_entries,
        ttl_s=config.status_ttl_seconds,
        now_ms=now_ms,
    )
    try:
        # What a crash left behind.
        made.anchor_all()
    except (TransportError, TransactionFailedError, QueryFailedError) as error:
        _log.error("status_lists_not_anchored", detail=str(error))
    return made

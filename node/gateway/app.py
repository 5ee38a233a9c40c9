"""The gateway as a process: wires the parts, serves until stopped."""

import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Final, Protocol

import structlog
from flask import Flask

from client_sdk.did.ledger_did import METHOD, DidLedger, DidTegata
from client_sdk.did.resolution import DidJwk, DidKey, DidResolver
from client_sdk.face.demand import FaceService
from client_sdk.http.client import HttpClient
from client_sdk.ledger.account_key import AccountKey
from client_sdk.verification.joint_reads import Ledger
from client_sdk.verifier import Verifier
from client_sdk.verifier.standing_client import ReceiptReader
from node.gateway.api_keys import ApiKeyStore
from node.gateway.config import GatewayConfig
from node.gateway.event_feed import EventFeed
from node.gateway.event_routes import Events
from node.gateway.event_store import EventStore
from node.gateway.gateway_store import GatewayStore
from node.gateway.issuer_trust import load_issuer_trust
from node.gateway.ledger_reader import HEADER_TIMEOUT_S, build_reader
from node.gateway.pages import add_pages
from node.gateway.presentations import Presentations
from node.gateway.receipts import GatewayLedger, Receipts
from node.gateway.request_draft import RequestDrafts
from node.gateway.request_maker import RequestMaker
from node.gateway.routes import create_routes
from node.gateway.standing_grants import StandingGrants
from node.gateway.standing_ledger import DetailLedger, RecordReader
from node.gateway.standing_routes import Standing
from node.gateway.standing_store import StandingStore
from node.gateway.store import RequestStore
from node.gateway.verifier_access import VerifierAccess
from node.gateway.verifier_profile import VerifierProfile
from node.gateway.waci import WaciVerification
from node.gateway.webhooks import WebhookSender, webhook_signer
from node.jwk_files import load_trusted_keys
from node.service_account import ServiceAccount
from node.telemetry import configure_telemetry, end_telemetry
from node.web.didcomm import agreement_key
from node.web.pages import derive_session_key
from node.web.rate_limit import Counts, RateLimiter
from node.web.server import bind, serve
from node.web.workers import run_workers

_TEND_S: Final = 5.0
"""How long what an instance held that died waits for another one."""
THREADS: Final = 8
"""How many requests are worked on at the same time, besides streams."""
LEDGER_TIMEOUT_S: Final = 10.0
"""Less than a wallet waits: it is told that the ledger did not answer."""
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.gateway")


class StandingLedger(GatewayLedger, DetailLedger, Protocol):
    """What standing grants need of a ledger: `client_sdk.ledger.client.LedgerClient` has it."""


def is_stream(path: str) -> bool:
    """Tell whether a request only waits for events."""
    return path.endswith("/events")


def now_ms() -> int:
    """Return the time: milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


def build_presentations(
    config: GatewayConfig,
    *,
    store: RequestStore,
    ledger: GatewayLedger,
    reader: Ledger | None = None,
    now_ms: Callable[[], int] = now_ms,
) -> Presentations:
    """Wire a gateway's requests to its store and its ledger.

    Args:
        config: The configuration.
        store: Where requests are kept.
        ledger: Where records and keys are read and receipts are written, as the gateway's account.
        reader: Where records and keys are read in its place.
        now_ms: The clock: milliseconds since 1970, UTC.

    Raises:
        ConfigError: A verifier's certificate or key, a face service's key, or the issuers'
            authorities cannot be used.
    """
    account, ledger_id = config.ledger.account, config.ledger.ledger_id
    profiles = _load_profiles(config)
    verifier = Verifier(
        reader or ledger,
        ledger_id,
        gateway=account,
        face_keys=load_trusted_keys(config.face_services),
        issuer_trust=load_issuer_trust(config),
        now_ms=now_ms,
    )
    return Presentations(
        store=store,
        maker=RequestMaker(
            _build_drafts(config, profiles, now_ms),
            verifier=verifier,
            encrypt_responses=config.encrypt_responses,
            haip=config.haip,
            face_services=tuple(
                FaceService(name=one.name, url=one.url) for one in config.face_services
            ),
        ),
        verifier=verifier,
        receipts=Receipts(ledger, gateway=account, ledger_id=ledger_id),
        profiles=profiles,
        public_url=config.public_url,
        result_seconds=config.result_seconds,
        now_ms=now_ms,
    )


def _load_profiles(config: GatewayConfig) -> dict[str, VerifierProfile]:
    return {
        verifier.id: VerifierProfile.load(verifier, public_url=config.public_url, haip=config.haip)
        for verifier in config.verifiers
    }


def _build_drafts(
    config: GatewayConfig, profiles: Mapping[str, VerifierProfile], now_ms: Callable[[], int]
) -> RequestDrafts:
    return RequestDrafts(
        profiles=profiles,
        public_url=config.public_url,
        gateway=config.ledger.account,
        ledger_id=config.ledger.ledger_id,
        request_seconds=config.request_seconds,
        now_ms=now_ms,
    )


def create_app(
    config: GatewayConfig,
    presentations: Presentations,
    keys: ApiKeyStore,
    *,
    waci: WaciVerification | None = None,
    standing: Standing | None = None,
    events: Events | None = None,
    resolver: DidResolver | None = None,
    session_key: bytes | None = None,
    counts: Counts | None = None,
    now_ms: Callable[[], int] = now_ms,
) -> Flask:
    """Make the gateway's application.

    Args:
        config: The configuration.
        presentations: The requests and their answers.
        keys: The verifiers' API keys.
        waci: The requests as WACI's; None where they are not.
        standing: The standing grants; None where there are none.
        events: What tells verifiers of events; None where nothing does.
        resolver: What resolves DIDs for anybody; None where nothing does.
        session_key: What the sessions of its pages are signed with; None where it has no pages.
        counts: Where calls are counted; in the memory of this process where it is left out.
        now_ms: The clock: milliseconds since 1970, UTC.
    """
    limiter = RateLimiter(counts)
    access = VerifierAccess(
        keys,
        verifiers=[verifier.id for verifier in config.verifiers],
        limiter=limiter,
        rate=config.verifier_rate,
        now_ms=now_ms,
    )
    app = create_routes(
        presentations,
        access,
        limiter=limiter,
        wallet_rate=config.wallet_rate,
        waci=waci,
        standing=standing,
        events=events,
        resolver=resolver,
        now_ms=now_ms,
    )
    if config.logins and session_key is not None:
        add_pages(
            app,
            config,
            presentations,
            keys,
            events=events,
            session_key=session_key,
            limiter=limiter,
            now_ms=now_ms,
        )
    return app


def build_resolver(config: GatewayConfig, *, ledger: DidLedger) -> DidResolver:
    """Return what resolves the DIDs of accounts, and those that spell out their keys.

    Not `did:web`: strangers would choose what this machine fetches.
    """
    method = DidTegata(ledger, config.ledger.ledger_id)
    return DidResolver({METHOD: method, "key": DidKey(), "jwk": DidJwk()})


def build_events(config: GatewayConfig, *, store: EventStore, seed: bytes) -> Events:
    """Return what tells a gateway's verifiers of events.

    Args:
        config: The configuration.
        store: The events.
        seed: Of the gateway's account, from which the key of webhooks is derived.
    """
    feed = EventFeed(store, most=config.max_streams)
    return Events(store=store, feed=feed, signer=webhook_signer(seed))


def build_standing(
    config: GatewayConfig,
    *,
    store: StandingStore,
    ledger: StandingLedger,
    reader: ReceiptReader | None = None,
    now_ms: Callable[[], int] = now_ms,
) -> Standing:
    """Wire a gateway's standing grants to their store and the ledger.

    Args:
        config: The configuration.
        store: Where requests and deposits are kept.
        ledger: Where records and keys are read and receipts are written, as the gateway's account.
        reader: Where grants, keys and receipts are read in its place; verifiers are passed on what
            `ledger` says.
        now_ms: The clock: milliseconds since 1970, UTC.

    Raises:
        ConfigError: A verifier's certificate or key cannot be used.
    """
    account, ledger_id = config.ledger.account, config.ledger.ledger_id
    grants = StandingGrants(
        store=store,
        drafts=_build_drafts(config, _load_profiles(config), now_ms),
        ledger=reader or ledger,
        receipts=Receipts(ledger, gateway=account, ledger_id=ledger_id),
        public_url=config.public_url,
        gateway=account,
        ledger_id=ledger_id,
        now_ms=now_ms,
    )
    return Standing(grants=grants, records=RecordReader(ledger))


def build_waci(
    config: GatewayConfig, presentations: Presentations, key: AccountKey
) -> WaciVerification | None:
    """Return a gateway's requests as WACI's, where the configuration says so.

    Args:
        config: The configuration.
        presentations: The requests and their answers.
        key: The gateway's account's key, from which that of the messages is derived.
    """
    if not config.waci:
        return None
    return WaciVerification(
        presentations, public_url=config.public_url, key=agreement_key(key.seed)
    )


def run_gateway(config: GatewayConfig) -> None:
    """Serve until SIGTERM or SIGINT. Values whose time is over are deleted meanwhile.

    Raises:
        ConfigError: The configuration, a key or the address cannot be used.
        StorageError: The database cannot be used.
    """
    account = ServiceAccount(config.ledger)
    listener = bind(config.listen)
    if config.workers == 1:
        _run_process(config, account, listener)
        return
    # The tables are made once, before several processes would.
    GatewayStore(config.database_url).close()
    run_workers(config.workers, lambda: _run_process(config, account, listener))


def _run_process(
    config: GatewayConfig,
    account: ServiceAccount,
    listener: socket.socket,
) -> None:
    """Serve in this process until SIGTERM or SIGINT."""
    # Here, since each worker has a thread of its own that sends spans.
    configure_telemetry("gateway")
    store = GatewayStore(config.database_url)
    key = account.key
    events = build_events(config, store=store.events, seed=key.seed)
    sender = WebhookSender(
        store.events, events.signer, to_this_machine=config.webhooks_to_this_machine
    )
    stopped = threading.Event()
    with (
        closing(HttpClient(timeout_s=HEADER_TIMEOUT_S, retries=0)) as http,
        account.connect(timeout_s=LEDGER_TIMEOUT_S) as ledger,
    ):
        proven = build_reader(config, ledger, http)
        presentations = build_presentations(
            config, store=store.requests, ledger=ledger, reader=proven
        )
        waci = build_waci(config, presentations, key)
        standing = build_standing(config, store=store.standing, ledger=ledger, reader=proven)

        def tend() -> None:
            standing.grants.tend()
            store.counts.purge(now_ms() // 1000)
            # Last: it waits for the ledger.
            presentations.tend()

        app = create_app(
            config,
            presentations,
            store.keys,
            waci=waci,
            standing=standing,
            events=events,
            resolver=build_resolver(config, ledger=ledger),
            session_key=derive_session_key(key.seed, service="gateway"),
            counts=store.counts,
        )
        workers = [
            threading.Thread(target=purge_until, args=(stopped, tend), name="purge"),
            threading.Thread(target=sender.run, args=(stopped,), name="webhooks"),
        ]
        for worker in workers:
            worker.start()
        try:
            serve(
                app,
                config.listen,
                service="gateway",
                metrics=config.metrics,
                threads=THREADS,
                streams=config.max_streams,
                is_stream=is_stream,
                trusted_proxy=config.trusted_proxy,
                on_stop=events.feed.stop,
                listener=listener,
            )
        finally:
            stopped.set()
            for worker in workers:
                worker.join()
            store.close()
            end_telemetry()


def purge_until(
    stopped: threading.Event, purge: Callable[[], object], *, interval_s: float = _TEND_S
) -> None:
    """Call `purge` now and then again until `stopped`; where it fails it is tried again."""
    while True:
        try:
            purge()
        except Exception as error:  # noqa: BLE001 - else nothing would ever be deleted again
            _log.error("purge_failed", error=type(error).__name__)
        if stopped.wait(interval_s):
            return

"""The escrow agent as a process: wires the parts, serves until stopped."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from client_sdk.credentials.jose import Key, export_public_jwk, thumbprint
from client_sdk.errors import QueryFailedError, TransportError
from client_sdk.frost.keys import KeyShare
from node.errors import ConfigError, StorageError
from node.escrow.callers import CallerDesk
from node.escrow.config import EscrowConfig, RecoveryKey
from node.escrow.deposits import Deposits
from node.escrow.evaluations import Evaluations
from node.escrow.recovery_ledger import RecoveryLedger
from node.escrow.recovery_routes import add_recovery_routes
from node.escrow.recovery_signing import RecoverySigning
from node.escrow.routes import AgentDescription, create_routes
from node.escrow.sealing import StoreSealer
from node.escrow.store import EscrowStore
from node.jwk_files import load_signing_key, load_trusted_keys
from node.service_account import ServiceAccount
from node.threshold.share_file import load_share
from node.web.nonce import NonceSealer
from node.web.server import serve

_PURGE_S: Final = 15.0
LEDGER_TIMEOUT_S: Final = 5.0
"""Less than a wallet waits: it is told that the ledger did not answer."""
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.escrow")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryParts:
    """With what an agent signs recoveries.

    Attributes:
        escrow_account: The account whose key the agents share.
        share: This agent's share.
        ledger: A client that may read accounts.
    """

    escrow_account: str
    share: KeyShare
    ledger: RecoveryLedger


def create_app(
    config: EscrowConfig,
    *,
    store: EscrowStore,
    signing_key: Key,
    recovery: RecoveryParts | None = None,
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
) -> tuple[Flask, Deposits]:
    """Make the agent's application, and the deposits that are to be purged now and then.

    Args:
        config: The configuration.
        store: Where deposits are kept.
        signing_key: The agent's private key.
        recovery: With what it signs recoveries; None where it does not.
        now_ms: The clock: milliseconds since 1970, UTC.

    Raises:
        ConfigError: The key of one who is trusted cannot be read.
    """
    policy = config.guessing.policy
    sealer = StoreSealer(signing_key)
    desk = CallerDesk(
        NonceSealer(signing_key, service="escrow"),
        public_url=config.public_url,
        issuer_keys=load_trusted_keys(config.issuers),
        now_ms=now_ms,
    )
    deposits = Deposits(
        store,
        signing_key=signing_key,
        desk=desk,
        sealer=sealer,
        policy=policy,
        withdrawal_delay_ms=config.withdrawal_delay_seconds * 1000,
        max_deposits=config.max_deposits,
        now_ms=now_ms,
    )
    evaluations = Evaluations(
        store,
        agent_key=thumbprint(signing_key),
        desk=desk,
        sealer=sealer,
        policy=policy,
        face_required=config.face_required,
        face_keys=load_trusted_keys(config.face_services),
        now_ms=now_ms,
    )
    description = AgentDescription(
        name=config.name,
        verification_key={
            name: str(value) for name, value in export_public_jwk(signing_key).items()
        },
        budget=policy.budget,
        unaided=policy.unaided,
        face_required=config.face_required,
        withdrawal_delay_seconds=config.withdrawal_delay_seconds,
        issuers=[issuer.name for issuer in config.issuers],
        face_services=[service.url for service in config.face_services if service.url],
    )
    app = create_routes(description, desk=desk, deposits=deposits, evaluations=evaluations)
    if recovery is not None:
        account, share = recovery.escrow_account, recovery.share
        add_recovery_routes(
            app,
            RecoverySigning(
                store, desk, recovery.ledger, share, escrow_account=account, now_ms=now_ms
            ),
            desk,
            group=share.group,
            identifier=share.identifier,
            escrow_account=account,
        )
    return app, deposits


def run_escrow(config: EscrowConfig) -> None:
    """Serve until SIGTERM or SIGINT. Withdrawals that are due are done meanwhile.

    Raises:
        ConfigError: The configuration, a key or the address cannot be used.
        StorageError: The database cannot be used.
    """
    signing_key = load_signing_key(config.signing_key_file)
    with ExitStack() as resources:
        recovery = _open_recovery(config.recovery, resources) if config.recovery else None
        _serve_until_stopped(config, signing_key, recovery)


def _open_recovery(config: RecoveryKey, resources: ExitStack) -> RecoveryParts:
    share = load_share(config.share_file)
    resources.callback(share.wipe)
    access = config.ledger
    account = ServiceAccount(access, table="recovery.ledger")
    ledger = resources.enter_context(account.connect(timeout_s=LEDGER_TIMEOUT_S))
    try:
        found = ledger.ledger_id()
    except (TransportError, QueryFailedError) as error:
        _log.warning("ledger_not_checked", detail=str(error))
    else:
        if found != access.ledger_id:
            raise ConfigError(
                f"recovery.ledger.ledger_id: the node at {access.address} belongs to {found}"
            )
    return RecoveryParts(escrow_account=config.escrow_account, share=share, ledger=ledger)


def _serve_until_stopped(
    config: EscrowConfig, signing_key: Key, recovery: RecoveryParts | None
) -> None:
    store = EscrowStore(config.database_url)
    app, deposits = create_app(config, store=store, signing_key=signing_key, recovery=recovery)
    stopped = threading.Event()

    def purge() -> None:
        while not stopped.wait(_PURGE_S):
            try:
                deposits.purge()
            except (SQLAlchemyError, StorageError) as error:
                _log.error("purge_failed", error=type(error).__name__)

    purger = threading.Thread(target=purge, name="purge")
    purger.start()
    try:
        serve(app, config.listen, service="escrow", metrics=config.metrics)
    finally:
        stopped.set()
        purger.join()
        store.close()

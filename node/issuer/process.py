"""The issuer's service as a process: looks at its ledger, then serves until stopped."""

import threading
import time
from typing import Final

import structlog

from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.records import IssuerRecord
from client_sdk.credentials.jose import Key, export_public_jwk, key_from_seed, thumbprint
from client_sdk.credentials.sd_jwt_vc import public_key_of
from client_sdk.errors import QueryFailedError, TransportError
from client_sdk.ledger.client import LedgerClient
from node.errors import ConfigError, StorageError
from node.issuer.app import create_app
from node.issuer.config import IssuerConfig, load_signer
from node.issuer.store import IssuerStore
from node.service_account import ServiceAccount
from node.web.pages import derive_session_key
from node.web.server import serve

_PURGE_S: Final = 15.0
LEDGER_TIMEOUT_S: Final = 10.0
"""Less than a wallet waits: it is told that the ledger did not answer."""
_CHECK_S: Final = 5.0
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.issuer")


def check_ledger(config: IssuerConfig, ledger: LedgerClient, signing_key: Key) -> None:
    """Compare the configuration with the ledger, so that no credential is issued in vain.

    A ledger that cannot be reached now, or an issuer that is not in the registry, is logged only:
    what was issued before can still be revoked.

    Raises:
        ConfigError: The node belongs to another ledger than the configuration names.
    """
    try:
        found = ledger.ledger_id()
        record = ledger.record(REGISTRY_ACCOUNT, config.issuer_record, IssuerRecord)
    except (TransportError, QueryFailedError) as error:
        _log.warning("ledger_not_checked", detail=str(error))
        return
    if found != config.ledger.ledger_id:
        raise ConfigError(
            f"ledger.ledger_id: the node at {config.ledger.address} belongs to ledger {found}"
        )
    public_key = export_public_jwk(signing_key)
    if record is None or record.issuer != config.ledger.account or record.state != "active":
        _log.warning("issuer_not_registered", issuer_record=config.issuer_record)
    elif public_key not in [{name: key.get(name) for name in public_key} for key in record.keys]:
        _log.warning("signing_key_not_registered", kid=thumbprint(signing_key))


def run_issuer(config: IssuerConfig) -> None:
    """Serve until SIGTERM or SIGINT. What has expired is deleted meanwhile.

    Raises:
        ConfigError: The configuration, a key or the address cannot be used.
        StorageError: The database cannot be used.
    """
    signing_key = load_signer(config)
    account = ServiceAccount(config.ledger)
    store = IssuerStore(config.database_url)
    stopped = threading.Event()

    def purge() -> None:
        while not stopped.wait(_PURGE_S):
            try:
                store.purge(time.time_ns() // 1_000_000)
            except StorageError as error:
                _log.error("purge_failed", detail=str(error))

    with account.connect(timeout_s=_CHECK_S) as hasty:
        check_ledger(config, hasty, public_key_of(signing_key))
    with account.connect(timeout_s=LEDGER_TIMEOUT_S) as ledger:
        app = create_app(
            config,
            store=store,
            ledger=ledger,
            signing_key=signing_key,
            # The same in every instance, also where authorities have the signing key.
            nonce_key=key_from_seed(account.key.seed),
            session_key=derive_session_key(account.key.seed, service="issuer"),
        )
        purger = threading.Thread(target=purge, name="purge")
        purger.start()
        try:
            serve(
                app,
                config.listen,
                service="issuer",
                metrics=config.metrics,
                trusted_proxy=config.trusted_proxy,
            )
        finally:
            stopped.set()
            purger.join()
            store.close()

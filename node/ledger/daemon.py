"""The ledger process: puts its parts together, runs until it is told to stop."""

import signal
import time
from contextlib import ExitStack
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType, TracebackType
from typing import Final, Self

import structlog

from chaincode.protocol.block_pb2 import Block
from chaincode.stateless import TimeWindow
from chaincode.transactions import block_hash
from client_sdk.ledger.account_key import AccountKey
from node.config import load_config
from node.errors import ConfigError
from node.ledger.commit_notices import CommitNotices
from node.ledger.config import FILE_NAME, NodeConfig
from node.ledger.engine import Engine, voting_peers
from node.ledger.genesis import load_genesis
from node.ledger.health import NodeHealth
from node.ledger.migration import check_import_is_whole
from node.ledger.monitoring import BackgroundWebServer, LedgerCollector, health_app, metrics_app
from node.ledger.orderer import EmbeddedOrderer
from node.ledger.peer_service import PeerServer
from node.ledger.signature_collector import SignatureCollector
from node.ledger.statuses import StatusBoard
from node.ledger.stores import LedgerStores
from node.ledger.torii import ToriiServer
from node.ledger.torii_parts import ToriiParts

_SIGNAL_CHECK_S: Final = 0.5
_log = structlog.get_logger(__name__)


def now_ms() -> int:
    """Return the machine's clock: milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


class LedgerNode:
    """A ledger node. Use it as a context: on leaving, all that was taken is written."""

    def __init__(self, config: NodeConfig, key: AccountKey, genesis: Block | None) -> None:
        """Open the stores, replay what the state has not seen, and bind the addresses.

        Args:
            config: The configuration; its `genesis` and `private_key` are not read here.
            key: The peer's key.
            genesis: The block that the chain begins with; None where it has begun.

        Raises:
            ConfigError: An address or a file that the configuration names cannot be used.
            StorageError: A store is damaged.
            InvalidBlockError: The chain on disk does not follow from itself.
        """
        # Unlike an event or a lock, this queue may be used by a signal handler at any moment.
        self._ends: SimpleQueue[Exception | None] = SimpleQueue()
        with ExitStack() as opened:
            stores = opened.enter_context(LedgerStores(config.data))
            check_import_is_whole(stores)
            self.ledger_id = begin_chain(stores, genesis)
            _check_key(stores, key)
            self._connect_parts(config, key, stores)
            self._opened = opened.pop_all()
        self.address = self._torii.address
        tip = stores.tip()
        _log.info(
            "ledger opened",
            height=tip.height,
            root=tip.root.hex(),
            replayed_blocks=stores.replayed_blocks,
        )

    @classmethod
    def in_folder(cls, folder: Path) -> Self:
        """Return the node whose `node.toml` is in a folder.

        Raises:
            ConfigError: `node.toml` or a file that it names cannot be used.
            KeyFormatError: The private key's file is no keypair.
            StorageError: A store is damaged.
            InvalidBlockError: The chain on disk does not follow from itself.
        """
        config = load_config(folder / FILE_NAME, NodeConfig)
        key = AccountKey.load(config.private_key)
        return cls(config, key, load_genesis(config.genesis))

    def _connect_parts(self, config: NodeConfig, key: AccountKey, stores: LedgerStores) -> None:
        statuses = StatusBoard()
        self._stores = stores
        engine = Engine(
            stores.blocks, stores.state, key, max_batch_transactions=config.max_proposal_size
        )
        commits = CommitNotices(stores.tip().height)
        collector = SignatureCollector(
            stores.state, stores.pending, config.mst_expiration_minutes * 60 * 1000
        )
        self._orderer = EmbeddedOrderer(
            engine, collector, statuses, commits, now_ms=now_ms, on_failure=self._fail
        )
        self._collector = collector
        max_past_ms = config.max_past_created_hours * 60 * 60 * 1000
        self._torii = ToriiServer(
            ToriiParts(
                engine=engine,
                orderer=self._orderer,
                state=stores.state,
                statuses=statuses,
                commits=commits,
                pending=collector,
                window=lambda: TimeWindow(now_ms=now_ms(), max_past_ms=max_past_ms),
                health=self._health,
            ),
            config.torii,
            config.torii_tls,
        )
        self._peers = None if config.internal is None else PeerServer(stores.state, config.internal)
        self._monitors = dict(self._bind_monitors(config))

    def _bind_monitors(self, config: NodeConfig) -> list[tuple[str, BackgroundWebServer]]:
        collector = LedgerCollector(
            self._stores.state,
            health=self._health,
            waiting_transactions=self._orderer.count_waiting,
            pending=self._collector.counts,
        )
        apps = {
            "health": (config.health, health_app(self._health)),
            "metrics": (config.metrics, metrics_app(collector)),
        }
        return [
            (name, BackgroundWebServer(app, address, name=name))
            for name, (address, app) in apps.items()
            if address is not None
        ]

    def _health(self) -> NodeHealth:
        return NodeHealth(height=self._stores.tip().height)

    def __enter__(self) -> Self:
        self._orderer.start()
        self._torii.start()
        if self._peers is not None:
            self._peers.start()
        for monitor in self._monitors.values():
            monitor.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # What was taken is decided while its senders still listen.
        self._orderer.stop()
        self._torii.stop()
        if self._peers is not None:
            self._peers.stop()
        for monitor in self._monitors.values():
            monitor.stop()
        self._opened.close()
        _log.info("ledger node stopped")

    def run(self) -> None:
        """Wait for SIGTERM or SIGINT.

        Raises:
            StorageError: The disk refused a block; nothing was told to be committed that is not.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        addresses = {f"{name}_address": monitor.address for name, monitor in self._monitors.items()}
        if self._torii.tls_address is not None:
            addresses["tls_address"] = self._torii.tls_address
        if self._peers is not None:
            addresses["internal_address"] = self._peers.address
        # Whoever reads this line may send the signal.
        _log.info("ledger node ready", address=self.address, ledger_id=self.ledger_id, **addresses)
        if (failure := self._wait_for_end()) is not None:
            raise failure

    def _wait_for_end(self) -> Exception | None:
        while True:
            try:
                return self._ends.get(timeout=_SIGNAL_CHECK_S)
            except Empty:
                # A signal that came just before the wait began does not end it: its handler runs
                # now.
                continue

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._ends.put(None)

    def _fail(self, failure: Exception) -> None:
        self._ends.put(failure)


def begin_chain(stores: LedgerStores, genesis: Block | None) -> str:
    """Write the genesis block to an empty chain, or check that the chain began with it.

    Returns:
        The ledger's id, 64 hex digits.

    Raises:
        ConfigError: The chain began with another block, or it is empty and there is none.
        InvalidBlockError: The block cannot be applied.
    """
    ledger_id = stores.ledger_id()
    if genesis is None:
        if ledger_id is None:
            raise ConfigError("the ledger is empty: a genesis block is needed to begin it")
        return ledger_id
    if ledger_id is None:
        stores.append(genesis)
    elif ledger_id != block_hash(genesis).hex():
        raise ConfigError("the ledger on disk began with another genesis block")
    return block_hash(genesis).hex()


def _check_key(stores: LedgerStores, key: AccountKey) -> None:
    """Check that blocks which this key alone signs will be accepted when they are replayed."""
    with stores.state.snapshot() as view:
        if voting_peers(view) != {key.public_key}:
            raise ConfigError(
                f"key {key.public_key}: a node that orders alone must be the only voting peer of "
                "its ledger, and this is not that peer's key"
            )

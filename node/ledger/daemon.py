"""The ledger process: puts its parts together, runs until it is told to stop."""

import gc
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Final, Self

import structlog

from chaincode.protocol.block_pb2 import Block
from chaincode.stateless import TimeWindow
from chaincode.transactions import block_hash
from chaincode.world_state import get_peers, get_voters
from client_sdk.ledger.account_key import AccountKey
from node.config import load_config
from node.errors import ConfigError
from node.ledger.abci.assembly import connect
from node.ledger.abci.replicated_ledger import ReplicatedLedger
from node.ledger.abci.replicated_orderer import ReplicatedOrderer
from node.ledger.commit_notices import CommitNotices
from node.ledger.config import FILE_NAME, NodeConfig
from node.ledger.engine import Engine
from node.ledger.evm import check_engine
from node.ledger.follower import Follower, PendingElsewhere
from node.ledger.genesis import load_genesis
from node.ledger.health import NodeHealth
from node.ledger.migration import check_import_is_whole
from node.ledger.monitoring import LedgerCollector, health_app, metrics_app
from node.ledger.orderer import EmbeddedOrderer
from node.ledger.peer_service import PeerServer
from node.ledger.quarantine import QUARANTINE_NAME, Quarantine
from node.ledger.signature_collector import SignatureCollector
from node.ledger.stages import Stages
from node.ledger.statuses import StatusBoard
from node.ledger.stores import LedgerStores
from node.ledger.torii import ToriiServer
from node.ledger.torii_parts import ToriiParts
from node.web.server import BackgroundWebServer, open_many_files

_SIGNAL_CHECK_S: Final = 0.5
_GC_THRESHOLDS: Final = (50_000, 20, 100)
_log = structlog.get_logger(__name__)


def now_ms() -> int:
    """Return the machine's clock: milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


class LedgerNode:
    """A ledger node. Use it as a context: on leaving, all that was taken is written.

    Attributes:
        ledger_id: The hash of the genesis block, 64 hex digits.
        address: `host:port` where clients connect.
        addresses: The others that are bound: of `tls`, `internal`, `health`, `metrics`, each under
            its name with `_address`.
    """

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
            is_replicated = config.cometbft is not None
            stores = LedgerStores(config.data, is_replicated=is_replicated)
            self._stores = opened.enter_context(stores)
            check_import_is_whole(self._stores)
            self.ledger_id = begin_chain(self._stores, genesis)
            with self._stores.state.snapshot() as view:
                check_engine(view)
            self._connect_parts(config, key)
            self._opened = opened.pop_all()
        self.address = self._torii.address
        tip = self._stores.tip()
        _log.info(
            "ledger opened",
            height=tip.height,
            root=tip.root.hex(),
            replayed_blocks=self._stores.replayed_blocks,
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

    def _connect_parts(self, config: NodeConfig, key: AccountKey) -> None:
        stores = self._stores
        statuses = StatusBoard()
        commits = CommitNotices(stores.tip().height)
        stages = Stages()
        engine = Engine(
            stores.blocks,
            stores.state,
            key,
            max_batch_transactions=config.max_proposal_size,
            quarantine=Quarantine(config.data / QUARANTINE_NAME),
            stages=stages,
            is_replicated=config.cometbft is not None,
        )
        self._orderer: EmbeddedOrderer | Follower | ReplicatedOrderer
        pending: SignatureCollector | PendingElsewhere | ReplicatedLedger
        if config.cometbft is not None:
            pending, self._orderer = connect(
                config,
                stores,
                engine,
                signer=key,
                statuses=statuses,
                commits=commits,
                now_ms=now_ms,
                on_failure=self._fail,
            )
        elif config.follow is None:
            _check_orders_alone(stores, key)
            expiration_ms = config.mst_expiration_minutes * 60 * 1000
            pending = SignatureCollector(stores.state, stores.pending, expiration_ms)
            self._orderer = EmbeddedOrderer(
                engine,
                pending,
                statuses,
                commits,
                now_ms=now_ms,
                on_failure=self._fail,
                stages=stages,
            )
        else:
            pending = PendingElsewhere()
            addresses = config.follow or _peer_addresses(stores, key)
            self._orderer = Follower(stores, statuses, commits, addresses, on_failure=self._fail)
        max_past_ms = config.max_past_created_hours * 60 * 60 * 1000
        parts = ToriiParts(
            engine=engine,
            orderer=self._orderer,
            state=stores.state,
            statuses=statuses,
            commits=commits,
            pending=pending,
            window=lambda: TimeWindow(now_ms=now_ms(), max_past_ms=max_past_ms),
            health=self._health,
            signer=key,
        )
        collector = LedgerCollector(
            stores.state,
            health=self._health,
            waiting_transactions=self._orderer.count_waiting,
            pending=pending.counts,
            stages=stages,
        )
        self._bind(config, parts, collector)

    def _bind(self, config: NodeConfig, parts: ToriiParts, collector: LedgerCollector) -> None:
        """Bind all addresses that the configuration names."""
        self._torii = ToriiServer(parts, config.torii, config.torii_tls)
        self._servers: list[ToriiServer | PeerServer | BackgroundWebServer] = [self._torii]
        self.addresses: dict[str, str] = {}
        if self._torii.tls_address is not None:
            self.addresses["tls_address"] = self._torii.tls_address
        if config.internal is not None:
            self._add_server("internal", PeerServer(parts, config.internal))
        if config.health is not None:
            app = health_app(self._health)
            self._add_server("health", BackgroundWebServer(app, config.health, name="health"))
        if config.metrics is not None:
            app = metrics_app(collector)
            self._add_server("metrics", BackgroundWebServer(app, config.metrics, name="metrics"))

    def _add_server(self, name: str, server: PeerServer | BackgroundWebServer) -> None:
        self._servers.append(server)
        self.addresses[f"{name}_address"] = server.address

    def _health(self) -> NodeHealth:
        return self._orderer.health(self._stores.tip().height)

    def __enter__(self) -> Self:
        open_many_files()
        self._orderer.start()
        for server in self._servers:
            server.start()
        return self

    def __exit__(self, *_: object) -> None:
        # What was taken is decided while its senders still listen.
        self._orderer.stop()
        for server in self._servers:
            server.stop()
        self._opened.close()
        _log.info("ledger node stopped")

    def run(self) -> None:
        """Wait for SIGTERM or SIGINT.

        Raises:
            StorageError: The disk refused a block; nothing was told to be committed that is not.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        # What is there stays, and hardly anything that comes makes cycles: by default the collector
        # would take a tenth of the time under load, in pauses.
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLDS)
        # Whoever reads this line may send the signal.
        _log.info(
            "ledger node ready", address=self.address, ledger_id=self.ledger_id, **self.addresses
        )
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


def _check_orders_alone(stores: LedgerStores, key: AccountKey) -> None:
    """Check that blocks which this key alone signs will be accepted when they are replayed."""
    with stores.state.snapshot() as view:
        if get_voters(view) != {key.public_key}:
            raise ConfigError(
                f"key {key.public_key}: a node that orders alone must be the only voting peer of "
                "its ledger, and this is not that peer's key"
            )


def _peer_addresses(stores: LedgerStores, key: AccountKey) -> tuple[str, ...]:
    """Return where the ledger's own peers can be followed."""
    with stores.state.snapshot() as view:
        peers = get_peers(view)
    addresses = tuple(
        peer.address for peer in peers if not peer.syncing_peer and peer.peer_key != key.public_key
    )
    if not addresses:
        raise ConfigError("the ledger names no other voting peer: say in `follow` whom to follow")
    return addresses

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
from node.errors import ConfigError, StorageError
from node.ledger.block_store import BlockStore
from node.ledger.config import FILE_NAME, NodeConfig
from node.ledger.engine import Engine, recover, replay, voting_peers
from node.ledger.genesis import load_genesis
from node.ledger.orderer import EmbeddedOrderer
from node.ledger.state_store import StateStore
from node.ledger.statuses import StatusBoard
from node.ledger.torii import ToriiParts, ToriiServer

_SIGNAL_CHECK_S: Final = 0.5
_log = structlog.get_logger(__name__)


def now_ms() -> int:
    """Return the machine's clock: milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


class LedgerNode:
    """An embedded ledger node. Use it as a context: on leaving, all that was taken is written."""

    def __init__(self, folder: Path) -> None:
        """Open the stores, replay what the state has not seen, and bind the address.

        Raises:
            ConfigError: `node.toml` or a file that it names cannot be used.
            KeyFormatError: The private key's file is no keypair.
            StorageError: A store is damaged.
            InvalidBlockError: The chain on disk does not follow from itself.
        """
        # Unlike an event or a lock, this queue may be used by a signal handler at any moment.
        self._ends: SimpleQueue[Exception | None] = SimpleQueue()
        config = load_config(folder / FILE_NAME, NodeConfig)
        key = AccountKey.load(config.private_key)
        genesis = load_genesis(config.genesis)
        with ExitStack() as opened:
            self._open_stores(config.data, opened)
            replayed = recover(self._blocks, self._state)
            self._engine = Engine(
                self._blocks,
                self._state,
                key,
                max_batch_transactions=config.max_proposal_size,
            )
            self._begin_chain(genesis, config.genesis)
            self._check_key(key, config.private_key)
            self._connect_parts(config)
            self._opened = opened.pop_all()
        self.ledger_id = block_hash(genesis).hex()
        self.address = self._torii.address
        tip = self._engine.tip()
        _log.info("ledger opened", height=tip.height, root=tip.root.hex(), replayed_blocks=replayed)

    def _open_stores(self, data: Path, opened: ExitStack) -> None:
        try:
            data.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{data}: cannot be made: {error.strerror}") from None
        self._blocks = BlockStore(data / "blocks")
        opened.callback(self._blocks.close)
        self._state = StateStore(data / "state.sqlite", self._blocks)
        opened.callback(self._state.close)

    def _connect_parts(self, config: NodeConfig) -> None:
        statuses = StatusBoard()
        self._orderer = EmbeddedOrderer(
            self._engine, statuses, now_ms=now_ms, on_failure=self._fail
        )
        max_past_ms = config.max_past_created_hours * 60 * 60 * 1000
        self._torii = ToriiServer(
            ToriiParts(
                engine=self._engine,
                orderer=self._orderer,
                state=self._state,
                statuses=statuses,
                window=lambda: TimeWindow(now_ms=now_ms(), max_past_ms=max_past_ms),
            ),
            config.torii,
        )

    def __enter__(self) -> Self:
        self._orderer.start()
        self._torii.start()
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
        self._opened.close()
        _log.info("ledger node stopped")

    def run(self) -> None:
        """Wait for SIGTERM or SIGINT.

        Raises:
            StorageError: The disk refused a block; nothing was told to be committed that is not.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        # Whoever reads this line may send the signal.
        _log.info("ledger node ready", address=self.address, ledger_id=self.ledger_id)
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

    def _begin_chain(self, genesis: Block, genesis_file: Path) -> None:
        """Write the genesis block to an empty chain, or check that the chain began with it."""
        with self._state.snapshot() as view:
            first = view.block_at(1)
            if first is None:
                self._engine.commit(replay(view, view.tip(), genesis))
            elif block_hash(first) != block_hash(genesis):
                raise ConfigError(
                    f"{genesis_file}: the ledger on disk began with another genesis block"
                )

    def _check_key(self, key: AccountKey, private_key_file: Path) -> None:
        """Check that blocks which this key alone signs will be accepted when they are replayed."""
        with self._state.snapshot() as view:
            if voting_peers(view) != {key.public_key}:
                raise ConfigError(
                    f"{private_key_file}: a node that orders alone must be the only voting peer of "
                    "its ledger, and this is not that peer's key"
                )

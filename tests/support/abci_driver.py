"""Drives a peer's application as CometBFT does, in the test's own process."""

import itertools
from collections.abc import Sequence
from pathlib import Path

from support.memory_ledger import sign_transaction

from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.endpoint_pb2 import TxList
from chaincode.protocol.primitive_pb2 import Peer
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.replication import chain_id
from chaincode.stateless import TimeWindow
from chaincode.transactions import block_hash
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import add_signatory, set_account_detail, set_account_quorum
from node.ledger.abci.abci_pb2 import (
    RECHECK,
    Request,
    ResponseFinalizeBlock,
    ResponseInitChain,
    Snapshot,
)
from node.ledger.abci.application import Application
from node.ledger.abci.pool_gate import PoolGate
from node.ledger.abci.replicated_ledger import ReplicatedLedger
from node.ledger.abci.snapshot_pb2 import SnapshotManifest
from node.ledger.abci.snapshot_restore import SnapshotRestore
from node.ledger.abci.snapshot_writer import SnapshotWriter
from node.ledger.abci.state_sync import StateSync
from node.ledger.commit_notices import CommitNotices
from node.ledger.daemon import begin_chain
from node.ledger.engine import Engine
from node.ledger.genesis import ADMIN_ACCOUNT, build_genesis
from node.ledger.statuses import StatusBoard
from node.ledger.stores import RESTORING_NAME, LedgerStores

START_MS = 1_800_000_000_000
HOUR_MS = 60 * 60 * 1000
PEER_KEY, ADMIN_KEY, REGISTRY_KEY, SECOND_KEY, STRANGER_KEY = (
    AccountKey(bytes([number]) * 32) for number in range(1, 6)
)
GENESIS: Block = build_genesis(
    peers=[Peer(address="127.0.0.1:10001", peer_key=PEER_KEY.public_key)],
    admin_key=ADMIN_KEY.public_key,
    registry_key=REGISTRY_KEY.public_key,
    created_time_ms=START_MS,
)
CHAIN_ID = chain_id(block_hash(GENESIS).hex())


class AbciDriver:
    """One peer. Use `close`, also before the same folder is opened again.

    Attributes:
        stores: Its files.
        ledger: What CometBFT drives.
        application: What answers it.
        snapshots: Those that it writes.
        statuses: What it tells of transactions.
        height: Of CometBFT's last block that was committed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        key: AccountKey = PEER_KEY,
        interval: int = 0,
        genesis: Block = GENESIS,
        halt_height: int | None = None,
    ) -> None:
        """Open the files, and go on where they are."""
        self.stores = LedgerStores(folder, is_replicated=True)
        try:
            self._connect(folder, key, interval, genesis, halt_height)
        except BaseException:
            self.stores.close()
            raise

    def _connect(
        self,
        folder: Path,
        key: AccountKey,
        interval: int,
        genesis: Block,
        halt_height: int | None,
    ) -> None:
        begin_chain(self.stores, genesis)
        engine = Engine(self.stores.blocks, self.stores.state, key, is_replicated=True)
        self.statuses = StatusBoard()
        commits = CommitNotices(engine.tip().height)
        self.ledger = ReplicatedLedger(
            engine,
            self.stores.state,
            self.statuses,
            commits,
            expiration_ms=HOUR_MS,
            halt_height=halt_height,
        )

        def begin(manifest: SnapshotManifest, app_hash: bytes) -> SnapshotRestore:
            return SnapshotRestore(
                self.stores.blocks,
                self.stores.state,
                key,
                manifest,
                marker=folder / RESTORING_NAME,
                app_hash=app_hash,
                expiration_ms=HOUR_MS,
            )

        self.snapshots = SnapshotWriter(folder / "snapshots", self.stores.state, interval=interval)
        self.state_sync = StateSync(self.ledger, self.snapshots, begin)
        gate = PoolGate(self.ledger, lambda: TimeWindow(now_ms=START_MS))
        self.application = Application(self.ledger, engine, self.statuses, self.state_sync, gate)
        self.height = self.ledger.position.height

    def close(self) -> None:
        """Give the files back."""
        self.state_sync.stop()
        self.stores.close()

    def init_chain(self, name: str = CHAIN_ID, *, initial_height: int = 1) -> ResponseInitChain:
        request = Request()
        request.init_chain.chain_id = name
        request.init_chain.initial_height = initial_height
        return self.application.answer(request).init_chain

    def info(self) -> tuple[int, bytes]:
        """Return CometBFT's height and the app hash, as the peer knows them."""
        request = Request()
        request.info.SetInParent()
        info = self.application.answer(request).info
        return info.last_block_height, info.last_block_app_hash

    def check(self, data: bytes, *, again: bool = False) -> int:
        """Return the code of CheckTx."""
        request = Request()
        request.check_tx.tx = data
        if again:
            request.check_tx.type = RECHECK
        return self.application.answer(request).check_tx.code

    def prepare(self, *datas: bytes, max_bytes: int = 2**24) -> list[bytes]:
        request = Request()
        request.prepare_proposal.txs.extend(datas)
        request.prepare_proposal.max_tx_bytes = max_bytes
        return list(self.application.answer(request).prepare_proposal.txs)

    def process(self, *datas: bytes) -> int:
        """Return the status of ProcessProposal."""
        request = Request()
        request.process_proposal.txs.extend(datas)
        return self.application.answer(request).process_proposal.status

    def finalize(self, *datas: bytes, time_ms: int | None = None) -> ResponseFinalizeBlock:
        """Decide the next block, and do not commit it."""
        request = Request()
        request.finalize_block.txs.extend(datas)
        request.finalize_block.height = self.height + 1
        time_ms = START_MS + 1000 * (self.height + 1) if time_ms is None else time_ms
        request.finalize_block.time.FromMilliseconds(time_ms)
        return self.application.answer(request).finalize_block

    def commit(self) -> None:
        request = Request()
        request.commit.SetInParent()
        self.application.answer(request)
        self.height += 1

    def decide(self, *datas: bytes, time_ms: int | None = None) -> ResponseFinalizeBlock:
        """Decide and commit the next block."""
        decided = self.finalize(*datas, time_ms=time_ms)
        self.commit()
        return decided

    def list_snapshots(self) -> list[Snapshot]:
        request = Request()
        request.list_snapshots.SetInParent()
        return list(self.application.answer(request).list_snapshots.snapshots)

    def load_chunk(self, height: int, index: int) -> bytes:
        request = Request()
        request.load_snapshot_chunk.height = height
        request.load_snapshot_chunk.chunk = index
        return self.application.answer(request).load_snapshot_chunk.chunk

    def offer(self, snapshot: Snapshot, app_hash: bytes) -> int:
        """Return the result of OfferSnapshot."""
        request = Request()
        request.offer_snapshot.snapshot.CopyFrom(snapshot)
        request.offer_snapshot.app_hash = app_hash
        return self.application.answer(request).offer_snapshot.result

    def apply_chunk(self, index: int, chunk: bytes) -> int:
        """Return the result of ApplySnapshotChunk."""
        request = Request()
        request.apply_snapshot_chunk.index = index
        request.apply_snapshot_chunk.chunk = chunk
        request.apply_snapshot_chunk.sender = "another"
        return self.application.answer(request).apply_snapshot_chunk.result


_numbers = itertools.count()


def transaction(
    *commands: Command,
    keys: Sequence[AccountKey] = (ADMIN_KEY,),
    creator: str = ADMIN_ACCOUNT,
    quorum: int = 1,
    created_ms: int | None = None,
) -> Transaction:
    """Return a transaction like no other, signed by keys."""
    message = Transaction()
    reduced = message.payload.reduced_payload
    reduced.commands.extend(commands)
    reduced.creator_account_id = creator
    reduced.created_time = START_MS + next(_numbers) if created_ms is None else created_ms
    reduced.quorum = quorum
    sign_transaction(message, *keys)
    return message


def encoded(*messages: Transaction) -> bytes:
    """Return one transaction of CometBFT."""
    return TxList(transactions=messages).SerializeToString()


def write(key: str, value: str = "v") -> bytes:
    """Return the administrator's writing of a detail."""
    return encoded(transaction(set_account_detail(ADMIN_ACCOUNT, key, value)))


def forbidden() -> bytes:
    """Return what a block will reject."""
    return encoded(transaction(set_account_detail(REGISTRY_ACCOUNT, "k", "v")))


def two_keys() -> bytes:
    """Return what gives the administrator a second key, and asks for both from then on."""
    return encoded(
        transaction(
            add_signatory(ADMIN_ACCOUNT, SECOND_KEY.public_key),
            set_account_quorum(ADMIN_ACCOUNT, 2),
        )
    )


def half(message: Transaction, *keys: AccountKey) -> bytes:
    """Return a transaction with the signatures of some keys alone."""
    copy = Transaction(payload=message.payload)
    sign_transaction(copy, *keys)
    return encoded(copy)

"""A ledger's stores and engine in the test's own process, without ordering or network."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.batches import lone
from support.memory_ledger import sign_transaction
from support.processes import LedgerFolder

from chaincode.blocks import Receipt
from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import Signature
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.stateless import TimeWindow
from chaincode.transactions import ValidTransaction
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import set_account_detail
from node.ledger.block_store import BlockStore
from node.ledger.candidate import Candidate
from node.ledger.engine import Engine
from node.ledger.genesis import ADMIN_ACCOUNT, load_genesis
from node.ledger.replay import recover, replay
from node.ledger.state_rows import Tip
from node.ledger.state_store import StateStore

NOW_MS = 1_800_000_000_000
WINDOW = TimeWindow(now_ms=NOW_MS)


def signed_transaction(
    *commands: Command, creator: str, key: AccountKey, created_time_ms: int = NOW_MS
) -> Transaction:
    """Return a transaction with one signature."""
    transaction = Transaction()
    reduced = transaction.payload.reduced_payload
    reduced.commands.extend(commands)
    reduced.creator_account_id = creator
    reduced.created_time = created_time_ms
    reduced.quorum = 1
    signature = key.sign(transaction.payload.SerializeToString())
    transaction.signatures.append(Signature(public_key=key.public_key, signature=signature))
    return transaction


class LedgerStores:
    """The stores of the ledger in a folder, opened and made level as a node does it.

    Attributes:
        replayed: How many blocks the state had not seen.
    """

    def __init__(self, folder: LedgerFolder) -> None:
        """Open the stores; an empty chain gets its genesis block."""
        self.folder = folder
        self.data = folder.path / "data"
        self.data.mkdir(exist_ok=True)
        self.blocks = BlockStore(self.data / "blocks")
        try:
            self.state = StateStore(self.data / "state.sqlite", self.blocks)
            try:
                self.replayed = recover(self.blocks, self.state)
                self.engine = Engine(self.blocks, self.state, folder.node_key)
                self._begin(folder.path / "genesis.block")
            except BaseException:
                self.state.close()
                raise
        except BaseException:
            self.blocks.close()
            raise

    def _begin(self, genesis_file: Path) -> None:
        with self.state.snapshot() as view:
            if view.block_at(1) is None:
                self.engine.commit(replay(view, view.tip(), load_genesis(genesis_file)))

    def admin_transaction(self, *commands: Command, created_time_ms: int = NOW_MS) -> Transaction:
        """Return a transaction that the administrator signed."""
        return signed_transaction(
            *commands,
            creator=ADMIN_ACCOUNT,
            key=self.folder.admin_key,
            created_time_ms=created_time_ms,
        )

    def detail(self, key: str, value: str) -> ValidTransaction:
        """Return a checked transaction that writes a detail of the administrator."""
        command = set_account_detail(ADMIN_ACCOUNT, key, value)
        return self.check(self.admin_transaction(command))

    def forbidden(self, key: str) -> ValidTransaction:
        """Return a checked transaction that will be rejected: another account's detail."""
        command = set_account_detail(REGISTRY_ACCOUNT, key, "x")
        return self.check(self.admin_transaction(command))

    def check(self, message: Transaction) -> ValidTransaction:
        """Return a transaction that the engine checked."""
        ((transaction,),) = (batch.transactions for batch in self.engine.check([message], WINDOW))
        return transaction

    def add_block(self, *transactions: ValidTransaction, time_ms: int = NOW_MS) -> Candidate:
        """Decide transactions, each a batch of its own, and write the block."""
        candidate = self.engine.finalize(time_ms, lone(*transactions))
        self.engine.commit(candidate)
        return candidate

    def part_signed(self, key: str, *keys: AccountKey, quorum: int = 2) -> Transaction:
        """Return an administrator's transaction that asks for `quorum` signatures."""
        transaction = self.admin_transaction(set_account_detail(ADMIN_ACCOUNT, key, "x"))
        transaction.payload.reduced_payload.quorum = quorum
        del transaction.signatures[:]
        sign_transaction(transaction, *keys)
        return transaction

    def add_details(self, count: int) -> list[Receipt]:
        """Write blocks of one transaction each, with a detail named after its height."""
        receipts: list[Receipt] = []
        for _ in range(count):
            height = self.tip().height + 1
            receipts += self.add_block(self.detail(f"height_{height}", str(height))).receipts
        return receipts

    def tip(self) -> Tip:
        """Return the top of the chain."""
        return self.engine.tip()

    def close(self) -> None:
        """Close both stores."""
        self.state.close()
        self.blocks.close()


@contextmanager
def opened(folder: LedgerFolder) -> Iterator[LedgerStores]:
    """Give a ledger's stores and close them at the end."""
    stores = LedgerStores(folder)
    try:
        yield stores
    finally:
        stores.close()

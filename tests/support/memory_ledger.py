"""A ledger in memory under the real rules: no gRPC, no files, no waiting.

`MemoryLedger` is a `chaincode.queries.view.LedgerView` that makes its own blocks, one for each call
of `apply`. `MemoryLedger.client` returns a `LedgerClient` whose calls end here and not at a node:
services and SDK under test see the same answers and the same errors.
"""

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Self

import grpc
from google.protobuf.empty_pb2 import Empty
from support.batches import lone

from chaincode.batches import Batch, validate_batches
from chaincode.blocks import BlockContext, BlockOutcome, Receipt, Verdict, build_block
from chaincode.checkpoints import Checkpoint, LogEntry, log_origin, sign_checkpoint
from chaincode.errors import InvalidQueryError, InvalidTransactionError
from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.merkle_log import LogNode, extend_log, log_root
from chaincode.multisignature import PendingBatches
from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.endpoint_pb2 import ToriiResponse, TxList, TxStatus, TxStatusRequest
from chaincode.protocol.primitive_pb2 import Peer, Signature
from chaincode.protocol.proofs_pb2 import ProofRequest, ProofResponse
from chaincode.protocol.qry_responses_pb2 import ErrorResponse, HealthcheckData, QueryResponse
from chaincode.protocol.queries_pb2 import Query
from chaincode.protocol.submission_pb2 import SubmitResponse
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.queries import answer_query, error_response
from chaincode.queries.proofs import answer_proof
from chaincode.queries.view import HistorySearch, SortField
from chaincode.records import IdentityRecord
from chaincode.state_root import StateRoot, change_root
from chaincode.stateless import (
    TimeWindow,
    validate_proof_request,
    validate_query,
    validate_transaction,
)
from chaincode.transactions import (
    ValidTransaction,
    block_hash,
    hash_payload,
    histories_of,
    transaction_hash,
)
from chaincode.transition import apply_block, apply_genesis
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.commands import append_role, create_account, set_record
from client_sdk.ledger.torii_channel import ToriiChannel
from node.ledger.evm import LEDGER_EVM
from node.ledger.genesis import ADMIN_ACCOUNT, build_genesis

START_MS: Final = 1_800_000_000_000
"""The time of the genesis block, and of everything where a test gives no clock."""


def named_key(name: str) -> AccountKey:
    """Return the same key for the same name, in every run."""
    return AccountKey(hashlib.sha256(name.encode()).digest())


class MemoryLedger:
    """A chain, its state, and the keys of the accounts that were made through it.

    Attributes:
        state: The entries of the world state; a test may read and set them.
        blocks: The chain, genesis first.
        pending: What waits for signatures; `receive` puts nothing in.
        keys: The first key of each account that `tegata` and `add_account` made.
        reachable: While False, clients get a `TransportError`.
    """

    def __init__(self, genesis: Block, *, clock: Callable[[], int] = lambda: START_MS) -> None:
        """Apply a genesis block to an empty state.

        Args:
            genesis: Any genesis block of supported commands.
            clock: The time, milliseconds since 1970, UTC.
        """
        self.state: dict[bytes, bytes] = {}
        self.blocks: list[Block] = []
        self.keys: dict[str, AccountKey] = {}
        self.reachable = True
        self.peer_key = named_key("peer")
        self._clock = clock
        self._last_ms = 0
        self._decided: dict[bytes, Transaction | None] = {}
        self._statuses: dict[str, list[ToriiResponse]] = {}
        self.pending = PendingBatches(expiration_ms=24 * 60 * 60 * 1000)
        self._lock = threading.RLock()
        self._root = StateRoot()
        self._pages: dict[str, bytes] = {}
        self._log_nodes: dict[LogNode, bytes] = {}
        self._commit(genesis, apply_genesis(self, genesis, LEDGER_EVM))

    @classmethod
    def tegata(cls, *, clock: Callable[[], int] = lambda: START_MS) -> Self:
        """Return the ledger of a fresh Tegata network with one peer, its admin and its registry."""
        keys = {account: named_key(account) for account in (ADMIN_ACCOUNT, REGISTRY_ACCOUNT)}
        genesis = build_genesis(
            peers=[Peer(address="127.0.0.1:10001", peer_key=named_key("peer").public_key)],
            admin_key=keys[ADMIN_ACCOUNT].public_key,
            registry_key=keys[REGISTRY_ACCOUNT].public_key,
            created_time_ms=clock(),
        )
        ledger = cls(genesis, clock=clock)
        ledger.keys.update(keys)
        return ledger

    def get(self, key: bytes) -> bytes | None:
        """Return the value at a key, or None."""
        return self.state.get(key)

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield the entries whose keys begin with `prefix`, ascending, from `start` on."""
        for key in sorted(self.state):
            if key.startswith(prefix) and key >= start:
                yield key, self.state[key]

    def has_transaction(self, tx_hash: bytes) -> bool:
        """Tell whether a block has already committed or rejected this transaction."""
        return tx_hash in self._decided

    def block_at(self, height: int) -> Block | None:
        """Return the block at a height, or None above the top."""
        return self.blocks[height - 1] if 1 <= height <= len(self.blocks) else None

    def height(self) -> int:
        """Return the height of the top block."""
        return len(self.blocks)

    def state_root(self) -> StateRoot:
        """Return what commits to the whole state."""
        return self._root

    def get_page(self, prefix: str) -> bytes | None:
        """Return a page of the authenticated map, or None."""
        return self._pages.get(prefix)

    def get_log_node(self, node: LogNode) -> bytes | None:
        """Return a hash of the log of blocks, or None."""
        return self._log_nodes.get(node)

    def log_entry(self) -> LogEntry:
        """Return what the log of blocks says of the top one."""
        return _log_entry(self.blocks[-1], self._root)

    def transactions(self, hashes: Iterable[bytes]) -> Iterator[Transaction]:
        """Yield those transactions that are committed, in the order of the chain."""
        asked = set(hashes)
        for block in self.blocks:
            for message in block.block_v1.payload.transactions:
                if transaction_hash(message) in asked:
                    yield message

    def history(self, search: HistorySearch) -> tuple[int, Iterator[Transaction]]:
        """Return the part of a history that is searched: the plainest way, through all blocks."""
        found = [
            (height, position, message)
            for height, block in enumerate(self.blocks, start=1)
            for position, message in enumerate(block.block_v1.payload.transactions)
            if (search.account_id, search.asset_id or "") in histories_of(message)
            and _is_within(search.height_from, height, search.height_to)
            and _is_within(search.created_from_ms, _created_ms(message), search.created_to_ms)
        ]
        for field, down in reversed(search.order):
            if field is SortField.HEIGHT:
                found.sort(key=lambda entry: entry[0], reverse=down)
            else:
                found.sort(key=lambda entry: _created_ms(entry[2]), reverse=down)
        messages = [message for _, _, message in found]
        hashes = [transaction_hash(message) for message in messages]
        if search.first is not None and search.first not in hashes:
            return len(messages), iter(())
        start = 0 if search.first is None else hashes.index(search.first)
        return len(messages), iter(messages[start : start + search.size])

    def now_ms(self) -> int:
        """Return the clock's time, and later than ever before: no two transactions are equal."""
        with self._lock:
            self._last_ms = max(self._clock(), self._last_ms + 1)
            return self._last_ms

    def build_transaction(
        self, account_id: str, *commands: Command, quorum: int = 1
    ) -> Transaction:
        """Return an unsigned transaction, made now."""
        message = Transaction()
        reduced = message.payload.reduced_payload
        reduced.commands.extend(commands)
        reduced.creator_account_id = account_id
        reduced.created_time = self.now_ms()
        reduced.quorum = quorum
        return message

    def build_signed(
        self, account_id: str, *commands: Command, keys: tuple[AccountKey, ...] = ()
    ) -> ValidTransaction:
        """Return a transaction that is ready for a block, signed by `keys`.

        Without keys the account's own first key signs.
        """
        signers = keys or (self.keys[account_id],)
        message = self.build_transaction(account_id, *commands, quorum=len(signers))
        sign_transaction(message, *signers)
        return validate_transaction(message, None)

    def submit(
        self, account_id: str, *commands: Command, keys: tuple[AccountKey, ...] = ()
    ) -> Receipt:
        """Apply the commands as one transaction in a block of its own."""
        return self.apply(self.build_signed(account_id, *commands, keys=keys))[0]

    def apply(self, *transactions: ValidTransaction) -> tuple[Receipt, ...]:
        """Apply the transactions, each a batch of its own, as the next block."""
        return self.apply_batches(*lone(*transactions))

    def apply_batches(self, *batches: Batch) -> tuple[Receipt, ...]:
        """Apply the batches as the next block; return what became of each transaction."""
        with self._lock:
            height = len(self.blocks) + 1
            context = BlockContext(height=height, time_ms=self.now_ms(), evm=LEDGER_EVM)
            outcome = apply_block(self, context, batches)
            previous = block_hash(self.blocks[-1])
            block = build_block(context, previous, batches, outcome.receipts)
            sign_block(block, self.peer_key)
            self._commit(block, outcome)
            return outcome.receipts

    def add_account(self, account_id: str, *, roles: tuple[str, ...] = ()) -> AccountKey:
        """Let the admin make an account, with these roles beside its domain's; return its key."""
        key = self.keys[account_id] = named_key(account_id)
        commands = [create_account(account_id, key.public_key)]
        commands += [append_role(account_id, role) for role in roles]
        _require_committed(self.submit(ADMIN_ACCOUNT, *commands))
        return key

    def write_record(self, account_id: str, record_id: str, record: IdentityRecord) -> None:
        """Let an account write an identity record of its own."""
        _require_committed(self.submit(account_id, set_record(account_id, record_id, record)))

    def client(self, account_id: str, key: AccountKey | None = None) -> LedgerClient:
        """Return a client of this ledger that acts as an account, by default with its first key."""
        return MemoryLedgerClient(self, account_id, key or self.keys[account_id])

    def receive(self, message: Transaction) -> None:
        """Take a transaction as Torii does; `statuses` says what became of it."""
        tx_hash = transaction_hash(message)
        with self._lock:
            if tx_hash in self._decided:
                return
            try:
                window = TimeWindow(now_ms=self._last_ms)
                (batch,) = validate_batches([message], window, max_batch_transactions=1)
            except InvalidTransactionError as error:
                refusal = ToriiResponse(
                    tx_status=TxStatus.STATELESS_VALIDATION_FAILED,
                    tx_hash=tx_hash.hex(),
                    err_or_cmd_name=str(error),
                )
                self._statuses[tx_hash.hex()] = [refusal]
                return
            (receipt,) = self.apply_batches(batch)
            self._statuses[tx_hash.hex()] = list(_statuses(receipt))

    def statuses(self, tx_hash: str) -> list[ToriiResponse]:
        """Return the statuses that a stream would give, the final one last."""
        unknown = ToriiResponse(tx_status=TxStatus.NOT_RECEIVED, tx_hash=tx_hash)
        return self._statuses.get(tx_hash, [unknown])

    def answer(self, query: Query) -> QueryResponse:
        """Answer a query as Torii does."""
        with self._lock:
            try:
                signatory = validate_query(query, TimeWindow(now_ms=self._last_ms))
            except InvalidQueryError as error:
                response = error_response(ErrorResponse.STATELESS_INVALID, 0, str(error))
                response.query_hash = hash_payload(query.payload).hex()
                return response
            return answer_query(self, query, signatory, pending=self.pending)

    def ledger_id(self) -> str:
        """Return the hash of the genesis block, 64 hex digits."""
        return block_hash(self.blocks[0]).hex()

    def sign_checkpoint(self, *, time_s: int | None = None) -> bytes:
        """Return the checkpoint of the top, signed by the peer now or at another time."""
        height = self.height()
        checkpoint = Checkpoint(
            origin=log_origin(self.ledger_id()),
            size=height,
            root=log_root(self, height),
            time_s=self._clock() // 1000 if time_s is None else time_s,
        )
        return sign_checkpoint(checkpoint, self.peer_key)

    def prove(self, request: ProofRequest) -> ProofResponse:
        """Answer a request for proofs as a node does."""
        with self._lock:
            signatory = validate_proof_request(request, TimeWindow(now_ms=self._last_ms))
            note = self.sign_checkpoint()
            return answer_proof(self, request, signatory, pending=self.pending, checkpoint=note)

    def _commit(self, block: Block, outcome: BlockOutcome) -> None:
        payload = block.block_v1.payload
        change = change_root(self, self._root, outcome.changes)
        self._root = change.root
        for prefix, page in change.pages.items():
            self._pages.pop(prefix, None)
            if page is not None:
                self._pages[prefix] = page
        entry = _log_entry(block, self._root).encode()
        self._log_nodes |= extend_log(self, len(self.blocks), entry)
        for key, value in outcome.changes.items():
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value
        for message in payload.transactions:
            self._decided[transaction_hash(message)] = message
        for tx_hash in payload.rejected_transactions_hashes:
            self._decided[bytes.fromhex(tx_hash)] = None
        self.blocks.append(block)
        self._last_ms = max(self._last_ms, payload.created_time)


class MemoryTorii:
    """Answers a client's remote calls by a `MemoryLedger`: what `ToriiChannel` has."""

    address = "memory.invalid:1"
    _hint = "is the node running, and is the address right?"

    def __init__(self, ledger: MemoryLedger) -> None:
        self._ledger = ledger

    def torii(self, request: Transaction, **_options: object) -> Empty:
        self._require_reachable()
        self._ledger.receive(Transaction.FromString(request.SerializeToString()))
        return Empty()

    def submit(self, request: TxList, **_options: object) -> Iterator[SubmitResponse]:
        self._require_reachable()
        statuses = []
        for transaction in request.transactions:
            self._ledger.receive(Transaction.FromString(transaction.SerializeToString()))
            told = self._ledger.statuses(transaction_hash(transaction).hex())
            failed = [one for one in told if one.tx_status == TxStatus.STATEFUL_VALIDATION_FAILED]
            statuses.append([*failed, told[-1]][0])
        yield SubmitResponse(statuses=statuses)

    def status_stream(
        self, request: TxStatusRequest, **_options: object
    ) -> Iterator[ToriiResponse]:
        self._require_reachable()
        return iter(self._ledger.statuses(request.tx_hash))

    def find(self, request: Query, **_options: object) -> QueryResponse:
        self._require_reachable()
        response = self._ledger.answer(Query.FromString(request.SerializeToString()))
        return QueryResponse.FromString(response.SerializeToString())

    def prove(self, request: ProofRequest, **_options: object) -> ProofResponse:
        self._require_reachable()
        response = self._ledger.prove(ProofRequest.FromString(request.SerializeToString()))
        return ProofResponse.FromString(response.SerializeToString())

    def healthcheck(self, _request: Empty, **_options: object) -> HealthcheckData:
        self._require_reachable()
        return HealthcheckData(is_healthy=True, last_block_height=len(self._ledger.blocks) + 1)

    def close(self) -> None:
        """There is nothing to close."""

    transport_errors = ToriiChannel.transport_errors

    def _require_reachable(self) -> None:
        if not self._ledger.reachable:
            raise grpc.RpcError("the ledger was made unreachable by the test")


class MemoryLedgerClient(LedgerClient):
    """A `LedgerClient` whose remote calls are answered by a `MemoryLedger`."""

    def __init__(self, ledger: MemoryLedger, account_id: str, key: AccountKey) -> None:
        """Act as `account_id`; no connection is ever opened."""
        torii: Any = MemoryTorii(ledger)
        super().__init__(torii.address, account_id, key, channel=torii, now_ms=ledger.now_ms)


def _log_entry(block: Block, root: StateRoot) -> LogEntry:
    payload = block.block_v1.payload
    return LogEntry(
        height=payload.height,
        time_ms=payload.created_time,
        block_hash=block_hash(block),
        root=root.digest(),
    )


def _is_within(least: int | None, value: int, most: int | None) -> bool:
    return (least is None or least <= value) and (most is None or value <= most)


def _created_ms(message: Transaction) -> int:
    return message.payload.reduced_payload.created_time


def sign_transaction(message: Transaction, *keys: AccountKey) -> None:
    """Add the signatures of these keys."""
    data = message.payload.SerializeToString()
    for key in keys:
        message.signatures.append(Signature(public_key=key.public_key, signature=key.sign(data)))


def sign_block(block: Block, *keys: AccountKey) -> None:
    """Add the signatures of these peers."""
    data = block.block_v1.payload.SerializeToString()
    for key in keys:
        signature = Signature(public_key=key.public_key, signature=key.sign(data))
        block.block_v1.signatures.append(signature)


def _statuses(receipt: Receipt) -> Iterator[ToriiResponse]:
    tx_hash = receipt.tx_hash.hex()
    if receipt.verdict is Verdict.COMMITTED:
        yield ToriiResponse(tx_status=TxStatus.COMMITTED, tx_hash=tx_hash)
        return
    yield ToriiResponse(
        tx_status=TxStatus.STATEFUL_VALIDATION_FAILED,
        tx_hash=tx_hash,
        err_or_cmd_name=receipt.command_name,
        failed_cmd_index=receipt.command_index,
        error_code=receipt.code,
    )
    yield ToriiResponse(tx_status=TxStatus.REJECTED, tx_hash=tx_hash)


def _require_committed(receipt: Receipt) -> None:
    if receipt.verdict is not Verdict.COMMITTED:
        raise AssertionError(f"{receipt.command_name}, code {receipt.code}: {receipt.reason}")

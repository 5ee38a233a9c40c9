"""A real ledger node in a process of its own: lone transactions, batches, queries.

Beside them stands the floor of the machine: what the disk needs for the same bytes.
"""

import itertools
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import grpc
from google.protobuf.empty_pb2 import Empty

from benchmarks.figures import Figure, Step, Unit, call_milliseconds, percentile
from chaincode.protocol.endpoint_pb2 import ToriiResponse, TxList, TxStatus, TxStatusRequest
from chaincode.protocol.queries_pb2 import GetAccount, GetAccountDetail, Query
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.signatures import KeyAlgorithm, verify_signature
from chaincode.transactions import transaction_hash
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.commands import create_account, set_account_detail
from node.cli.demo.town import ServiceProcess, free_addresses, run
from node.ledger.genesis import ADMIN_ACCOUNT

_ROUNDS: Final = 3
_LONE: Final = 200
_BATCH: Final = 250
_BATCHES: Final = 8
_QUERIES: Final = 500
_CLIENTS: Final = 4
_VALUE: Final = "x" * 200
_TIP_BYTES: Final = 2_120
"""What the state keeps of the top of the chain: the running hash of all entries, mostly."""

_APPEND: Final = "append and fdatasync of the same bytes"
_COMMIT: Final = "SQLite commit of the same rows"
_COMMAND_SERVICE: Final = "/iroha.protocol.CommandService_v1/"


class LedgerBench:
    """A new ledger and its node. A context; on leaving, the node is stopped."""

    def __init__(self, folder: Path) -> None:
        """Prepare; entering starts the node.

        Args:
            folder: Where its files go: on the disk that is to be measured.
        """
        self._folder = folder
        (self._address,) = free_addresses(1)
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        ledger = self._folder / "ledger"
        run("node", "init", str(ledger), "--torii", self._address)
        with ExitStack() as stack:
            node = ServiceProcess(("node", "start", str(ledger)), self._folder / "node.log")
            stack.callback(node.stop)
            admin_key = AccountKey.load(ledger / "keys" / f"{ADMIN_ACCOUNT}.priv")
            self._admin = stack.enter_context(
                LedgerClient(self._address, ADMIN_ACCOUNT, admin_key, timeout_s=60)
            )
            self._holders = {
                algorithm: stack.enter_context(self._new_account(f"bench_{index}", algorithm))
                for index, algorithm in enumerate(KeyAlgorithm)
            }
            # GetAccount returns all details: an account of its own has only one.
            self._queried = stack.enter_context(
                self._new_account("queried", KeyAlgorithm.ED25519_SHA2)
            )
            self._channel = stack.enter_context(grpc.insecure_channel(self._address))
            self._opened = stack.pop_all()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._opened.close()

    def steps(self) -> Sequence[Step]:
        """Return what is measured here."""
        return [
            Step(name="lone transactions", take=self._take_lone),
            *(
                Step(name=f"batches, {a.value}", take=partial(self._take_batches, a))
                for a in KeyAlgorithm
            ),
            Step(name="queries", take=self._take_queries),
        ]

    def _new_account(self, name: str, algorithm: KeyAlgorithm) -> LedgerClient:
        key = AccountKey.generate(algorithm)
        account_id = f"{name}@holder"
        self._admin.submit(create_account(account_id, key.public_key))
        return LedgerClient(self._address, account_id, key, timeout_s=60)

    def _take_lone(self) -> Iterator[Figure]:
        holder = self._holders[KeyAlgorithm.ED25519_SHA2]

        def write(number: int) -> None:
            holder.submit(set_account_detail(holder.account_id, f"lone_{number % 10}", _VALUE))

        call_milliseconds(write, 20)
        blocks = self._folder / "ledger" / "data" / "blocks"
        size_before = blocks.stat().st_size
        with ExitStack() as stack:
            append = stack.enter_context(_Appends(self._folder / "append"))
            commit = stack.enter_context(_Commits(self._folder / "commit.sqlite"))
            rounds: dict[str, list[list[float]]] = {"ours": [], _APPEND: [], _COMMIT: []}
            for _ in range(_ROUNDS):
                rounds["ours"].append(call_milliseconds(write, _LONE))
                record_bytes = (blocks.stat().st_size - size_before) // _LONE
                size_before = blocks.stat().st_size
                rounds[_APPEND].append(call_milliseconds(append.writer(record_bytes), _LONE))
                rounds[_COMMIT].append(call_milliseconds(commit.write, _LONE))
        for percent in (50, 95):
            taken = {
                name: min(percentile(times, percent) for times in taken_rounds)
                for name, taken_rounds in rounds.items()
            }
            yield Figure(
                group="ledger",
                name=f"lone transaction, send to COMMITTED, p{percent}",
                unit=Unit.MILLISECONDS,
                value=taken.pop("ours"),
                peers=taken,
            )

    def _take_batches(self, algorithm: KeyAlgorithm) -> Iterator[Figure]:
        holder = self._holders[algorithm]
        send = self._channel.unary_unary(
            _COMMAND_SERVICE + "ListTorii", TxList.SerializeToString, Empty.FromString
        )
        follow = self._channel.unary_stream(
            _COMMAND_SERVICE + "StatusStream",
            TxStatusRequest.SerializeToString,
            ToriiResponse.FromString,
        )
        rates: list[float] = []
        bare_rates: list[float] = []
        for round_number in range(_ROUNDS):
            batches = _signed_batches(holder, f"round_{round_number}")
            last = transaction_hash(batches[-1].transactions[-1]).hex()
            height = self._admin.height()
            started = time.perf_counter()
            for batch in batches:
                send(batch, timeout=60)
            statuses = [s.tx_status for s in follow(TxStatusRequest(tx_hash=last), timeout=60)]
            seconds = time.perf_counter() - started
            self._check_all_committed(height, statuses)
            rates.append(_BATCH * _BATCHES / seconds)
            bare_rates.append(_bare_verification_rate(batches))
        yield Figure(
            group="ledger",
            name=f"transactions in lists of {_BATCH}, {algorithm.value}",
            unit=Unit.PER_SECOND,
            value=max(rates),
            peers={"their signature checks alone": max(bare_rates)},
        )

    def _check_all_committed(self, height: int, statuses: Sequence[int]) -> None:
        """Fail where the node did less than it was asked: its rate would mean nothing."""
        top = self._admin.height()
        blocks = (self._admin.block(number) for number in range(height + 1, top + 1))
        count = sum(len(block.block_v1.payload.transactions) for block in blocks)
        if statuses[-1] != TxStatus.COMMITTED or count != _BATCH * _BATCHES:
            raise RuntimeError(f"{count} of {_BATCH * _BATCHES} transactions were committed")

    def _take_queries(self) -> Iterator[Figure]:
        account_id = self._queried.account_id
        self._queried.submit(set_account_detail(account_id, "queried", _VALUE))
        detail = GetAccountDetail(account_id=account_id, key="queried", writer=account_id)
        account = GetAccount(account_id=account_id)
        queries: dict[str, Callable[[], object]] = {
            "GetAccount": lambda: self._admin.find(Query.Payload(get_account=account)),
            "GetAccountDetail by key and writer": lambda: self._admin.find(
                Query.Payload(get_account_detail=detail)
            ),
        }
        for name, ask in queries.items():
            for clients in (1, _CLIENTS):
                rates = [
                    (_rate(ask, clients), _rate(self._admin.health, clients))
                    for _ in range(_ROUNDS)
                ]
                yield Figure(
                    group="ledger",
                    name=f"{name}, {clients} at a time",
                    unit=Unit.PER_SECOND,
                    value=max(ours for ours, _ in rates),
                    peers={"the same gRPC call without a query": max(bare for _, bare in rates)},
                )


class _Appends:
    """A file that records are appended to, each one synced."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def writer(self, size: int) -> Callable[[int], None]:
        """Return what appends `size` bytes."""
        data = os.urandom(size)

        def write(_number: int) -> None:
            os.write(self._file, data)
            os.fdatasync(self._file)

        return write

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        os.close(self._file)


class _Commits:
    """A database that gets the rows of one block at a time, each commit synced."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("CREATE TABLE row (key BLOB PRIMARY KEY, value BLOB)")
        self._numbers = itertools.count()

    def write(self, _number: int) -> None:
        """Commit what one block changes: a detail, the decision, the block's place, the tip."""
        number = next(self._numbers).to_bytes(32, "big")
        rows = [
            (b"detail" + number[-1:], _VALUE.encode()),
            (b"decided" + number, bytes(16)),
            (b"block" + number[-8:], bytes(8)),
            (b"tip", os.urandom(_TIP_BYTES)),
        ]
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("REPLACE INTO row VALUES (?, ?)", rows)
        self._connection.execute("COMMIT")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._connection.close()


def _signed_batches(holder: LedgerClient, name: str) -> list[TxList]:
    """Return signed transactions, each of which writes one detail of its creator's account."""

    def signed(number: int) -> Transaction:
        command = set_account_detail(holder.account_id, f"{name}_{number}", _VALUE)
        transaction = holder.build_transaction(command)
        holder.sign_transaction(transaction)
        return transaction

    transactions = [signed(number) for number in range(_BATCH * _BATCHES)]
    return [
        TxList(transactions=transactions[start : start + _BATCH])
        for start in range(0, len(transactions), _BATCH)
    ]


def _bare_verification_rate(batches: Iterable[TxList]) -> float:
    signed = [
        (transaction.signatures[0], transaction.payload.SerializeToString())
        for batch in batches
        for transaction in batch.transactions
    ]
    started = time.perf_counter()
    for signature, payload in signed:
        verify_signature(
            public_key=signature.public_key, signature=signature.signature, payload=payload
        )
    return len(signed) / (time.perf_counter() - started)


def _rate(call: Callable[[], object], clients: int) -> float:
    """Return how many calls a second are answered when `clients` threads make them."""

    def repeat(count: int) -> None:
        for _ in range(count):
            call()

    with ThreadPoolExecutor(clients) as pool:
        started = time.perf_counter()
        for done in [pool.submit(repeat, _QUERIES) for _ in range(clients)]:
            done.result()
        return _QUERIES * clients / (time.perf_counter() - started)

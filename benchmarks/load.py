"""Requests that are signed and serialised beforehand, and the client that sends them.

The client is compiled (`benchmarks/load_client`), so that it takes little of the cores that what is
measured runs on: some 20 us a call, where that of `grpcio` takes 250.
"""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Final

from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.endpoint_pb2 import ToriiResponse, TxList, TxStatus, TxStatusRequest
from chaincode.protocol.primitive_pb2 import Signature
from chaincode.protocol.queries_pb2 import Query
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.transactions import transaction_hash
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import set_account_detail

_native: ModuleType | None = None
try:
    import tegata_load_client
except ImportError:
    pass
else:
    _native = tegata_load_client

COMMANDS: Final = "/iroha.protocol.CommandService_v1/"
QUERIES: Final = "/iroha.protocol.QueryService_v1/"
VALUE: Final = "x" * 32
_PATIENCE_S: Final = 120.0
_PAUSE_S: Final = 0.005
_PAST_MS: Final = 23 * 3_600_000
"""A node takes what was made in the last day; over a thousand a second run ahead of the clock."""
_times = itertools.count(time.time_ns() // 1_000_000 - _PAST_MS)
"""No two transactions or queries are equal."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who sends."""

    account_id: str
    key: AccountKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of requests.

    Attributes:
        seconds: From the first to the last answer.
        taken_ms: How long each took, in the order of their ends.
        answers: Where they were to be kept.
        errors: The text of each that failed.
    """

    seconds: float
    taken_ms: Sequence[float]
    answers: Sequence[bytes]
    errors: Sequence[str]


def require_client() -> ModuleType:
    """Return the compiled client.

    Raises:
        RuntimeError: It is not built.
    """
    if _native is None:
        raise RuntimeError("benchmarks/load_client is not built: it needs cargo (`make bench`)")
    return _native


def sign(account: Account, *commands: Command) -> Transaction:
    """Return a transaction of an account."""
    transaction = Transaction()
    reduced = transaction.payload.reduced_payload
    reduced.commands.extend(commands)
    reduced.creator_account_id = account.account_id
    reduced.created_time = next(_times)
    reduced.quorum = 1
    signature = account.key.sign(transaction.payload.SerializeToString())
    transaction.signatures.append(Signature(public_key=account.key.public_key, signature=signature))
    return transaction


def details(account: Account, count: int, *, keys: int = 1000) -> list[Transaction]:
    """Return transactions that each write one detail of 32 bytes, under so many keys in turn."""
    return [
        sign(account, set_account_detail(account.account_id, f"k_{number % keys}", VALUE))
        for number in range(count)
    ]


def query(account: Account, payload: Query.Payload) -> bytes:
    """Return a serialised query of an account."""
    asked = Query(payload=payload)
    asked.payload.meta.creator_account_id = account.account_id
    asked.payload.meta.created_time = next(_times)
    asked.payload.meta.query_counter = 1
    signature = account.key.sign(asked.payload.SerializeToString())
    asked.signature.CopyFrom(Signature(public_key=account.key.public_key, signature=signature))
    return asked.SerializeToString()


def lists_of(transactions: Sequence[Transaction], size: int) -> list[bytes]:
    """Return serialised lists of so many transactions each."""
    return [
        TxList(transactions=transactions[start : start + size]).SerializeToString()
        for start in range(0, len(transactions), size)
    ]


def send_all(
    address: str,
    path: str,
    requests: Sequence[bytes],
    *,
    clients: int,
    in_flight: int,
    rate: float = 0.0,
    keep: bool = False,
) -> Sent:
    """Send requests to a method.

    Args:
        address: Torii.
        path: The method.
        requests: The serialised messages.
        clients: How many connections share them.
        in_flight: How many are sent before the first is answered.
        rate: So many a second are sent, whatever is answered; 0 for as fast as they are answered.
        keep: Keep the answers.
    """
    seconds, rows = require_client().send_all(
        address, path, list(requests), clients, in_flight, rate, keep
    )
    return Sent(
        seconds=seconds,
        taken_ms=[taken_s * 1e3 for _, taken_s, _, _ in rows],
        answers=[answer for _, _, answer, _ in rows if answer is not None],
        errors=[error for _, _, _, error in rows if error],
    )


def post_all(address: str, forms: Sequence[tuple[str, str]], *, clients: int) -> Sent:
    """Post forms over HTTP.

    Args:
        address: `host:port`.
        forms: Paths, and what is posted to them.
        clients: How many connections share them; each sends one after another.
    """
    seconds, rows = require_client().post_all(address, list(forms), clients)
    return Sent(
        seconds=seconds,
        taken_ms=[taken_s * 1e3 for _, taken_s, _, _ in rows],
        answers=[],
        errors=[error for _, _, _, error in rows if error],
    )


def follow_each(address: str, transactions: Sequence[Transaction], gap_s: float) -> list[float]:
    """Send one transaction after another; return the milliseconds until each is COMMITTED.

    The status stream is open before; the time ends with the stream.

    Raises:
        RuntimeError: One was not committed.
    """
    pairs = [(each.SerializeToString(), _status_request(each)) for each in transactions]
    rows = require_client().follow_each(
        address, COMMANDS + "Torii", COMMANDS + "StatusStream", pairs, gap_s
    )
    for _, _, answer, error in rows:
        if error or ToriiResponse.FromString(answer).tx_status != TxStatus.COMMITTED:
            raise RuntimeError(f"a transaction was not committed: {error or answer}")
    return [taken_s * 1e3 for _, taken_s, _, _ in rows]


def wait_committed(address: str, transactions: Sequence[Transaction]) -> None:
    """Ask for statuses until all are COMMITTED.

    Raises:
        RuntimeError: One failed, or is not committed in two minutes.
    """
    deadline = time.monotonic() + _PATIENCE_S
    requests = [_status_request(each) for each in transactions]
    while True:
        sent = send_all(address, COMMANDS + "Status", requests, clients=1, in_flight=8, keep=True)
        statuses = [ToriiResponse.FromString(answer).tx_status for answer in sent.answers]
        if statuses == [TxStatus.COMMITTED] * len(requests):
            return
        if TxStatus.REJECTED in statuses or time.monotonic() > deadline:
            names = {TxStatus.Name(status) for status in statuses}
            raise RuntimeError(f"transactions were not committed: {names} {sent.errors[:1]}")
        time.sleep(_PAUSE_S)


def timed(action: Callable[[], object]) -> float:
    """Return how many seconds an action takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _status_request(transaction: Transaction) -> bytes:
    return TxStatusRequest(tx_hash=transaction_hash(transaction).hex()).SerializeToString()

"""A ledger's process under load: throughput, latency, queries, CPU, memory, disk, start.

The same load goes to our node and, where one is given, to an irohad; otherwise what an irohad of
the 1.6 line did on a like machine stands beside our figures, marked as recorded.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self

from benchmarks.figures import Figure, Step, Unit, percentile
from benchmarks.load import (
    COMMANDS,
    QUERIES,
    Account,
    details,
    follow_each,
    lists_of,
    query,
    send_all,
    timed,
    wait_committed,
)
from benchmarks.running_ledger import Irohad, OwnNode, RunningLedger
from chaincode.protocol.queries_pb2 import GetAccount, GetAccountDetail, Query
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.signatures import KeyAlgorithm
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import create_account

_LIST: Final = 500
_LISTS_IN_FLIGHT: Final = 4
_UNARY_IN_FLIGHT: Final = 64
_CONNECTIONS: Final = 4
_CLIENTS: Final = (1, 4)
_DETAILS: Final = 1000
_GAP_S: Final = 0.15
_ROUNDS: Final = 3
_NAMES: Final = MappingProxyType(
    {KeyAlgorithm.ED25519_SHA2: "ed0120 keys", KeyAlgorithm.ED25519_SHA3: "sha3 keys"}
)
_RECORDED: Final = "irohad 1.6, recorded on a like machine"
_RECORDS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "transactions in lists of 500, sha3 keys": 983,
        "lone transaction to COMMITTED on the stream, p50": 55,
        "lone transaction to COMMITTED on the stream, p95": 57,
        "GetAccount, 1 client": 1_930,
        "GetAccount, 4 clients": 3_740,
        "GetAccountDetail by key and writer of 1,000 details, 1 client": 182,
        "GetAccountDetail by key and writer of 1,000 details, 4 clients": 207,
        "GetAccountDetail, all 1,000 details, 1 client": 128,
        "GetAccountDetail, all 1,000 details, 4 clients": 183,
        "memory after the load": 94,
        "disk, a transaction": 914,
    }
)
"""The best that was measured of it, in RocksDB, whatever its configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """How much is sent.

    Attributes:
        transactions: In lists, in each round.
        unary: One by one, in each round.
        lone: Alone.
        queries: Of each cheap kind, in each round; an eighth of it where 1,000 details are asked.
    """

    transactions: int = 20_000
    unary: int = 8_000
    lone: int = 300
    queries: int = 4_000


SHORT: Final = Amounts(transactions=4_000, unary=1_000, lone=40, queries=400)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How transactions are sent, and what bounds that."""

    path: str
    in_flight: int
    serialise: Callable[[Sequence[Transaction]], Sequence[bytes]]
    bound_by: str


class _Loaded:
    """One ledger, and its accounts."""

    def __init__(self, ledger: RunningLedger) -> None:
        self.ledger = ledger
        self.sent = 0
        self._numbers = itertools.count()
        self.algorithms = ledger.algorithms

    def new_account(self, algorithm: KeyAlgorithm) -> Account:
        key = AccountKey.generate(algorithm)
        account = Account(f"bench_{next(self._numbers)}@holder", key)
        with self.ledger.admin() as admin:
            admin.submit(create_account(account.account_id, key.public_key))
        return account

    def commit(self, requests: Sequence[bytes], path: str, in_flight: int) -> None:
        sent = send_all(
            self.ledger.address, path, requests, clients=_CONNECTIONS, in_flight=in_flight
        )
        if sent.errors:
            raise RuntimeError(f"{len(sent.errors)} requests were refused: {sent.errors[0]}")


class UnderLoad:
    """Our node and, where its program is given, an irohad. A context; on leaving, they stop."""

    def __init__(self, folder: Path, amounts: Amounts, irohad: str | None) -> None:
        """Prepare; entering starts them.

        Args:
            folder: Where their files go: on the disk that is to be measured.
            amounts: How much is sent.
            irohad: The program of an irohad.
        """
        self._folder = folder
        self._amounts = amounts
        self._program = irohad
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            own = stack.enter_context(OwnNode(self._folder / "own"))
            self._own = _Loaded(own)
            self._peers: dict[str, _Loaded] = {}
            if self._program:
                irohad = Irohad(self._folder / "irohad", self._program)
                self._peers["irohad, same run"] = _Loaded(stack.enter_context(irohad))
            self._opened = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def steps(self) -> Sequence[Step]:
        """Return what is measured here."""
        kinds = [
            (f"{name}, {_NAMES[algorithm]}", partial(take, algorithm))
            for name, take in (("lists", self._take_lists), ("unary", self._take_unary))
            for algorithm in KeyAlgorithm
        ]
        return [
            *(Step(name=name, take=take) for name, take in kinds),
            Step(name="lone transactions under load client", take=self._take_lone),
            *(
                Step(name=f"queries, {n} clients", take=partial(self._take_queries, n))
                for n in _CLIENTS
            ),
            Step(name="memory, disk, start", take=self._take_rest),
        ]

    def _figure(
        self, name: str, unit: Unit, ours: float, peers: Mapping[str, float], bound_by: str = ""
    ) -> Figure:
        beside = dict(peers)
        if not beside and name in _RECORDS:
            beside[_RECORDED] = _RECORDS[name]
        return Figure(
            group="ledger", name=name, unit=unit, value=ours, peers=beside, bound_by=bound_by
        )

    def _loaded(self, algorithm: KeyAlgorithm) -> Iterator[tuple[str, _Loaded]]:
        yield "", self._own
        for name, peer in self._peers.items():
            if algorithm in peer.algorithms:
                yield name, peer

    def _take_lists(self, algorithm: KeyAlgorithm) -> Iterator[Figure]:
        way = _Way(
            path=COMMANDS + "ListTorii",
            in_flight=_LISTS_IN_FLIGHT,
            serialise=lambda transactions: lists_of(transactions, _LIST),
            bound_by="CPU: a third is the signature, the rest rules and stores, in one Python",
        )
        name = f"transactions in lists of {_LIST}, {_NAMES[algorithm]}"
        return self._take_throughput(name, algorithm, self._amounts.transactions, way)

    def _take_unary(self, algorithm: KeyAlgorithm) -> Iterator[Figure]:
        way = _Way(
            path=COMMANDS + "Torii",
            in_flight=_UNARY_IN_FLIGHT,
            serialise=lambda transactions: [each.SerializeToString() for each in transactions],
            bound_by="CPU: the call, the signature, and blocks as small as what arrives meanwhile",
        )
        name = f"transactions one by one, {_NAMES[algorithm]}"
        return self._take_throughput(name, algorithm, self._amounts.unary, way)

    def _take_throughput(
        self, name: str, algorithm: KeyAlgorithm, count: int, way: _Way
    ) -> Iterator[Figure]:
        rates: dict[str, list[float]] = {}
        cpu_us: dict[str, list[float]] = {}
        accounts = {peer: each.new_account(algorithm) for peer, each in self._loaded(algorithm)}
        for _ in range(_ROUNDS):
            for peer, loaded in self._loaded(algorithm):
                transactions = details(accounts[peer], count)
                requests = way.serialise(transactions)
                last = transactions[-_LIST * _LISTS_IN_FLIGHT :: _LIST // 4]
                cpu_s = loaded.ledger.cpu_s()

                def run(
                    loaded: _Loaded = loaded,
                    requests: Sequence[bytes] = requests,
                    last: Sequence[Transaction] = (*last, transactions[-1]),
                ) -> None:
                    loaded.commit(requests, way.path, way.in_flight)
                    wait_committed(loaded.ledger.address, last)

                rates.setdefault(peer, []).append(count / timed(run))
                loaded.sent += count
                cpu_us.setdefault(peer, []).append((loaded.ledger.cpu_s() - cpu_s) / count * 1e6)
        best = {peer: max(values) for peer, values in rates.items()}
        least = {peer: min(values) for peer, values in cpu_us.items()}
        yield self._figure(name, Unit.PER_SECOND, best.pop(""), best, way.bound_by)
        yield self._figure(
            f"{name}: CPU of the node for each", Unit.MICROSECONDS, least.pop(""), least
        )

    def _take_lone(self) -> Iterator[Figure]:
        algorithm = KeyAlgorithm.ED25519_SHA3
        times = {}
        for peer, loaded in self._loaded(algorithm):
            transactions = details(loaded.new_account(algorithm), self._amounts.lone, keys=10)
            times[peer] = follow_each(loaded.ledger.address, transactions, _GAP_S)
            loaded.sent += len(transactions)
        for percent in (50, 95, 99):
            taken = {peer: percentile(values, percent) for peer, values in times.items()}
            yield self._figure(
                f"lone transaction to COMMITTED on the stream, p{percent}",
                Unit.MILLISECONDS,
                taken.pop(""),
                taken,
                "the disk: one fdatasync of the block file",
            )

    def _take_queries(self, clients: int) -> Iterator[Figure]:
        algorithm = KeyAlgorithm.ED25519_SHA3
        rates: dict[str, dict[str, float]] = {}
        for peer, loaded in self._loaded(algorithm):
            plain, rich = loaded.new_account(algorithm), loaded.new_account(algorithm)
            transactions = details(rich, _DETAILS)
            loaded.commit(lists_of(transactions, _LIST), COMMANDS + "ListTorii", 1)
            wait_committed(loaded.ledger.address, transactions[-1:])
            loaded.sent += _DETAILS
            for name, (account, payload, count) in self._queries(plain, rich).items():
                best = 0.0
                for _ in range(_ROUNDS):
                    requests = [query(account, payload) for _ in range(count)]
                    sent = send_all(
                        loaded.ledger.address,
                        QUERIES + "Find",
                        requests,
                        clients=clients,
                        in_flight=clients,
                    )
                    if sent.errors:
                        raise RuntimeError(f"queries failed: {sent.errors[0]}")
                    best = max(best, count / sent.seconds)
                rates.setdefault(name, {})[peer] = best
        shown = f"{clients} client{'s' if clients > 1 else ''}"
        for name, peers in rates.items():
            bound_by = "CPU: the signature of the query, and one Python that answers"
            yield self._figure(f"{name}, {shown}", Unit.PER_SECOND, peers.pop(""), peers, bound_by)

    def _queries(
        self, plain: Account, rich: Account
    ) -> Mapping[str, tuple[Account, Query.Payload, int]]:
        count = self._amounts.queries
        one = GetAccountDetail(account_id=rich.account_id, key="k_77", writer=rich.account_id)
        every = GetAccountDetail(account_id=rich.account_id)
        account = GetAccount(account_id=plain.account_id)
        return {
            "GetAccount": (plain, Query.Payload(get_account=account), count),
            "GetAccountDetail by key and writer of 1,000 details": (
                rich,
                Query.Payload(get_account_detail=one),
                count,
            ),
            "GetAccountDetail, all 1,000 details": (
                rich,
                Query.Payload(get_account_detail=every),
                max(50, count // 8),
            ),
        }

    def _take_rest(self) -> Iterator[Figure]:
        everyone = {"": self._own, **self._peers}
        memory = {peer: each.ledger.memory_mib() for peer, each in everyone.items()}
        starts = {peer: each.ledger.restart_s() for peer, each in everyone.items()}
        disk = {peer: each.ledger.disk_bytes() / each.sent for peer, each in everyone.items()}
        sent = self._own.sent
        yield self._figure("memory after the load", Unit.MEBIBYTES, memory.pop(""), memory)
        yield self._figure("disk, a transaction", Unit.BYTES, disk.pop(""), disk)
        yield self._figure(
            f"start with {sent:,} transactions",
            Unit.MILLISECONDS,
            starts.pop("") * 1e3,
            {peer: value * 1e3 for peer, value in starts.items()},
            "Python: most of it is the import of modules",
        )

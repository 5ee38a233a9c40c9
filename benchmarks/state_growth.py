"""What a transaction, a proof and a start cost, while the ledger grows to millions of accounts."""

import os
import statistics
import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from benchmarks.figures import Figure, Step, Unit, best_microseconds
from benchmarks.large_ledger import (
    KEY,
    START_MS,
    account_id,
    add_accounts,
    add_transactions,
    detail_transactions,
    make_ledger,
)
from chaincode.checkpoints import Checkpoint, log_origin, sign_checkpoint
from chaincode.merkle_log import log_root
from chaincode.multisignature import PendingBatches
from chaincode.protocol.proofs_pb2 import ProofRequest, StateEntry
from chaincode.protocol.queries_pb2 import QueryPayloadMeta
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.queries.proofs import answer_proof
from chaincode.stateless import TimeWindow
from client_sdk.ledger.proofs import LedgerTrust, verify_state_proof
from node.ledger.engine import Engine
from node.ledger.state_snapshot import StateSnapshot
from node.ledger.stores import STATE_NAME, LedgerStores

_SMALLEST: Final = 10_000
_BLOCKS: Final = 12
_BLOCK: Final = 500
_GROUP: Final = "growth"
_BARE: Final = "one signature check"


def account_sizes(largest: int) -> list[int]:
    """Return the sizes that are measured: 10,000, each power of ten below the largest, and that."""
    sizes = [_SMALLEST]
    while sizes[-1] < largest:
        sizes.append(min(10 * sizes[-1], largest))
    return sizes


class StateGrowth:
    """Ledgers of growing size, made in bulk, each used and left behind."""

    def __init__(
        self,
        folder: Path,
        sizes: Sequence[int],
        transactions: int,
    ) -> None:
        """Prepare.

        Args:
            folder: Where the ledgers go: on the disk that is to be measured.
            sizes: How many accounts they have; the first is what the others are compared with.
            transactions: How many transactions the chain has whose start is measured.
        """
        self._folder = folder
        self._sizes = sizes
        self._transactions = transactions
        self._first_cost: float | None = None

    def steps(self) -> Sequence[Step]:
        """Return what is measured here."""
        return [
            *(
                Step(name=f"{size:,} accounts", take=partial(self._take, size))
                for size in self._sizes
            ),
            Step(name=f"{self._transactions:,} transactions", take=self._take_start),
        ]

    def _take(self, size: int) -> Iterator[Figure]:
        data = self._folder / f"accounts_{size}"
        make_ledger(data)
        before = (data / STATE_NAME).stat().st_size
        started = time.perf_counter()
        add_accounts(data, size)
        yield _figure(f"make {size:,} accounts", Unit.PER_SECOND, size / _since(started))
        grown = (data / STATE_NAME).stat().st_size - before
        yield _figure(f"disk for each of {size:,} accounts", Unit.BYTES, grown / size)
        with LedgerStores(data) as stores:
            yield self._cost(stores, size)
            yield from _proof_figures(stores, size)

    def _cost(self, stores: LedgerStores, size: int) -> Figure:
        """Measure the CPU time of the engine's work, from the bytes of a transaction to its commit.

        What a server of gRPC adds does not depend on the state.
        """
        engine = Engine(stores.blocks, stores.state, KEY)
        seed = int.from_bytes(os.urandom(8))
        sent = (each.SerializeToString() for each in detail_transactions(size, seed=seed))
        window = TimeWindow(now_ms=START_MS)
        times = []
        for _ in range(_BLOCKS):
            data = list(islice(sent, _BLOCK))
            started = time.thread_time()
            batches = engine.check([Transaction.FromString(each) for each in data], window)
            engine.commit(engine.finalize(START_MS, batches))
            times.append((time.thread_time() - started) / _BLOCK * 1e6)
        cost = statistics.median(times)
        first = self._first_cost = self._first_cost or cost
        peers = {} if size == self._sizes[0] else {f"with {self._sizes[0]:,}": first}
        name = f"check, decide and write a transaction with {size:,} accounts"
        return _figure(name, Unit.MICROSECONDS, cost, **peers)

    def _take_start(self) -> Iterator[Figure]:
        data = self._folder / "transactions"
        make_ledger(data)
        add_accounts(data, self._sizes[0])
        add_transactions(data, self._transactions, accounts=self._sizes[0], block=_BLOCK)
        files = sum(file.stat().st_size for file in data.iterdir())
        yield _figure("disk for each transaction", Unit.BYTES, files / self._transactions)
        started = time.perf_counter()
        with LedgerStores(data) as stores:
            milliseconds = _since(started) * 1e3
            height = stores.tip().height
        yield _figure(
            f"open {self._transactions:,} transactions in {height:,} blocks",
            Unit.MILLISECONDS,
            milliseconds,
        )


def _proof_figures(stores: LedgerStores, size: int) -> Iterator[Figure]:
    account = account_id(size // 2)
    payload = ProofRequest.Payload(
        meta=QueryPayloadMeta(creator_account_id=account),
        entries=[StateEntry(account_id=account)],
    )
    with stores.state.snapshot() as view:
        note = _signed_checkpoint(view)
        answer = partial(
            answer_proof,
            view,
            signatory=KEY.public_key,
            pending=PendingBatches(1),
            checkpoint=note,
        )
        proof = answer(ProofRequest(payload=payload)).proof
        trust = LedgerTrust(ledger_id=view.ledger_id() or "", peer_keys=frozenset({KEY.public_key}))
        times = best_microseconds(
            {
                "make": lambda: answer(ProofRequest(payload=payload)),
                "verify": lambda: verify_state_proof(proof, trust),
                _BARE: lambda: trust.verify(note),
            }
        )
    for name in ("make", "verify"):
        yield _figure(
            f"{name} the proof of one of {size:,} accounts",
            Unit.MICROSECONDS,
            times[name],
            **{_BARE: times[_BARE]},
        )
    yield _figure(f"the proof of one of {size:,} accounts", Unit.BYTES, proof.ByteSize())


def _signed_checkpoint(view: StateSnapshot) -> bytes:
    height = view.height()
    checkpoint = Checkpoint(
        origin=log_origin(view.ledger_id() or ""),
        size=height,
        root=log_root(view, height),
        time_s=START_MS // 1000,
    )
    return sign_checkpoint(checkpoint, KEY)


def _figure(name: str, unit: Unit, value: float, **peers: float) -> Figure:
    return Figure(group=_GROUP, name=name, unit=unit, value=value, peers=peers)


def _since(started: float) -> float:
    return time.perf_counter() - started

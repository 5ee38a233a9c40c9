"""What an operator watches over HTTP: `/healthcheck` and `/metrics`, under irohad's names."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from chaincode.protocol.qry_responses_pb2 import HealthcheckData
from chaincode.world_state import DOMAIN_KEYS, get_voters
from node.ledger.health import NodeHealth
from node.ledger.stages import Stages
from node.ledger.state_snapshot import StateSnapshot
from node.ledger.state_store import StateStore
from node.metrics import EVENTS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# irohad declares these for RocksDB and leaves them at 0 where it keeps its state in PostgreSQL.
_ROCKSDB_GAUGES: Final = {
    "rdb_block_cache_capacity": "RocksDB block cache capacity",
    "rdb_block_cache_usage": "RocksDB block cache usage",
    "rdb_all_mem_tables_sz": "RocksDB all mem tables size",
    "rdb_num_snapshots": "RocksDB number of snapshots",
    "rdb_sst_files_size": "RocksDB SST files size",
}


class LedgerCollector(Collector):
    """The gauges of one ledger node, read from its state when Prometheus asks."""

    def __init__(
        self,
        state: StateStore,
        *,
        health: Callable[[], NodeHealth],
        waiting_transactions: Callable[[], int],
        pending: Callable[[], tuple[int, int]],
        stages: Stages,
    ) -> None:
        """Begin to count the uptime.

        Args:
            state: The world state.
            health: Tells how the node is.
            waiting_transactions: Tells how many transactions wait for a block.
            pending: Tells how many batches, and transactions in them, wait for signatures.
            stages: Where the time of each stage is counted.
        """
        self._stages = stages
        self._state = state
        self._health = health
        self._waiting_transactions = waiting_transactions
        self._pending = pending
        self._started_ns = time.monotonic_ns()
        self._counting = threading.Lock()
        self._counted_height = 0
        self._counted_transactions = 0

    def collect(self) -> Iterator[Metric]:
        """Yield all gauges. Those without `tegata_` have irohad's names and texts."""
        health = self._health()
        with self._state.snapshot() as view:
            yield from self._chain_gauges(view)
        yield _gauge("is_syncing_state", "Iroha is syncing state", health.is_syncing)
        yield _gauge("is_healthy", "Iroha is healthy status", health.is_healthy)
        batches, transactions = self._pending()
        yield _gauge("number_of_pending_mst_batches", "Number of pending MST batches", batches)
        yield _gauge(
            "number_of_pending_mst_transactions",
            "Number of pending MST transactions",
            transactions,
        )
        for name, text in _ROCKSDB_GAUGES.items():
            yield _gauge(name, text, 0)
        uptime_ms = (time.monotonic_ns() - self._started_ns) // 1_000_000
        yield _gauge("uptime_ms", "Milliseconds since Irohad started", uptime_ms)
        yield _gauge(
            "tegata_waiting_transactions",
            "Transactions that wait for a block",
            self._waiting_transactions(),
        )
        yield from self._stage_counters()

    def _stage_counters(self) -> Iterator[Metric]:
        seconds = CounterMetricFamily(
            "tegata_stage_seconds", "Time that each stage of transactions took", labels=["stage"]
        )
        transactions = CounterMetricFamily(
            "tegata_stage_transactions", "Transactions that went through it", labels=["stage"]
        )
        for stage, taken_s, count in self._stages.totals():
            seconds.add_metric([stage], taken_s)
            transactions.add_metric([stage], count)
        yield seconds
        yield transactions

    def _chain_gauges(self, view: StateSnapshot) -> Iterator[Metric]:
        tip = view.tip()
        top = view.block_at(tip.height)
        signatures = 0 if top is None else len(top.block_v1.signatures)
        yield _gauge("blocks_height", "Total number of blocks in chain", tip.height)
        yield _gauge(
            "peers_number",
            "Total number peers to send transactions and request proposals",
            len(get_voters(view)),
        )
        domains = sum(1 for _ in view.scan(DOMAIN_KEYS))
        yield _gauge("number_of_domains", "Total number of domains in WSV", domains)
        yield _gauge(
            "total_number_of_transactions",
            "Total number of transactions in blockchain",
            self._count_transactions(view, tip.height),
        )
        yield _gauge(
            "number_of_signatures_in_last_block", "Number of signatures in last block", signatures
        )
        yield _gauge(
            "tegata_last_block_time_seconds", "When the top block was made", tip.time_ms / 1000
        )

    def _count_transactions(self, view: StateSnapshot, height: int) -> int:
        """Return how many transactions are committed; each block is counted once."""
        with self._counting:
            if self._counted_height == 0:
                self._counted_transactions = view.count_transactions()
                self._counted_height = height
            while self._counted_height < height:
                block = view.block_at(self._counted_height + 1)
                if block is not None:
                    self._counted_transactions += len(block.block_v1.payload.transactions)
                self._counted_height += 1
            return self._counted_transactions


def health_app(health: Callable[[], NodeHealth]) -> "WSGIApplication":
    """Return the application that answers `GET /healthcheck` with irohad's JSON."""

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
        if environ["PATH_INFO"].rstrip("/") != "/healthcheck":
            return _plain(start_response, "404 Not Found", "the path is /healthcheck")
        if environ["REQUEST_METHOD"] != "GET":
            return _plain(start_response, "405 Method Not Allowed", "Only GET method supported")
        body = json.dumps(_health_fields(health().message()), separators=(",", ":")).encode()
        headers = [
            ("Content-Type", "application/json; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-cache, no-store, must-revalidate, private, max-age=0"),
        ]
        start_response("200 OK", headers)
        return [body]

    return answer


def metrics_app(collector: LedgerCollector) -> "WSGIApplication":
    """Return the application that answers Prometheus, with the process's own gauges as well."""
    registry = CollectorRegistry()
    registry.register(collector)
    registry.register(EVENTS)
    ProcessCollector(registry=registry)
    return make_wsgi_app(registry)


def _health_fields(data: HealthcheckData) -> dict[str, object]:
    return {
        "memory_consumption": data.memory_consumption,
        "last_block_round": data.last_block_height,
        "last_reject_round": data.last_block_reject,
        "is_syncing": data.is_syncing,
        "status": data.is_healthy,
    }


def _plain(start_response: "StartResponse", status: str, text: str) -> list[bytes]:
    body = text.encode()
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value)

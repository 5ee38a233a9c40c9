"""`python -m benchmarks.soak`: transactions at a steady rate for long; memory, latency, errors.

Lone transactions among them, each followed to COMMITTED on its stream, give the latency. The
result is JSON, and a plot of it.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table

from benchmarks.figures import percentile
from benchmarks.load import (
    COMMANDS,
    Account,
    details,
    follow_each,
    lists_of,
    send_all,
    wait_committed,
)
from benchmarks.machine import read_machine
from benchmarks.plots import plot_soak
from benchmarks.running_ledger import OwnNode
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.signatures import KeyAlgorithm
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import create_account

_SHARE: Final = 0.8
"""Of the limit."""
_LIST: Final = 50
_TRIAL: Final = 50_000
_TRIALS: Final = 8
_SAMPLE_S: Final = 10.0
_PROBES: Final = 30
"""Lone transactions of a sample."""
_SHOWN: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What was seen in some seconds.

    Attributes:
        minute: Since the start.
        sent: Transactions, each second.
        p50_ms: Of the lone ones, until COMMITTED.
        p99_ms: The same.
        memory_mib: The node's, at the end.
        cpu: Cores that the node used.
        errors: Requests that failed, since the start.
    """

    minute: float
    sent: float
    p50_ms: float
    p99_ms: float
    memory_mib: float
    cpu: float
    errors: int


class _Soak:
    def __init__(self, node: OwnNode) -> None:
        self._node = node
        self._errors: list[str] = []
        with node.admin() as admin:
            self._accounts = [AccountKey.generate(KeyAlgorithm.ED25519_SHA2) for _ in range(2)]
            self._load, self._probe = (
                Account(f"soak_{number}@holder", key) for number, key in enumerate(self._accounts)
            )
            for account in (self._load, self._probe):
                admin.submit(create_account(account.account_id, account.key.public_key))

    def find_limit(self) -> float:
        """Return how many transactions a second are committed in lists, at most.

        It goes on until the world state's log was copied many times, and as many transactions are
        signed meanwhile, as during the soak: both take their share of the machine.
        """
        ready = details(self._load, _TRIAL)
        started = time.perf_counter()
        with ThreadPoolExecutor(1) as pool:
            for _ in range(_TRIALS):
                sending = pool.submit(self._send_all, ready)
                ready = details(self._load, _TRIAL)
                sending.result()
        return _TRIALS * _TRIAL / (time.perf_counter() - started)

    def _send_all(self, transactions: Sequence[Transaction]) -> None:
        requests = lists_of(transactions, _LIST)
        send_all(self._node.address, COMMANDS + "ListTorii", requests, clients=2, in_flight=16)
        wait_committed(self._node.address, transactions[-16 * _LIST :: _LIST])

    def samples(self, minutes: float, rate: float) -> Iterator[Sample]:
        """Send at this rate, and yield a sample each ten seconds.

        Transactions are signed for one sample while those of the sample before are sent.
        """
        started = time.perf_counter()
        count = max(_LIST, round(rate * _SAMPLE_S))
        with ThreadPoolExecutor(3) as pool:
            ready = details(self._load, count)
            while (began := time.perf_counter()) - started < minutes * 60:
                cpu_s = self._node.cpu_s()
                sending = pool.submit(self._send, lists_of(ready, _LIST), rate / _LIST)
                probing = pool.submit(self._follow)
                ready = details(self._load, count)
                sending.result()
                times = probing.result()
                seconds = time.perf_counter() - began
                yield Sample(
                    minute=(time.perf_counter() - started) / 60,
                    sent=count / seconds,
                    p50_ms=statistics.median(times),
                    p99_ms=percentile(times, 99),
                    memory_mib=self._node.memory_mib(),
                    cpu=(self._node.cpu_s() - cpu_s) / seconds,
                    errors=len(self._errors),
                )

    def _send(self, requests: Sequence[bytes], rate: float) -> None:
        sent = send_all(
            self._node.address,
            COMMANDS + "ListTorii",
            requests,
            clients=2,
            in_flight=16,
            rate=rate,
        )
        self._errors += sent.errors

    def _follow(self) -> list[float]:
        probes = details(self._probe, _PROBES, keys=10)
        return follow_each(self._node.address, probes, _SAMPLE_S / _PROBES * 0.8)


@click.command()
@click.option("--minutes", type=click.FloatRange(min=0.1), default=30.0, show_default=True)
@click.option(
    "--rate",
    default="auto",
    show_default=True,
    help="Transactions a second; `auto` measures the limit and takes 80 % of it.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("benchmarks/results/soak.json"),
    show_default=True,
    help="Keep the samples in this file.",
)
@click.option(
    "--plot",
    "picture",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("docs/performance-soak.png"),
    show_default=True,
    help="Draw them here.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Where the ledger's files go; the system's temporary folder otherwise.",
)
def main(minutes: float, rate: str, json_file: Path, picture: Path, folder: Path | None) -> None:
    """Send transactions at a steady rate for long."""
    console = Console(highlight=False)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder)))
        machine = read_machine(scratch)
        node = stack.enter_context(OwnNode(scratch / "ledger"))
        soak = _Soak(node)
        if rate == "auto":
            limit = soak.find_limit()
            per_second = _SHARE * limit
            console.print(f"limit {limit:,.0f} tx/s; {_SHARE:.0%} of it: {per_second:,.0f} tx/s")
        else:
            per_second = float(rate)
        samples: list[Sample] = []
        with Live(console=console, refresh_per_second=1) as live:
            for sample in soak.samples(minutes, per_second):
                samples.append(sample)
                live.update(_table(samples[-_SHOWN:]))
                if not console.is_terminal:
                    print(json.dumps(asdict(sample)), file=sys.stderr, flush=True)
        growth = _growth(samples)
        result = {
            "machine": asdict(machine),
            "minutes": minutes,
            "rate": per_second,
            "errors": samples[-1].errors,
            "memory_growth_mib": growth,
            "disk_bytes": node.disk_bytes(),
            "samples": [asdict(sample) for sample in samples],
        }
    json_file.parent.mkdir(parents=True, exist_ok=True)
    json_file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    title = f"{per_second:,.0f} transactions a second for {minutes:g} minutes"
    plot_soak(picture, [asdict(sample) for sample in samples], title)
    console.print(
        f"errors {samples[-1].errors}, memory {growth:+.1f} MiB from the second third to the last; "
        f"kept in {json_file} and {picture}"
    )


def _growth(samples: Sequence[Sample]) -> float:
    """Return how much memory the last third of the time took more than the second one."""
    third = max(1, len(samples) // 3)
    before, after = samples[-2 * third : -third] or samples[:1], samples[-third:]
    return statistics.mean(each.memory_mib for each in after) - statistics.mean(
        each.memory_mib for each in before
    )


def _table(samples: Sequence[Sample]) -> Table:
    table = Table(box=None)
    for heading in ("minute", "tx/s", "p50 ms", "p99 ms", "memory MiB", "cores", "errors"):
        table.add_column(heading, justify="right")
    for each in samples:
        table.add_row(
            f"{each.minute:.1f}",
            f"{each.sent:,.0f}",
            f"{each.p50_ms:.1f}",
            f"{each.p99_ms:.1f}",
            f"{each.memory_mib:.0f}",
            f"{each.cpu:.2f}",
            str(each.errors),
        )
    return table


if __name__ == "__main__":
    main()

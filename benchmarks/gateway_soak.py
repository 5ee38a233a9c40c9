"""`python -m benchmarks.gateway_soak`: a gateway's pages and API at a steady rate for long.

Beside those who ask properly there are ten thousand connections that say nothing, slow ones, and
bodies that are too long. The result is JSON.
"""

import json
import re
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from typing import Final
from urllib.parse import urlencode, urlsplit

import click
import requests
from rich.console import Console

from benchmarks.figures import percentile
from benchmarks.hostile_clients import HostileProcess
from benchmarks.machine import read_machine
from benchmarks.open_town import PASSWORD, OpenTown
from client_sdk.verifier.gateway_client import GatewayClient

_CLIENTS: Final = 16
_REQUESTS: Final = 40
_TIMEOUT_S: Final = 30.0
_SAMPLE_S: Final = 10.0
_WORKERS: Final = 2
_LOGIN: Final = "aiko"
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request of the load, and what is expected.

    Attributes:
        method: GET or POST.
        path: Where.
        body: What is sent.
        headers: What says who asks.
        status: The answer's.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: str | None = None
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What was seen in some seconds.

    Attributes:
        second: Since the start.
        rate: Answers each second.
        p50_ms: From when a request was due until its answer was read.
        p99_ms: The same.
        errors: Requests without the answer that was expected, since the start.
        hostile: Connections of hostile clients that are open.
        memory_mib: The gateway's, all its processes.
        cores: How many the gateway used.
    """

    second: float
    rate: float
    p50_ms: float
    p99_ms: float
    errors: int
    hostile: int
    memory_mib: float
    cores: float


class SteadyLoad:
    """Sends requests at a rate, whatever is answered, over connections that stay open."""

    def __init__(self, address: str, asks: Sequence[Ask], rate: float) -> None:
        """Take what is sent, in turn.

        Args:
            address: `host:port`.
            asks: The requests.
            rate: So many a second.
        """
        self._address = address
        self._asks = asks
        self._rate = rate
        self._numbers = count()
        self._times: list[float] = []
        self.errors: list[str] = []

    def run(self, seconds: float) -> None:
        """Send for so long."""
        self._started = time.perf_counter()
        with ThreadPoolExecutor(_CLIENTS) as pool:
            for sender in [pool.submit(self._send_until, seconds) for _ in range(_CLIENTS)]:
                sender.result()

    def take_times(self) -> list[float]:
        """Return the milliseconds of each answer since this was called last."""
        times, self._times = self._times, []
        return times

    def _send_until(self, seconds: float) -> None:
        line = self._connect()
        while (due_s := (number := next(self._numbers)) / self._rate) < seconds:
            time.sleep(max(0.0, self._started + due_s - time.perf_counter()))
            ask = self._asks[number % len(self._asks)]
            try:
                line.request(ask.method, ask.path, ask.body, ask.headers)
                answer = line.getresponse()
                answer.read()
            except (OSError, HTTPException) as error:
                self.errors.append(f"{ask.method} {ask.path}: {type(error).__name__}: {error}")
                line.close()
                line = self._connect()
                continue
            if answer.status != ask.status:
                self.errors.append(f"{ask.method} {ask.path}: {answer.status}")
            self._times.append((time.perf_counter() - self._started - due_s) * 1e3)
        line.close()

    def _connect(self) -> HTTPConnection:
        return HTTPConnection(self._address, timeout=_TIMEOUT_S)


def mix_of(url: str, api_key: str, cookie: str | None) -> list[Ask]:
    """Return the load: requests are made, fetched, read and seen on pages."""
    bearer = {"Authorization": f"Bearer {api_key}"}
    with GatewayClient(url, api_key) as office:
        made = [
            office.ask(["address"], purpose="Certificate of residence").request_id
            for _ in range(_REQUESTS)
        ]
    new = json.dumps({"attributes": ["address"], "purpose": "Certificate of residence"})
    json_type = {**bearer, "Content-Type": "application/json"}
    asks: list[Ask] = []
    for request_id in made:
        asks += [
            Ask(method="GET", path=f"/requests/{request_id}", headers=bearer),
            Ask(method="GET", path=f"/oid4vp/requests/{request_id}", headers={}),
            Ask(method="POST", path="/requests", headers=json_type, body=new, status=201),
            Ask(method="GET", path="/healthz", headers={}),
        ]
        if cookie is not None:
            page = {"Cookie": cookie, "Accept": "text/html"}
            asks += [
                Ask(method="GET", path="/verifier/", headers=page),
                Ask(method="GET", path=f"/verifier/requests/{request_id}", headers=page),
            ]
    return asks


def log_in(url: str) -> str:
    """Return the cookie of somebody who works at the verifier's page."""
    with requests.Session() as browser:
        page = browser.get(f"{url}/login", timeout=_TIMEOUT_S)
        token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
        assert token is not None, page.text
        form = {"csrf_token": token[1], "name": _LOGIN, "password": PASSWORD}
        answer = browser.post(
            f"{url}/login", data=urlencode(form), headers=_FORM, timeout=_TIMEOUT_S
        )
        assert answer.status_code == 200, answer.text
        return "; ".join(f"{name}={value}" for name, value in browser.cookies.items())


def soak(
    town: OpenTown, load: SteadyLoad, seconds: float, hostile: Callable[[], int]
) -> Iterator[Sample]:
    """Run the load, and yield a sample each ten seconds."""
    started = before = time.perf_counter()
    cpu_s = town.cpu_s("gateway")
    sending = threading.Thread(target=load.run, args=(seconds,))
    sending.start()
    while sending.is_alive():
        sending.join(_SAMPLE_S)
        now, times, used_s = time.perf_counter(), load.take_times(), town.cpu_s("gateway")
        if not times:
            continue
        yield Sample(
            second=round(now - started, 1),
            rate=len(times) / (now - before),
            p50_ms=statistics.median(times),
            p99_ms=percentile(times, 99),
            errors=len(load.errors),
            hostile=hostile(),
            memory_mib=town.memory_mib("gateway"),
            cores=(used_s - cpu_s) / (now - before),
        )
        before, cpu_s = now, used_s


@click.command()
@click.option("--minutes", type=click.FloatRange(min=0.1), default=10.0, show_default=True)
@click.option("--rate", type=click.FloatRange(min=1), default=200.0, show_default=True)
@click.option("--idle", type=click.IntRange(min=0), default=10_000, show_default=True)
@click.option("--slow", type=click.IntRange(min=0), default=200, show_default=True)
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("benchmarks/results/soak-gateway.json"),
    show_default=True,
    help="Keep the samples in this file.",
)
def main(minutes: float, rate: float, idle: int, slow: int, json_file: Path) -> None:
    """Ask a gateway at a steady rate for long, beside clients that mean it no good."""
    console = Console(highlight=False)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        machine = read_machine(scratch)
        (folder := scratch / "town").mkdir()
        town = stack.enter_context(OpenTown(folder, workers=_WORKERS, login=_LOGIN))
        url = town.gateway_url
        address = urlsplit(url).netloc
        load = SteadyLoad(address, mix_of(url, town.api_key, log_in(url)), rate)
        hostile = stack.enter_context(HostileProcess(address, idle=idle, slow=slow))
        samples: list[Sample] = []
        for sample in soak(town, load, minutes * 60, lambda: hostile.counts["connected"]):
            samples.append(sample)
            print(json.dumps(asdict(sample)), file=sys.stderr, flush=True)
        result = {
            "machine": asdict(machine),
            "minutes": minutes,
            "rate": rate,
            "idle": idle,
            "slow": slow,
            "errors": load.errors[:100],
            "closed_by_the_gateway": hostile.counts["closed"],
            "long_bodies_refused": hostile.counts["refused"],
            "long_bodies_taken": hostile.counts["taken"],
            "samples": [asdict(sample) for sample in samples],
        }
    json_file.parent.mkdir(parents=True, exist_ok=True)
    json_file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    p99_ms = max(sample.p99_ms for sample in samples)
    console.print(
        f"{sum(sample.rate for sample in samples) / len(samples):,.0f} a second for {minutes:g} "
        f"minutes, {len(load.errors)} errors, p99 of the worst {_SAMPLE_S:g} s {p99_ms:.0f} ms; "
        f"kept in {json_file}"
    )
    if load.errors:
        sys.exit(1)


if __name__ == "__main__":
    main()

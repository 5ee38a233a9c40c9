"""A gateway over real HTTP: presentations verified each second, with the ledger's records.

Node, issuer and gateway are processes of their own, and share the machine with the clients. What
wallets do is done before: the clock runs only while ready answers are posted and verified. Each
costs the gateway its checks, the ledger's records, and a receipt that the ledger commits.
"""

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import date
from itertools import zip_longest
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlencode, urlsplit

import requests

from benchmarks.figures import Figure, Step, Unit, percentile
from benchmarks.load import post_all
from benchmarks.open_town import OpenTown
from client_sdk.credentials.resident import ResidentAttributes
from client_sdk.issuer.client import IssuerClient
from client_sdk.sealing.vault import CHEAPEST
from client_sdk.verifier.gateway_client import GatewayClient
from client_sdk.wallet import Wallet
from node.cli.demo.thief import TappedLine

ANSWERS: Final = 600
STREAMS: Final = 200
_CLIENTS: Final = 16
_WARM: Final = 32
_WALLETS: Final = 8
"""Each keeps what it has shown: one for all would write its file ever more slowly."""
_WORKERS: Final = int(os.environ.get("WORKERS", "2"))
_GROUP: Final = "gateway"
_RESIDENT: Final = ResidentAttributes(
    name="手形 花子",
    address="青葉県青葉市緑町三丁目14番15号",
    municipality="青葉市",
    birth_date=date(1990, 4, 1),
    sex="2",
)


_Form = tuple[str, str]
"""Where a wallet posts, and what."""


class GatewayBench:
    """A town with a wallet whose answers are ready. A context; on leaving, all is stopped."""

    def __init__(self, folder: Path, *, answers: int = ANSWERS) -> None:
        """Prepare; entering starts the town.

        Args:
            folder: Where its files go.
            answers: How many presentations are verified.
        """
        self._folder = folder / "gateway-bench"
        self._answers = answers
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._folder.mkdir()
        self._town = self._stack.enter_context(OpenTown(self._folder, workers=_WORKERS))
        self._office = self._stack.enter_context(
            GatewayClient(self._town.gateway_url, self._town.api_key)
        )
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def steps(self) -> Sequence[Step]:
        """Return what is measured."""
        return [
            Step(name="gateway: presentations", take=self._present),
            Step(name="gateway: streams", take=self._stream),
        ]

    def _present(self) -> Iterator[Figure]:
        ready = self._prepare_all()
        address = urlsplit(self._town.gateway_url).netloc
        # The first answers of a process pay for what later ones find ready.
        warm, ready = ready[:_WARM], ready[_WARM:]
        post_all(address, warm, clients=_CLIENTS)
        before = {name: self._town.cpu_s(name) for name in ("gateway", "node")}
        sent = post_all(address, ready, clients=_CLIENTS)
        assert not sent.errors, sent.errors[0]
        used = {name: self._town.cpu_s(name) - before[name] for name in before}
        took_s, times = sent.seconds, sent.taken_ms
        yield _figure("presentations verified", Unit.PER_SECOND, len(ready) / took_s)
        for name, cpu_s in used.items():
            each_ms = cpu_s / len(ready) * 1e3
            yield _figure(f"a presentation, processor time: {name}", Unit.MILLISECONDS, each_ms)
        yield _figure("a presentation, p50", Unit.MILLISECONDS, percentile(times, 50))
        yield _figure("a presentation, p99", Unit.MILLISECONDS, percentile(times, 99))

    def _prepare_all(self) -> list[_Form]:
        """Let wallets answer requests, and keep the answers."""
        count = _WARM + self._answers
        shares = [len(range(number, count, _WALLETS)) for number in range(_WALLETS)]
        with ThreadPoolExecutor(_WALLETS) as pool:
            prepared = [*pool.map(self._prepare, range(_WALLETS), shares)]
        # One of each wallet in turn, as they would come.
        return [answer for round_ in zip_longest(*prepared) for answer in round_ if answer]

    def _prepare(self, number: int, count: int) -> list[_Form]:
        town, line = self._town, TappedLine()
        file = self._folder / f"wallet-{number}"
        with (
            IssuerClient(town.issuer_url, town.operator_token) as city,
            Wallet.create(
                file, "bench", trust_anchors=town.trust_anchors, profile=CHEAPEST
            ) as wallet,
        ):
            wallet.register(town.issuer_url, city.enrol(), torii=town.torii)
            offer = city.offer(_RESIDENT)
            wallet.issuance.receive(offer.link, tx_code=offer.tx_code)
        ready = []
        with (
            GatewayClient(town.gateway_url, town.api_key) as office,
            Wallet.open(file, "bench", http=line) as wallet,
        ):
            for _ in range(count):
                created = office.ask(["address"], purpose="Certificate of residence")
                wallet.presentation.answer(wallet.presentation.read_request(created.link))
                url, form = line.kept
                ready.append((urlsplit(url).path, urlencode(form)))
        return ready

    def _stream(self) -> Iterator[Figure]:
        created = self._office.ask(["address"], purpose="Certificate of residence")
        url = f"{self._town.gateway_url}/requests/{created.request_id}"
        headers = {"Authorization": f"Bearer {self._town.api_key}"}

        def read() -> float:
            started = time.perf_counter()
            assert requests.get(url, headers=headers, timeout=60).status_code == 200
            return (time.perf_counter() - started) * 1e3

        alone = [read() for _ in range(50)]
        with ExitStack() as streams:
            for _ in range(STREAMS):
                opened = requests.get(f"{url}/events", headers=headers, stream=True, timeout=60)
                assert opened.status_code == 200
                streams.enter_context(opened)
            beside = [read() for _ in range(50)]
        yield Figure(
            group=_GROUP,
            name=f"a result read beside {STREAMS} streams, p50",
            unit=Unit.MILLISECONDS,
            value=percentile(beside, 50),
            peers={"without streams": percentile(alone, 50)},
        )


def _figure(name: str, unit: Unit, value: float) -> Figure:
    return Figure(group=_GROUP, name=name, unit=unit, value=value, peers={})

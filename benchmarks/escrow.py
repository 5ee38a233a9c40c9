"""An escrow agent in a process of its own: 10,000 deposits, then evaluations among them."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from benchmarks.figures import Figure, Step, Unit, call_milliseconds, percentile
from client_sdk.credentials.jose import generate_key, thumbprint
from client_sdk.escrow.agent_client import AgentClient, SealedBackup
from client_sdk.escrow.agent_set import agent_set
from client_sdk.escrow.deposit_statement import DepositStatement
from client_sdk.escrow.recovery_card import RecoveryCard
from client_sdk.http.client import HttpClient
from client_sdk.sealing.vault import CHEAPEST
from client_sdk.threshold_oprf import KeyShare, blind, evaluate, public_share, share_key
from client_sdk.threshold_oprf.ristretto255 import random_scalar
from node.cli.demo.free_ports import free_addresses
from node.cli.demo.town import ServiceProcess, run

DEPOSITS: Final = 10_000
_CLIENTS: Final = 8
_EVALUATIONS: Final = 200
_BACKUP: Final = bytes(4096 + 40)
_SETTINGS: Final = "[guessing]\nbudget = 100\nunaided = 100\nprompt = 100\n"
_MIB: Final = 1024


class EscrowBench:
    """A new agent and its process. A context; on leaving, it is stopped."""

    def __init__(self, folder: Path, *, deposits: int = DEPOSITS) -> None:
        """Prepare; entering starts the agent.

        Args:
            folder: Where its files go: on the disk that is to be measured.
            deposits: How many deposits are left.
        """
        self._folder = folder / "escrow"
        self._deposits = deposits
        self._opened = ExitStack()
        self._own = threading.local()
        self._cards: list[tuple[RecoveryCard, int]] = []

    def __enter__(self) -> Self:
        (address,) = free_addresses(1)
        self._url = f"http://{address}"
        run("escrow", "init", str(self._folder), "--name", "Bench", "--listen", address)
        config = self._folder / "escrow.toml"
        config.write_text(config.read_text(encoding="utf-8") + _SETTINGS, encoding="utf-8")
        log_file = self._folder.with_suffix(".log")
        self._agent = ServiceProcess(("escrow", "start", str(self._folder)), log_file)
        self._opened.callback(self._agent.stop)
        self._agents = agent_set(1, [self._client().describe().key])
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def steps(self) -> Sequence[Step]:
        """Return what is measured here."""
        return [Step(name=f"{self._deposits} deposits", take=self._take)]

    def _take(self) -> Iterator[Figure]:
        empty_mib = self._memory_mib()
        for number in range(_CLIENTS):
            self._deposit(number)
        few = self._evaluate_all()
        started = time.perf_counter()
        with ThreadPoolExecutor(_CLIENTS) as pool:
            for _ in pool.map(self._deposit, range(_CLIENTS, self._deposits)):
                pass
        taken_s = time.perf_counter() - started
        many = self._evaluate_all()
        yield Figure(
            group="escrow",
            name=f"deposits of 4 KiB, {_CLIENTS} clients, until {self._deposits} are kept",
            unit=Unit.PER_SECOND,
            value=(self._deposits - _CLIENTS) / taken_s,
            peers={},
        )
        yield Figure(
            group="escrow",
            name=f"memory of the agent, {self._deposits} deposits",
            unit=Unit.MEBIBYTES,
            value=self._memory_mib(),
            peers={"without a deposit": empty_mib},
        )
        for percent in (50, 95):
            yield Figure(
                group="escrow",
                name=f"evaluation with {self._deposits} deposits, p{percent}",
                unit=Unit.MILLISECONDS,
                value=percentile(many, percent),
                peers={
                    f"with {_CLIENTS} deposits": percentile(few, percent),
                    "evaluation and proof alone": percentile(self._bare(), percent),
                },
            )

    def _deposit(self, _number: int) -> None:
        card = RecoveryCard.draw(agent_set=self._agents.id, urls=(self._url,))
        shared = share_key(random_scalar(), threshold=1, parties=1)
        owner, success = generate_key(), generate_key()
        statement = DepositStatement(
            handle=card.handle,
            epoch=time.time_ns() // 1_000_000,
            agents=self._agents,
            commitments=shared.commitments,
            kdf=CHEAPEST,
            owner_key=thumbprint(owner),
            success_key=thumbprint(success),
        )
        self._client().deposit(
            card.key,
            card.handle,
            statement=statement.sign(card.key),
            share=shared.shares[0].secret,
            backup=SealedBackup(version=1, sealed=_BACKUP),
        )
        self._cards.append((card, statement.epoch))

    def _evaluate_all(self) -> list[float]:
        blinded = blind(b"a password")

        def ask(number: int) -> None:
            card, epoch = self._cards[number % _CLIENTS]
            self._client().evaluate(
                card.key, card.handle, epoch=epoch, blinded_element=blinded.element
            )

        return call_milliseconds(ask, _EVALUATIONS)

    def _bare(self) -> list[float]:
        shared, blinded = share_key(random_scalar(), threshold=1, parties=1), blind(b"a password")
        share: KeyShare = shared.shares[0]

        def answer(_number: int) -> None:
            evaluate(share, public_share(shared.commitments, 1), blinded.element)

        return call_milliseconds(answer, _EVALUATIONS)

    def _client(self) -> AgentClient:
        """Return the calling thread's own connection."""
        client: AgentClient | None = getattr(self._own, "client", None)
        if client is None:
            http = HttpClient(timeout_s=60)
            self._opened.callback(http.close)
            client = self._own.client = AgentClient(self._url, http)
        return client

    def _memory_mib(self) -> float:
        status = Path(f"/proc/{self._agent.process.pid}/status").read_text(encoding="ascii")
        (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
        return int(line.split()[1]) / _MIB

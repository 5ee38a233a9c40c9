"""Three escrow agents in this process, and a wallet's way to them that a test can disturb."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from flask import Flask
from support.issuer_world import Clock

from client_sdk.credentials.jose import Key, generate_key
from client_sdk.errors import TransportError
from client_sdk.escrow.agent_client import AgentClient
from client_sdk.escrow.protection import Protection, protect
from client_sdk.escrow.recovery_card import RecoveryCard
from client_sdk.escrow.recovery_secret import RecoverySecret
from client_sdk.http.client import HttpAnswer, HttpClient
from client_sdk.sealing.vault import CHEAPEST, KdfProfile
from client_sdk.strict_json import encode_json, parse_strict_json_object
from node.escrow.app import RecoveryParts, create_app
from node.escrow.config import EscrowConfig
from node.escrow.deposits import Deposits
from node.escrow.store import EscrowStore

PASSWORD: Final = "Aoba-Kawa-93-Mikan"
KDF: Final[KdfProfile] = CHEAPEST
CONTENTS: Final[dict[str, Any]] = {"credentials": ["a secret credential"], "grants": []}

Tampering = Callable[[str, str, dict[str, Any]], dict[str, Any] | None]
"""Takes method, path and an honest answer; returns another answer, or None to leave it."""


@dataclass(slots=True, kw_only=True)
class Agent:
    """One agent: its service, store and key."""

    url: str
    config: EscrowConfig
    key: Key
    store: EscrowStore
    app: Flask
    deposits: Deposits
    database: Path


class AgentsHttp(HttpClient):
    """Reaches the agents' applications without a network.

    Attributes:
        down: Addresses that do not answer.
        tampering: What an agent's operator does to its answers, by address.
        sent: Method and path of every request, by address.
    """

    def __init__(self, agents: list[Agent]) -> None:
        super().__init__()
        self._clients = {agent.url: agent.app.test_client() for agent in agents}
        self.down: set[str] = set()
        self.tampering: dict[str, Tampering] = {}
        self.sent: list[tuple[str, str, str]] = []

    def _send(self, method: str, url: str, **options: Any) -> HttpAnswer:
        parts = urlsplit(url)
        base = f"{parts.scheme}://{parts.netloc}"
        if base in self.down or base not in self._clients:
            raise TransportError(f"{parts.netloc}: cannot be reached")
        self.sent.append((base, method, parts.path))
        answer = self._clients[base].open(
            parts.path,
            method=method,
            headers=options["headers"],
            data=options.get("form") or options.get("data"),
        )
        body = answer.data
        if base in self.tampering and answer.status_code == 200:
            changed = self.tampering[base](method, parts.path, parse_strict_json_object(body))
            body = body if changed is None else encode_json(changed)
        return HttpAnswer(status=answer.status_code, media_type=answer.mimetype, body=body)


class EscrowWorld:
    """Agents with one clock, and how they are reached."""

    def __init__(
        self,
        folder: Path,
        *,
        count: int = 3,
        on_disk: bool = False,
        recovery: Sequence[RecoveryParts] = (),
        clock: Clock | None = None,
        **settings: Any,
    ) -> None:
        """Make the agents.

        Args:
            folder: Where files are kept.
            count: How many agents.
            recovery: With what each agent signs recoveries; by default it does not.
            clock: Their clock; a new one by default.
            on_disk: Whether their stores are files, which takes a while with each change.
            settings: What their configuration says beside.
        """
        if not on_disk:
            settings.setdefault("database_url", "sqlite:///:memory:")
        self.clock = clock or Clock()
        self.agents = [
            _make_agent(
                folder, number, self.clock, settings, [*recovery, *[None] * count][number - 1]
            )
            for number in range(1, count + 1)
        ]
        self.http = AgentsHttp(self.agents)

    @property
    def urls(self) -> list[str]:
        return [agent.url for agent in self.agents]

    def client(self, number: int = 1) -> AgentClient:
        return AgentClient(self.agents[number - 1].url, self.http)

    def protect(
        self, secret: RecoverySecret = PASSWORD, *, threshold: int = 2, **options: Any
    ) -> tuple[RecoveryCard, Protection]:
        """Leave `CONTENTS` with all agents."""
        return protect(
            CONTENTS,
            self.urls,
            secret,
            threshold=threshold,
            http=self.http,
            now_ms=self.clock,
            kdf=KDF,
            **options,
        )

    def purge(self) -> None:
        for agent in self.agents:
            agent.deposits.purge()

    def close(self) -> None:
        for agent in self.agents:
            agent.store.close()
        self.http.close()


def _make_agent(
    folder: Path,
    number: int,
    clock: Clock,
    settings: dict[str, Any],
    recovery: RecoveryParts | None,
) -> Agent:
    url = f"https://agent{number}.example"
    database = folder / f"agent{number}.db"
    config = EscrowConfig.model_validate(
        {
            "name": f"Agent {number}",
            "public_url": url,
            "database_url": f"sqlite:///{database}",
            "signing_key_file": folder / f"agent{number}.jwk",
            **settings,
        }
    )
    key, store = generate_key(), EscrowStore(config.database_url)
    app, deposits = create_app(
        config, store=store, signing_key=key, recovery=recovery, now_ms=clock
    )
    return Agent(
        url=url,
        config=config,
        key=key,
        store=store,
        app=app,
        deposits=deposits,
        database=database,
    )

"""A town whose services a test can stop and start again, with its escrow agents."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from node.cli.demo.agents import EscrowAgents
from node.cli.demo.town import ServiceProcess, Town
from node.wallet.desk import Suggestions


class WalletTown(Town):
    """A ledger node, an issuer, a gateway and three agents, as processes."""

    def __init__(self, folder: Path, *, gateway_settings: str = "") -> None:
        """Prepare; nothing is started yet.

        Args:
            folder: An empty folder.
            gateway_settings: TOML to add to the gateway's configuration.
        """
        super().__init__(folder)
        self._gateway_settings = gateway_settings
        self._started: dict[str, tuple[tuple[str, ...], ServiceProcess]] = {}
        self._agents = EscrowAgents(self)
        self._stack = ExitStack()

    @property
    def suggestions(self) -> Suggestions:
        """What a wallet's forms are filled in with here."""
        return Suggestions(
            issuer=self.issuer_url, torii=self.torii, agents=tuple(self._agents.urls)
        )

    def stop(self, name: str) -> None:
        """Stop `node`, `issuer` or `gateway`."""
        self._started[name][1].stop()

    def start(self, name: str) -> None:
        """Start it again."""
        self._serve(*self._started[name][0])

    def _serve(self, *arguments: str) -> ServiceProcess:
        if arguments[0] == "gateway" and arguments[0] not in self._started:
            with (self.folder / "gateway" / "gateway.toml").open("a", encoding="utf-8") as config:
                config.write(self._gateway_settings)
        service = super()._serve(*arguments)
        self._started[arguments[0]] = (arguments, service)
        return service

    def __enter__(self) -> Self:
        super().__enter__()
        self._stack.enter_context(self._agents)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()
        super().__exit__(exc_type, exc, traceback)

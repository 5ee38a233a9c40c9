"""A town whose services a test can stop and start again, with its escrow agents."""

from contextlib import ExitStack
from pathlib import Path
from typing import Self

from support.face_stand import FaceStand
from support.quick_town import QuickTown

from node.cli.demo.agents import EscrowAgents
from node.cli.demo.town import ServiceProcess
from node.wallet.desk import Suggestions


class SeeingAgents(EscrowAgents):
    """Agents that want to see a face at each attempt."""

    def __init__(self, town: QuickTown, faces: FaceStand) -> None:
        super().__init__(town)
        self._faces = faces
        self._started: dict[str, ServiceProcess] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, in the order of their addresses."""
        return tuple(self._started)

    def stop(self, name: str) -> None:
        """Stop an agent."""
        self._started[name].stop()

    def start(self, name: str) -> None:
        """Start it again."""
        self._serve(name)

    def _serve(self, name: str) -> ServiceProcess:
        if name not in self._started:
            folder = Path(self._place(name))
            config = folder / "escrow.toml"
            trusted = self._faces.trust(folder)
            config.write_text(f"face_required = true\n{config.read_text()}{trusted}")
        self._started[name] = super()._serve(name)
        return self._started[name]


class WalletTown(QuickTown):
    """A ledger node, an issuer, a gateway and three agents, as processes."""

    def __init__(self, folder: Path, faces: FaceStand) -> None:
        """Prepare; nothing is started yet.

        Args:
            folder: An empty folder.
            faces: The face service that gateway and agents trust.
        """
        super().__init__(folder)
        self.faces = faces
        self.agents = SeeingAgents(self, faces)
        self._started: dict[str, tuple[tuple[str, ...], ServiceProcess]] = {}
        self._stack = ExitStack()

    @property
    def suggestions(self) -> Suggestions:
        """What a wallet's forms are filled in with here."""
        return Suggestions(issuer=self.issuer_url, torii=self.torii, agents=tuple(self.agents.urls))

    def stop(self, name: str) -> None:
        """Stop `node`, `issuer` or `gateway`."""
        self._started[name][1].stop()

    def start(self, name: str) -> None:
        """Start it again."""
        self._serve(*self._started[name][0])

    def _serve(self, *arguments: str) -> ServiceProcess:
        if arguments[0] == "gateway" and arguments[0] not in self._started:
            folder = self.folder / "gateway"
            with (folder / "gateway.toml").open("a", encoding="utf-8") as config:
                config.write(self.faces.trust(folder))
        service = super()._serve(*arguments)
        self._started[arguments[0]] = (arguments, service)
        return service

    def __enter__(self) -> Self:
        super().__enter__()
        self._stack.enter_context(self.agents)
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()
        super().__exit__(*raised)

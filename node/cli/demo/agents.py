"""The escrow agents of the story: three processes that share one key, and read the ledger each."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from chaincode.signatures import KeyAlgorithm
from node.cli.demo.free_ports import free_addresses
from node.cli.demo.town import ServiceGroup, ServiceProcess, Town, run
from node.cli.escrow import FILE_NAME
from node.config import load_config
from node.errors import KeygenError
from node.escrow.config import EscrowConfig
from node.threshold.ceremony_files import GROUP_FILE
from node.threshold.key_board import KeyBoard
from node.threshold.key_contacts import KeyPlan

ESCROW_ACCOUNT: Final = "agents@holder"
THRESHOLD: Final = 2
AGENTS: Final = ("post_office", "credit_union", "notary")
_MOST_TURNS: Final = 10
_PLAN: Final = KeyPlan(
    purpose="escrow",
    algorithm=KeyAlgorithm.ED25519_SHA2,
    threshold=THRESHOLD,
    parties=len(AGENTS),
)


def make_agents(
    folder: Path,
    network: Path,
    addresses: Sequence[str],
    do: Callable[..., dict[str, str]] = run,
) -> None:
    """Make what there is not yet of three agents, each in `FOLDER/NAME`.

    Args:
        folder: Of all three, on one machine.
        network: The folder of the running node.
        addresses: Where each will listen, `host:port`.
        do: Runs a command.

    Raises:
        ConfigError: A command failed.
        KeygenError: They made no key.
    """
    for name, address in zip(AGENTS, addresses, strict=True):
        if not (folder / name / FILE_NAME).exists():
            do("escrow", "init", str(folder / name), "--name", name, "--listen", address)
    if not all((folder / name / GROUP_FILE).exists() for name in AGENTS):
        _make_key(folder)
    for name in AGENTS:
        if load_config(folder / name / FILE_NAME, EscrowConfig).recovery is None:
            do(
                *("escrow", "join", str(folder / name), "--account", f"{name}@gateway"),
                *("--network", str(network), "--escrow-account", ESCROW_ACCOUNT),
            )


def _make_key(folder: Path) -> None:
    """Let the three make their key: nobody deals it, and nobody ever holds it."""
    boards = {name: KeyBoard(folder / name, folder / "board", _PLAN) for name in AGENTS}
    fingerprint = None
    # Each turn, every party goes as far as the messages of the others allow.
    for _ in range(_MOST_TURNS):
        turn = [
            board.advance(name=name, confirmed_fingerprint=fingerprint)
            for name, board in boards.items()
        ]
        fingerprint = turn[-1].fingerprint
        if all(status.group is not None for status in turn):
            return
    raise KeygenError("the agents made no key")


class EscrowAgents(ServiceGroup):
    """Three agents. Use it as a context."""

    def __init__(self, town: Town) -> None:
        """Prepare; nothing is started yet.

        Args:
            town: The town whose ledger they read; its folder holds theirs.
        """
        super().__init__()
        self._town = town
        self._addresses = free_addresses(len(AGENTS))

    @property
    def urls(self) -> list[str]:
        """Where they are reached."""
        return [f"http://{address}" for address in self._addresses]

    def _start(self) -> None:
        folder = self._town.folder / "agents"
        make_agents(folder, self._town.ledger_folder, self._addresses, self._town.run)
        for name in AGENTS:
            self._serve(name)

    def _serve(self, name: str) -> ServiceProcess:
        arguments = ("escrow", "start", self._place(name))
        service = ServiceProcess(arguments, self._town.folder / f"{name}.log")
        self._processes.callback(service.stop)
        return service

    def _place(self, name: str) -> str:
        return str(self._town.folder / "agents" / name)

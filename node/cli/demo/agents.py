"""The escrow agents of the story: three processes that share one key, and read the ledger each."""

from typing import Final

from chaincode.signatures import KeyAlgorithm
from node.cli.demo.town import ServiceGroup, ServiceProcess, Town, free_addresses
from node.errors import KeygenError
from node.threshold.key_board import KeyBoard
from node.threshold.key_contacts import KeyPlan

ESCROW_ACCOUNT: Final = "agents@holder"
THRESHOLD: Final = 2
_MOST_TURNS: Final = 10
_NAMES: Final = ("post_office", "credit_union", "notary")
_PLAN: Final = KeyPlan(
    purpose="escrow",
    algorithm=KeyAlgorithm.ED25519_SHA2,
    threshold=THRESHOLD,
    parties=len(_NAMES),
)


class EscrowAgents(ServiceGroup):
    """Three agents. Use it as a context."""

    def __init__(self, town: Town) -> None:
        """Prepare; nothing is started yet.

        Args:
            town: The town whose ledger they read; its folder holds theirs.
        """
        super().__init__()
        self._town = town
        self._folder = town.folder / "agents"
        self._addresses = free_addresses(len(_NAMES))

    @property
    def urls(self) -> list[str]:
        """Where they are reached."""
        return [f"http://{address}" for address in self._addresses]

    def _start(self) -> None:
        for name, address in zip(_NAMES, self._addresses, strict=True):
            self._town.run(
                *("escrow", "init", self._place(name), "--name", name, "--listen", address)
            )
        self._make_key()
        for name in _NAMES:
            self._town.run(
                *("escrow", "join", self._place(name), "--account", f"{name}@gateway"),
                *("--network", str(self._town.ledger_folder)),
                *("--escrow-account", ESCROW_ACCOUNT),
            )
        for name in _NAMES:
            self._serve(name)

    def _serve(self, name: str) -> ServiceProcess:
        arguments = ("escrow", "start", self._place(name))
        service = ServiceProcess(arguments, self._town.folder / f"{name}.log")
        self._processes.callback(service.stop)
        return service

    def _place(self, name: str) -> str:
        return str(self._folder / name)

    def _make_key(self) -> None:
        """Let the three make their key: nobody deals it, and nobody ever holds it."""
        boards = {
            name: KeyBoard(self._folder / name, self._folder / "board", _PLAN) for name in _NAMES
        }
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

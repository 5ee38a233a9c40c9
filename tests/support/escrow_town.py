"""Escrow agents as processes of their own, which a test can stop, kill and start again."""

import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from support.command_line import run_inside
from support.processes import NodeProcess

from client_sdk.credentials.jose import Key, parse_private_jwk
from node.cli.demo.free_ports import free_addresses

_START: Final = (sys.executable, "-X", "faulthandler", "-m", "node.cli.main", "escrow", "start")


class EscrowAgent:
    """One agent.

    Attributes:
        folder: Its folder.
        url: Where it is reached, also after it was started again.
    """

    def __init__(self, folder: Path, address: str, *, settings: str = "") -> None:
        """Make the agent's folder.

        Args:
            folder: The folder.
            address: `host:port`.
            settings: TOML to add to its configuration.
        """
        self.folder, self.url = folder, f"http://{address}"
        made = run_inside("escrow", "init", folder, "--name", folder.name, "--listen", address)
        assert made.exit_code == 0, made.output
        config_file = folder / "escrow.toml"
        config_file.write_text(config_file.read_text() + settings)
        self._earlier: list[dict[str, object]] = []
        self._process: NodeProcess | None = None

    @property
    def key(self) -> Key:
        """The agent's private key."""
        return parse_private_jwk(json.loads((self.folder / "keys" / "signing.jwk").read_text()))

    @property
    def database(self) -> Path:
        """The agent's store."""
        return self.folder / "escrow.db"

    @property
    def log(self) -> list[dict[str, object]]:
        """Every line that it has logged."""
        return self._earlier + (self._process.log if self._process else [])

    def wait_for_line(self, wanted: Callable[[dict[str, object]], bool]) -> None:
        """Wait until the process has logged a line that is wanted."""
        assert self._process is not None
        self._process.wait_for_line(wanted)

    @property
    def pid(self) -> int:
        """The process's number."""
        assert self._process is not None
        return self._process.pid

    def start(self, *, is_measured: bool = True) -> None:
        """Start the process, and wait until it is ready."""
        self._process = NodeProcess(self.folder, command=_START, is_measured=is_measured)
        self._process.wait_for_log("ready")

    def stop(self) -> None:
        """End the process as an operator does."""
        if self._process is not None:
            self._process.stop()
            self._end()

    def kill(self) -> None:
        """End the process at once (SIGKILL)."""
        assert self._process is not None
        self._process.kill()
        self._end()

    def _end(self) -> None:
        assert self._process is not None
        self._earlier += self._process.log
        self._process = None


class EscrowTown:
    """Three agents. Use it as a context."""

    def __init__(self, folder: Path, *, settings: str = "") -> None:
        """Make the agents' folders."""
        addresses = free_addresses(3)
        self.folder = folder
        self.agents = [
            EscrowAgent(folder / f"agent{number}", address, settings=settings)
            for number, address in enumerate(addresses, start=1)
        ]
        self._stack = ExitStack()

    @property
    def urls(self) -> list[str]:
        """The agents' addresses."""
        return [agent.url for agent in self.agents]

    def __enter__(self) -> Self:
        for agent in self.agents:
            agent.start()
            self._stack.callback(agent.stop)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

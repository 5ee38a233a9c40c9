"""The processes of a network's peers on this machine: each a ledger node that runs a CometBFT."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from node.errors import ConfigError
from node.network.layout import PeerFolder

END_SECONDS: Final = 30.0


def search_path() -> str:
    """Return where `cometbft` is looked for: beside our own program last."""
    return os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])


class PeerProcess:
    """`tegata node start` for one peer, its log in the peer's folder."""

    def __init__(self, folder: PeerFolder) -> None:
        """Start the process.

        Raises:
            ConfigError: It cannot be run.
        """
        self.folder = folder
        self.log_file = folder.path / "node.log"
        try:
            with self.log_file.open("ab") as log:
                self._process = subprocess.Popen(  # noqa: S603 - our own command line
                    [sys.executable, "-m", "node.cli.main", "node", "start", str(folder.path)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**os.environ, "PATH": search_path()},
                    # A Ctrl-C in the terminal is for the network as a whole.
                    start_new_session=True,
                )
        except OSError as error:
            raise ConfigError(f"{folder.path}: cannot be started: {error.strerror}") from None

    @property
    def ended(self) -> str | None:
        """How the process ended; None while it runs."""
        code = self._process.poll()
        return None if code is None else f"ended with code {code}; see {self.log_file}"

    def ask_to_stop(self) -> None:
        """Send SIGTERM, and do not wait."""
        self._process.terminate()

    def wait(self) -> None:
        """Wait until the process has ended; one that does not end in time is killed."""
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class PeerProcesses:
    """All peers of a network. A context; on leaving, all are stopped."""

    def __init__(self, folders: Sequence[PeerFolder]) -> None:
        self._folders = folders
        self.peers: list[PeerProcess] = []

    def __enter__(self) -> Self:
        try:
            for folder in self._folders:
                self.peers.append(PeerProcess(folder))
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _stop(self) -> None:
        for peer in self.peers:
            peer.ask_to_stop()
        for peer in self.peers:
            peer.wait()

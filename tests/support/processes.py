"""Real ledger nodes for tests: their folders, and their processes."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.protocol.primitive_pb2 import Peer
from chaincode.signatures import KeyAlgorithm
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from node.keypair import save_keypair
from node.ledger.genesis import ADMIN_ACCOUNT, build_genesis, save_genesis

DEADLINE_S = 120
"""Of a machine that is busy with other tests: nothing takes longer where it works."""


_PAUSE_S = 0.05


def wait_until(condition: Callable[[], bool], what: str = "what the test waits for") -> None:
    """Ask again and again until it is so, where nothing tells of it; fail when it does not come.

    Args:
        condition: What is asked.
        what: What is awaited, for the failure.
    """
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"in {DEADLINE_S} s it did not come to this: {what}")
        # A loop without it takes the processor from those who are waited for.
        time.sleep(_PAUSE_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerFolder:
    """A folder that a node can run in, and the keys of its first accounts."""

    path: Path
    node_key: AccountKey
    admin_key: AccountKey
    registry_key: AccountKey

    def admin(self, address: str, *, timeout_s: float = DEADLINE_S) -> LedgerClient:
        """Return a client that acts for `admin@tegata`."""
        return LedgerClient(address, ADMIN_ACCOUNT, self.admin_key, timeout_s=timeout_s)

    def registry(self, address: str, *, timeout_s: float = DEADLINE_S) -> LedgerClient:
        """Return a client that acts for `registry@tegata`."""
        return LedgerClient(address, REGISTRY_ACCOUNT, self.registry_key, timeout_s=timeout_s)


def make_ledger_folder(
    path: Path, *, algorithm: KeyAlgorithm = KeyAlgorithm.ED25519_SHA2, created_time_ms: int = 1
) -> LedgerFolder:
    """Write a new ledger's keys, genesis block and `node.toml` with a port of the system's choice.

    Args:
        path: The folder; it is made.
        algorithm: The scheme of all three keys.
        created_time_ms: The genesis block's time.
    """
    node_key, admin_key, registry_key = (AccountKey.generate(algorithm) for _ in range(3))
    save_keypair(node_key, path / "keys" / "node.priv")
    genesis = build_genesis(
        peers=[Peer(address="127.0.0.1:10001", peer_key=node_key.public_key)],
        admin_key=admin_key.public_key,
        registry_key=registry_key.public_key,
        created_time_ms=created_time_ms,
    )
    save_genesis(genesis, path / "genesis.block")
    (path / "node.toml").write_text('torii = "127.0.0.1:0"\n', encoding="utf-8")
    return LedgerFolder(
        path=path, node_key=node_key, admin_key=admin_key, registry_key=registry_key
    )


class NodeProcess:
    """`tegata node start FOLDER` as a process of its own. A context; on leaving, SIGTERM.

    Attributes:
        log: The lines it has logged so far, decoded; text that is no JSON is under "text".
    """

    def __init__(
        self, folder: Path, *, command: Sequence[str] | None = None, is_measured: bool = True
    ) -> None:
        """Start the process.

        Args:
            folder: The node's folder.
            command: What to run, the folder appended; `tegata node start` where it is left out.
            is_measured: Whether its coverage counts; not where it cannot write whole files.
        """
        self.log: list[dict[str, object]] = []
        self._logged = threading.Condition()
        self._log_ended = False
        start = command or (
            sys.executable,
            "-X",
            "faulthandler",
            "-m",
            "node.cli.main",
            "node",
            "start",
        )
        environment = {
            name: value
            for name, value in os.environ.items()
            if is_measured or not name.startswith("COVERAGE_")
        }
        self._process = subprocess.Popen(
            [*start, str(folder)],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert self._process.stderr is not None
        self._reader = threading.Thread(target=self._read_log, args=(self._process.stderr,))
        self._reader.start()

    @property
    def address(self) -> str:
        """`host:port` of its Torii; waits until it is ready."""
        return str(self.wait_for_log("ledger node ready")["address"])

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def wait_for_log(self, event: str) -> dict[str, object]:
        """Return the first log line of an event; fails when the process ends without it."""
        return self.wait_for_line(lambda line: line.get("event") == event)

    def wait_for_line(self, wanted: Callable[[dict[str, object]], bool]) -> dict[str, object]:
        """Return the first log line that is wanted; fails when the process ends without it."""
        deadline = time.monotonic() + DEADLINE_S
        with self._logged:
            while True:
                for line in self.log:
                    if wanted(line):
                        return line
                left = deadline - time.monotonic()
                if self._log_ended or left <= 0:
                    raise AssertionError(f"the node did not log what was awaited: {self.log}")
                self._logged.wait(left)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal and do not wait."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """Send SIGKILL and wait for the end."""
        self._process.kill()
        self.wait()

    def stop(self) -> int:
        """Send SIGTERM, wait for the end, and return the exit code."""
        self.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Wait for the end; return the exit code, or minus the signal that killed it."""
        try:
            return self._process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            # The fault handler writes where each thread hangs.
            self._process.send_signal(signal.SIGABRT)
            self._process.wait()
            self._reader.join()
            where = "".join(str(line.get("text", "")) for line in self.log)
            raise AssertionError(f"the node did not end:\n{where}") from None
        finally:
            self._reader.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.stop()
        else:
            self._reader.join()

    def _read_log(self, stream: IO[str]) -> None:
        with stream:
            for text in stream:
                try:
                    line = json.loads(text)
                except ValueError:
                    line = {"text": text}
                with self._logged:
                    self.log.append(line)
                    self._logged.notify_all()
        with self._logged:
            self._log_ended = True
            self._logged.notify_all()

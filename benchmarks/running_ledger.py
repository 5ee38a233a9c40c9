"""A ledger's process as a load meets it: ours, or an irohad's."""

import json
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final, Self

from benchmarks.machine import process_cpu_s, process_memory_mib
from chaincode.protocol.primitive_pb2 import Peer
from chaincode.signatures import KeyAlgorithm
from client_sdk.errors import ClientError
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from node.cli.demo.free_ports import free_addresses
from node.cli.demo.town import ServiceProcess
from node.keypair import save_keypair
from node.ledger.genesis import ADMIN_ACCOUNT, build_genesis, save_genesis

_READY_S: Final = 60.0


class RunningLedger(ABC):
    """A new ledger and its process. A context; on leaving, the process is stopped.

    Attributes:
        address: Where Torii is.
        algorithms: The key types that it takes.
    """

    algorithms: tuple[KeyAlgorithm, ...] = tuple(KeyAlgorithm)

    def __init__(self, folder: Path) -> None:
        """Make the ledger's folder; entering starts the process."""
        self.folder = folder
        self.address, self._internal = free_addresses(2)
        self._node_key = AccountKey.generate(KeyAlgorithm.ED25519_SHA3)
        self.admin_key = AccountKey.generate(KeyAlgorithm.ED25519_SHA3)
        save_keypair(self._node_key, folder / "keys" / "node.priv")
        genesis = build_genesis(
            peers=[Peer(address=self._internal, peer_key=self._node_key.public_key)],
            admin_key=self.admin_key.public_key,
            registry_key=AccountKey.generate(KeyAlgorithm.ED25519_SHA3).public_key,
            created_time_ms=1,
        )
        save_genesis(genesis, folder / "genesis.block")
        self._prepare()

    @abstractmethod
    def _prepare(self) -> None:
        """Write the configuration."""

    @abstractmethod
    def start(self) -> None:
        """Start the process; return when it answers."""

    @abstractmethod
    def stop(self) -> None:
        """Stop the process, if it runs, and wait until it has ended."""

    @property
    @abstractmethod
    def pid(self) -> int:
        """The process."""

    def admin(self) -> LedgerClient:
        """Return a client of the administrator."""
        return LedgerClient(self.address, ADMIN_ACCOUNT, self.admin_key, timeout_s=_READY_S)

    def cpu_s(self) -> float:
        """Return how much CPU the process has used, in seconds."""
        return process_cpu_s(self.pid)

    def memory_mib(self) -> float:
        """Return how much memory the process holds now."""
        return process_memory_mib(self.pid)

    def disk_bytes(self) -> int:
        """Return how many bytes of the disk the ledger takes."""
        data = self.folder / "data"
        return sum(path.stat().st_blocks * 512 for path in data.rglob("*") if path.is_file())

    def restart_s(self) -> float:
        """Stop the process and start it again; return how long the start took, in seconds."""
        self.stop()
        started = time.perf_counter()
        self.start()
        return time.perf_counter() - started

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class OwnNode(RunningLedger):
    """`tegata node start`."""

    _process: ServiceProcess | None = None

    def _prepare(self) -> None:
        text = f'torii = "{self.address}"\n'
        (self.folder / "node.toml").write_text(text, encoding="utf-8")

    def start(self) -> None:
        """Start the node."""
        log_file = self.folder / "node.log"
        self._process = ServiceProcess(("node", "start", str(self.folder)), log_file)

    def stop(self) -> None:
        """Stop the node."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    @property
    def pid(self) -> int:
        """The node's process."""
        assert self._process is not None
        return self._process.process.pid


class Irohad(RunningLedger):
    """An irohad of the 1.6 line, with its state in RocksDB and the timeouts that suit it best."""

    algorithms = (KeyAlgorithm.ED25519_SHA3,)
    _process: subprocess.Popen[bytes] | None = None

    def __init__(self, folder: Path, binary: str) -> None:
        """Make the ledger's folder.

        Args:
            folder: Where the files go.
            binary: The program; what follows a blank are further arguments.
        """
        self._command = binary.split()
        super().__init__(folder)

    def _prepare(self) -> None:
        data = self.folder / "data"
        data.mkdir()
        _, _, torii_port = self.address.rpartition(":")
        _, _, internal_port = self._internal.rpartition(":")
        config = {
            "block_store_path": str(data / "blocks"),
            "torii_port": int(torii_port),
            "internal_port": int(internal_port),
            "database": {"type": "rocksdb", "path": str(data / "state")},
            "max_proposal_size": 100,
            "proposal_delay": 100,
            "proposal_creation_timeout": 100,
            "vote_delay": 100,
            "mst_enable": False,
            "mst_expiration_time": 1440,
            "max_rounds_delay": 0,
            "stale_stream_max_rounds": 2,
        }
        (self.folder / "config.json").write_text(json.dumps(config), encoding="utf-8")

    def start(self) -> None:
        """Start irohad, and ask it until it answers."""
        with (self.folder / "irohad.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *self._command,
                    "--config",
                    str(self.folder / "config.json"),
                    "--genesis_block",
                    str(self.folder / "genesis.block"),
                    "--keypair_name",
                    str(self.folder / "keys" / "node"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + _READY_S
        with self.admin() as admin:
            while True:
                try:
                    admin.height()
                except ClientError:
                    if self._process.poll() is not None or time.monotonic() > deadline:
                        raise
                else:
                    return

    def stop(self) -> None:
        """Stop irohad; one that does not end in time is killed."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_READY_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    @property
    def pid(self) -> int:
        """The daemon's process."""
        assert self._process is not None
        return self._process.pid

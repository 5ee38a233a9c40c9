"""A network of peers, each in a network namespace of its own on one bridge, to cut and kill.

It needs root and `ip` of iproute2: where either is missing, tests that use it are skipped, loudly.
"""

import itertools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

import pytest
from support.processes import NodeProcess, wait_until

from client_sdk.errors import TransportError
from client_sdk.http.client import HttpClient
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from node.ledger.genesis import ADMIN_ACCOUNT
from node.network.layout import PeerFolder, PeerPlace, write_network
from node.network.peer_processes import search_path
from node.network.peer_status import NetworkStatus, NetworkWatch

SNAPSHOT_INTERVAL: Final = 10
"""After how many blocks of CometBFT a peer of a lab writes a snapshot."""
_labs = itertools.count()


def require_cometbft() -> None:
    """Skip the test where CometBFT is not installed."""
    if shutil.which("cometbft", path=search_path()) is None or shutil.which("go") is None:
        pytest.skip("NO COMETBFT: nothing of the replicated mode is tested; `make test` needs Go")


def require_namespaces() -> None:
    """Skip the test where no network namespace can be made."""
    require_cometbft()
    name = f"tgprobe{os.getpid()}"
    if shutil.which("ip") is None or _ip("netns", "add", name, check=False):
        pytest.skip(
            "NO NETWORK NAMESPACES: faults of networks are not tested; root and ip are needed"
        )
    _ip("netns", "delete", name)


def _ip(*words: str, check: bool = True) -> int:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.returncode


class LabPeer:
    """One peer, its namespace and its process.

    Attributes:
        address: Its IP address.
        namespace: The name of its network namespace.
        process: The node's process; None while it does not run.
    """

    def __init__(self, lab: str, number: int, folder: PeerFolder, place: PeerPlace) -> None:
        self.number = number
        self.folder = folder
        self.place = place
        self.address = place.host
        self.namespace = f"{lab}n{number}"
        self.process: NodeProcess | None = None

    @property
    def torii(self) -> str:
        """`host:port` of its Torii."""
        return f"{self.address}:{self.place.torii}"

    @property
    def rpc(self) -> str:
        """The URL of its CometBFT."""
        return f"http://{self.address}:{self.place.rpc}"

    def start(self, program: Sequence[str] = ("-m", "node.cli.main", "node", "start")) -> None:
        """Run the node, or another program of Python in its place; return at once."""
        within = ("ip", "netns", "exec", self.namespace, "env", f"PATH={search_path()}")
        within += (sys.executable, *program)
        self.process = NodeProcess(self.folder.path, command=within)

    def wait_ready(self) -> None:
        """Return when clients can connect; several nodes that start at once take their time."""
        assert self.process is not None
        self.process.wait_for_log("ledger node ready")

    def kill(self) -> None:
        """End all its processes at once, as a power cut would."""
        assert self.process is not None
        found = subprocess.run(
            ["ip", "netns", "pids", self.namespace], capture_output=True, text=True, check=True
        )
        for pid in found.stdout.split():
            os.kill(int(pid), 9)
        self.process.wait()
        self.process = None

    def stop(self) -> int:
        """Send SIGTERM, and return the exit code."""
        assert self.process is not None
        code = self.process.stop()
        self.process = None
        return code


class PeerLab:
    """A network of peers on one bridge. A context; on leaving, nothing of it is left.

    Attributes:
        peers: The peers, started.
        admin_key: The key of `admin@tegata`.
        ledger_id: The ledger's id.
    """

    def __init__(self, folder: Path, count: int = 4) -> None:
        """Make the peers' files; entering makes the namespaces and starts the peers.

        Args:
            folder: Where the peers' folders go.
            count: How many peers.
        """
        self.folder = folder
        # The test that goes on for minutes has a lab of its own, beside the one of all others.
        number = next(_labs)
        self._name = f"tg{number}p{os.getpid()}"
        # Of the addresses for tests of networks (RFC 2544).
        self._subnet = f"198.{18 + number % 2}.{os.getpid() % 250 + 1}"
        places = [PeerPlace.on_host(n, f"{self._subnet}.{n}") for n in range(1, count + 1)]
        self.ledger_id = write_network(folder, places, created_time_ms=int(time.time() * 1000))
        self.peers = [
            LabPeer(self._name, number, PeerFolder(path=folder / place.name), place)
            for number, place in enumerate(places, 1)
        ]
        for peer in self.peers:
            with (peer.folder.path / "node.toml").open("a", encoding="utf-8") as config:
                config.write(f"snapshot_interval = {SNAPSHOT_INTERVAL}\n")
        keys = self.peers[0].folder.path / "keys"
        self.admin_key = AccountKey.load(keys / f"{ADMIN_ACCOUNT}.priv")
        self._http = HttpClient(timeout_s=30, retries=0)
        self._bridge = f"{self._name}b"
        self._opened = ExitStack()
        self._added: dict[int, ExitStack] = {}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._wire(stack)
            for peer in self.peers:
                stack.callback(self._end, peer)
                peer.start()
            for peer in self.peers:
                peer.wait_ready()
            self.wait_level()
            self._opened = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def add_place(self) -> LabPeer:
        """Return one more peer, wired, whose files a test writes."""
        number = len(self.peers) + 1
        place = PeerPlace.on_host(number, f"{self._subnet}.{number}")
        peer = LabPeer(self._name, number, PeerFolder(path=self.folder / place.name), place)
        stack = self._opened.enter_context(ExitStack())
        self._connect(peer, stack)
        stack.callback(self._end, peer)
        self.peers.append(peer)
        self._added[peer.number] = stack
        return peer

    def remove_place(self, peer: LabPeer) -> None:
        """Take a peer away that `add_place` returned, with its files."""
        self.peers.remove(peer)
        self._added.pop(peer.number).close()
        shutil.rmtree(peer.folder.path)

    def client(self, peer: LabPeer, *, timeout_s: float = 20) -> LedgerClient:
        """Return a client of the administrator at a peer."""
        return LedgerClient(peer.torii, ADMIN_ACCOUNT, self.admin_key, timeout_s=timeout_s)

    def status(self, peers: Sequence[LabPeer] | None = None) -> NetworkStatus:
        """Return how the network is."""
        asked = [(peer.folder.name, peer.rpc) for peer in peers or self.peers]
        return NetworkWatch(asked, self._http).look()

    def wait_level(self, peers: Sequence[LabPeer] | None = None) -> NetworkStatus:
        """Return when peers all have the same height and agree on the state there.

        A state that differs fails at once.
        """
        found = self.status(peers)

        def is_level() -> bool:
            nonlocal found
            found = self.status(peers)
            assert found.is_agreed is not False, found
            heights = {peer.height for peer in found.peers}
            return found.is_agreed is True and len(heights) == 1

        wait_until(is_level, "all peers at one height, with one state")
        return found

    def cut_off(self, peer: LabPeer) -> None:
        """Let a peer and the others hear nothing of each other; clients reach all."""
        self._each_pair(peer, "add")

    def heal(self, peer: LabPeer) -> None:
        """Undo `cut_off`."""
        self._each_pair(peer, "delete")

    def _each_pair(self, peer: LabPeer, verb: str) -> None:
        for other in self.peers:
            if other is not peer:
                for near, far in ((peer, other), (other, peer)):
                    route = ("route", verb, "blackhole", f"{far.address}/32")
                    _ip("-n", near.namespace, *route)

    def _wire(self, stack: ExitStack) -> None:
        _ip("link", "add", self._bridge, "type", "bridge")
        stack.callback(_ip, "link", "delete", self._bridge)
        _ip("address", "add", f"{self._subnet}.254/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")
        for peer in self.peers:
            self._connect(peer, stack)

    def _connect(self, peer: LabPeer, stack: ExitStack) -> None:
        name, outside = peer.namespace, f"{self._name}v{peer.number}"
        _ip("netns", "add", name)
        stack.callback(_ip, "netns", "delete", name)
        pair = ("type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "add", outside, *pair)
        # With the namespace it would go too, but later.
        stack.callback(_ip, "link", "delete", outside)
        _ip("link", "set", outside, "master", self._bridge, "up")
        _ip("-n", name, "address", "add", f"{peer.address}/24", "dev", "eth0")
        _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", name, "link", "set", "eth0", "up")

    def _end(self, peer: LabPeer) -> None:
        if peer.process is not None:
            peer.kill()


def tell_height(client: LedgerClient) -> int | None:
    """Return the ledger's height at a peer; None where it cannot be reached."""
    try:
        return client.height()
    except TransportError:
        return None


def running(peers: Iterable[LabPeer]) -> list[LabPeer]:
    """Return those that run."""
    return [peer for peer in peers if peer.process is not None]

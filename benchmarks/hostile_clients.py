"""Clients that mean a service no good: idle connections, slow ones, bodies that are too long.

`python -m benchmarks.hostile_clients ADDRESS IDLE SLOW` runs them until its input ends, and prints
their counts as JSON.
"""

import json
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from types import TracebackType
from typing import Final, Self

import click

_PATIENCE_S: Final = 10.0
_LOOK_S: Final = 0.2
_DRIP_S: Final = 1.0
_OPENED_AT_ONCE: Final = 200
_LONG_BYTES: Final = 9 << 20
_BEGINNINGS: Final = {
    "idle": b"",
    # Slow loris: the head of a request that never ends.
    "slow head": b"GET /healthz HTTP/1.1\r\nHost: slow.example\r\nX-Slow: ",
    "slow body": b"POST /requests HTTP/1.1\r\nHost: slow.example\r\n"
    b"Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n",
}


class HostileClients:
    """Connections to one address, as many of each kind as wanted; what is closed is opened again.

    Attributes:
        closed: How many of each kind the service has closed.
        refused: How many bodies that were too long it did not take.
        taken: How many it took.
    """

    def __init__(self, address: str, *, idle: int, slow: int) -> None:
        """Take a service's address; `run` connects.

        Args:
            address: `host:port`.
            idle: How many connections say nothing.
            slow: How many send a request drop by drop: half of them its head, half its body.
        """
        host, _, port = address.rpartition(":")
        self._address = (host, int(port))
        self._wanted = {"idle": idle, "slow head": slow - slow // 2, "slow body": slow // 2}
        self._open: dict[str, set[socket.socket]] = {kind: set() for kind in self._wanted}
        self._selector = selectors.DefaultSelector()
        self.closed: Counter[str] = Counter()
        self.refused = self.taken = 0

    @property
    def counts(self) -> dict[str, int]:
        """What has happened so far."""
        return {
            "connected": sum(map(len, self._open.values())),
            "closed": self.closed.total(),
            "refused": self.refused,
            "taken": self.taken,
        }

    def run(self, is_stopped: Callable[[], bool]) -> None:
        """Be a nuisance until told to stop."""
        next_drip = 0.0
        try:
            while not is_stopped():
                self._connect()
                for key, _ in self._selector.select(_LOOK_S):
                    self._hear(key.data, key.fileobj)  # type: ignore[arg-type] # as registered
                if (now := time.monotonic()) >= next_drip:
                    next_drip = now + _DRIP_S
                    self._drip()
                    self._send_too_much()
        finally:
            for kind, sockets in self._open.items():
                for connection in [*sockets]:
                    self._close(kind, connection)
            self._selector.close()

    def _connect(self) -> None:
        """Open what is missing, a few at a time."""
        for kind, wanted in self._wanted.items():
            for _ in range(min(_OPENED_AT_ONCE, wanted - len(self._open[kind]))):
                try:
                    connection = socket.create_connection(self._address, timeout=_PATIENCE_S)
                    connection.sendall(_BEGINNINGS[kind])
                except OSError:
                    break
                connection.setblocking(False)
                self._selector.register(connection, selectors.EVENT_READ, kind)
                self._open[kind].add(connection)

    def _hear(self, kind: str, connection: socket.socket) -> None:
        """Read what the service says; mostly that it has closed the connection."""
        with suppress(OSError):
            if connection.recv(4096):
                return
        self.closed[kind] += 1
        self._close(kind, connection)

    def _close(self, kind: str, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        self._open[kind].discard(connection)
        connection.close()

    def _drip(self) -> None:
        for kind in ("slow head", "slow body"):
            for connection in self._open[kind]:
                # Where it was closed, that is heard in its turn.
                with suppress(OSError):
                    connection.send(b"x")

    def _send_too_much(self) -> None:
        """Send a body that no route takes; the service may close before it has come."""
        line = HTTPConnection(*self._address, timeout=_PATIENCE_S)
        try:
            line.request("POST", "/requests", iter([bytes(_LONG_BYTES)]), encode_chunked=True)
            is_taken = line.getresponse().status < 400
        except (OSError, HTTPException):
            is_taken = False
        finally:
            line.close()
        self.taken += is_taken
        self.refused += not is_taken


class HostileProcess:
    """Hostile clients in a process of their own. A context.

    Attributes:
        counts: As `HostileClients.counts`, some time ago.
    """

    def __init__(self, address: str, *, idle: int, slow: int) -> None:
        """Prepare, as `HostileClients`; entering begins and waits until all are connected."""
        self._command = [
            sys.executable,
            "-m",
            "benchmarks.hostile_clients",
            address,
            str(idle),
            str(slow),
        ]
        self._wanted = idle + slow
        self._ready = threading.Event()
        self.counts: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self._ready.wait()
        return self

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.counts = json.loads(line)
            if self.counts["connected"] >= self._wanted:
                self._ready.set()
        self._ready.set()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._reader.join()
        self._process.wait()


@click.command()
@click.argument("address")
@click.argument("idle", type=int)
@click.argument("slow", type=int)
def main(address: str, idle: int, slow: int) -> None:
    """Be hostile to the service at ADDRESS until the input ends."""
    clients, ended = HostileClients(address, idle=idle, slow=slow), threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()

    def is_stopped() -> bool:
        print(json.dumps(clients.counts), flush=True)
        return ended.is_set()

    clients.run(is_stopped)


if __name__ == "__main__":
    main()

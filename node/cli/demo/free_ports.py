"""Ports that nobody has, for what must be told its address before it runs."""

import itertools
import os
import socket
from typing import Final

from node.errors import ConfigError

_PORTS: Final = range(12_000, 27_000)
"""Below those that systems give to connections: one of these could take a port before its service
does, or while that is started anew."""
# Each process begins at a place of its own, far from those whose numbers are near.
_places = itertools.count(os.getpid() * 487)


def free_ports(count: int) -> list[int]:
    """Return the numbers of ports of 127.0.0.1, in a row, that nobody listens on.

    They are other ones each time.

    Raises:
        ConfigError: There are none.
    """
    row: list[int] = []
    for _ in _PORTS:
        port = _PORTS[next(_places) % len(_PORTS)]
        if not _is_free(port):
            row = []
            continue
        row = [*row, port] if row and port == row[-1] + 1 else [port]
        if len(row) == count:
            return row
    raise ConfigError(f"{count} ports in a row are free nowhere from {_PORTS[0]} to {_PORTS[-1]}")


def free_addresses(count: int) -> list[str]:
    """Return `host:port` of so many ports of this machine that nobody listens on.

    Raises:
        ConfigError: There are none.
    """
    return [f"127.0.0.1:{port}" for port in free_ports(count)]


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True

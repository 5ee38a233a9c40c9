"""Ports in a row that nobody has, for what cannot let the system choose."""

import os
import socket
from contextlib import ExitStack


def first_of_free_ports(count: int) -> int:
    """Return the first of so many ports that nobody has at this moment.

    They lie below those that systems give to connections: one of these could come in between. Each
    process begins at a place of its own.
    """
    lowest, highest = 10_000, 20_000 - count
    begin = os.getpid() * 100 % (highest - lowest)
    for step in range(0, highest - lowest, count):
        first = lowest + (begin + step) % (highest - lowest)
        with ExitStack() as held:
            try:
                for port in range(first, first + count):
                    held.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
            return first
    raise AssertionError("no ports are free")

"""Connections of `requests` on which an answer has to begin in time, however slowly it drips."""

import io
import socket
import time
from http.client import HTTPResponse
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class _TimelyReader(io.RawIOBase):
    """Reads a socket until a moment: its own time-out begins anew with every drop."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._raw = connection.makefile("rb", buffering=0)
        self._timeout_s = connection.gettimeout()
        self._deadline = time.monotonic() + (self._timeout_s or float("inf"))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._deadline < float("inf"):
            left_s = self._deadline - time.monotonic()
            if left_s <= 0:
                raise TimeoutError("the answer did not begin in time")
            self._connection.settimeout(left_s)
        return self._raw.readinto(buffer)

    def lift_deadline(self) -> None:
        """Go on without: whoever reads on has a deadline of its own."""
        self._deadline = float("inf")
        self._connection.settimeout(self._timeout_s)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimelyResponse(HTTPResponse):
    """An answer whose status line and headers are there in time, however slowly they drip."""

    def __init__(self, sock: socket.socket, *arguments: Any, **named: Any) -> None:
        super().__init__(sock, *arguments, **named)
        self.fp.close()
        self._reader = _TimelyReader(sock)
        self.fp = io.BufferedReader(self._reader)

    def begin(self) -> None:
        super().begin()
        self._reader.lift_deadline()


class _TimelyHttpConnection(HTTPConnection):
    response_class = _TimelyResponse


class _TimelyHttpsConnection(HTTPSConnection):
    response_class = _TimelyResponse


class _TimelyHttpPool(HTTPConnectionPool):
    ConnectionCls = _TimelyHttpConnection


class _TimelyHttpsPool(HTTPSConnectionPool):
    ConnectionCls = _TimelyHttpsConnection


class TimelyAdapter(HTTPAdapter):
    """Connections on which an answer has to begin in time."""

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        """Make the pools of such connections."""
        super().init_poolmanager(*arguments, **named)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _TimelyHttpPool,
            "https": _TimelyHttpsPool,
        }

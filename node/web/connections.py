"""Connections: any number may wait, and none that waits costs those that are answered anything.

waitress asks each of its connections, each time that anything happens, what it wants. Here those
that wait for a request, or for the rest of one, stand apart, and the system (epoll, kqueue) says
which of them have sent something. Where there are too many, one that has waited longest is closed:
neither connections that say nothing nor requests that come drop by drop shut others out.
"""

import selectors
import time
from collections import OrderedDict
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, Final

import structlog
from waitress import wasyncore  # type: ignore[import-untyped]
from waitress.channel import HTTPChannel  # type: ignore[import-untyped]
from waitress.server import TcpWSGIServer  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_LOOKS: Final = 8
"""How often, while a connection may wait, it is looked who has waited too long."""
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.web")


class WaitingConnections:
    """The connections that wait for their clients: one entry among those that waitress asks.

    Only the server's own thread uses it.
    """

    accepting = False
    """That it takes no new connections, as waitress asks it."""

    def __init__(
        self,
        asked: "MutableMapping[int, Any]",
        *,
        patience_s: float,
        most_bytes: int,
    ) -> None:
        """Begin with none.

        Args:
            asked: What waitress asks, by file number; this enters itself.
            patience_s: How long a connection may wait for a request, and then for the rest of it.
            most_bytes: How much of unfinished requests is kept, of all together.
        """
        self._asked = asked
        self._patience_s = patience_s
        self._most_bytes = most_bytes
        self._selector = selectors.DefaultSelector()
        self._fileno = self._selector.fileno()
        # All in the order of time.
        self._strangers: OrderedDict[Connection, float] = OrderedDict()
        self._callers: OrderedDict[Connection, float] = OrderedDict()
        self._unfinished: OrderedDict[Connection, int] = OrderedDict()
        self._bytes = 0
        self._closed = 0
        asked[self._fileno] = self

    def enter(self, connection: "Connection") -> None:
        """Let a connection wait."""
        self._asked.pop(connection.fileno(), None)
        if not connection.is_watched:
            self._selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.is_watched = True
        self._begin(connection)

    def remove(self, connection: "Connection") -> None:
        """Let a connection that ends wait no more."""
        self._forget(connection)
        self._unwatch(connection)

    def _unwatch(self, connection: "Connection") -> None:
        if connection.is_watched:
            self._selector.unregister(connection.socket)
            connection.is_watched = False

    def _begin(self, connection: "Connection") -> None:
        waiting = self._callers if connection.has_asked else self._strangers
        waiting[connection] = time.monotonic()

    def _forget(self, connection: "Connection") -> None:
        self._strangers.pop(connection, None)
        self._callers.pop(connection, None)
        self._bytes -= self._unfinished.pop(connection, 0)

    def _is_waiting(self, connection: "Connection") -> bool:
        return connection in self._strangers or connection in self._callers

    def close_longest(self) -> None:
        """Close the connection that has waited longest, where there is one.

        Of those who have asked and those who have not, the side that has more gives way: no crowd
        of strangers drives out a caller, and no crowd of callers keeps a stranger from asking.
        """
        strangers, callers = self._strangers, self._callers
        self._close_first(strangers if len(strangers) >= len(callers) else callers)

    def close_overdue(self) -> None:
        """Close what has waited too long."""
        before = time.monotonic() - self._patience_s
        for waiting in (self._strangers, self._callers):
            while waiting and next(iter(waiting.values())) <= before:
                self._close_first(waiting)
        if self._closed:
            left = len(self._strangers) + len(self._callers)
            _log.info("connections_closed", closed=self._closed, waiting=left)
            self._closed = 0

    def _close_first(self, ordered: "OrderedDict[Connection, Any]") -> None:
        connection = next(iter(ordered), None)
        if connection is not None:
            self._closed += 1
            connection.handle_close()

    def readable(self) -> bool:
        """Tell waitress that what is sent is wanted."""
        return True

    def writable(self) -> bool:
        """Tell waitress that nothing is sent."""
        return False

    def handle_read_event(self) -> None:
        """Read what has come of requests; those that are whole go their way."""
        for key, _ in self._selector.select(0):
            connection: Connection = key.data
            if not self._is_waiting(connection):
                # It is being answered; its client sends more, or has left. Mostly none does, so
                # that a connection need not be unwatched for each request.
                self._unwatch(connection)
            else:
                begun = connection.request
                wasyncore.read(connection)
                if self._is_waiting(connection):
                    self._see(connection, is_same=connection.request is begun)
        while self._bytes > self._most_bytes:
            self._close_first(self._unfinished)

    def _see(self, connection: "Connection", *, is_same: bool) -> None:
        """Look at a connection that was read, of the same request as before or of another."""
        if not connection.is_waiting():
            self._forget(connection)
            self._asked[connection.fileno()] = connection
            return
        if connection.request is None or not is_same:
            # It was answered already, or has begun: its client has all the time again.
            self._forget(connection)
            self._begin(connection)
        if connection.request is not None:
            size = connection.received_bytes()
            self._bytes += size - self._unfinished.get(connection, 0)
            self._unfinished[connection] = size

    def close(self) -> None:
        """End with the server, which closes the connections that it answers."""
        self._asked.pop(self._fileno, None)
        for key in [*self._selector.get_map().values()]:
            self._unwatch(key.data)
        for connection in [*self._strangers, *self._callers]:
            connection.handle_close()
        self._selector.close()


class Connection(HTTPChannel):  # type: ignore[misc]
    """A connection that leaves waitress's list while it only waits for its client.

    Attributes:
        has_asked: Whether a whole request has come.
        is_watched: Whether the system tells of what its client sends.
    """

    server: "ConnectionServer"
    has_asked = False
    is_watched = False

    def is_waiting(self) -> bool:
        """Tell whether nothing can be done before the client sends more."""
        # A thread that has just answered holds the lock until it has nothing more to send.
        with self.requests_lock:
            return bool(not self.requests and super().readable() and not self.writable())

    def received_bytes(self) -> int:
        """Return how much has come of the request that is not whole yet."""
        size: int = self.request.header_bytes_received + self.request.body_bytes_received
        return size

    def readable(self) -> bool:
        """Tell waitress whether to look for what is sent; from now on it may be told so."""
        if self.is_waiting():
            self.server.waiting.enter(self)
            return False
        is_wanted: bool = super().readable()
        return is_wanted

    def _flush_some(self, do_close: bool = True) -> bool:  # noqa: ARG002
        """Send what there is to send; as waitress does, but never two threads at once."""
        # waitress's own thread asks for no lock once the last request is answered. The thread
        # that answered it may just then say "100 Continue" to the next. Where its client has left,
        # that thread must not close: the server's own hears of it from the system.
        with self.outbuf_lock:
            has_sent: bool = super()._flush_some(do_close=False)
        return has_sent

    def fileno(self) -> int:
        """Return the number of the socket's file."""
        number: int = self._fileno
        return number

    def add_channel(self, map: Any = None) -> None:  # noqa: A002, ARG002
        """Begin, as one that waits."""
        self.server.active_channels[self._fileno] = self
        self.server.waiting.enter(self)

    def del_channel(self, map: Any = None) -> None:  # noqa: A002
        """End."""
        self.server.waiting.remove(self)
        super().del_channel(map)
        if self.request is not None:
            # What has come of it may stand in a file.
            self.request.close()


class ConnectionServer(TcpWSGIServer):  # type: ignore[misc]
    """waitress's server with connections that wait apart.

    Attributes:
        waiting: Those that wait.
    """

    channel_class = Connection
    waiting: WaitingConnections

    def __init__(
        self,
        app: "WSGIApplication",
        *,
        most: int,
        patience_s: float,
        most_bytes: int,
        **options: Any,
    ) -> None:
        """Bind nothing, and listen on the socket that is given.

        Args:
            app: The application.
            most: How many connections are open.
            patience_s: How long a connection may wait for a request, and then for the rest of it.
            most_bytes: How much of unfinished requests is kept, of all together.
            options: As for waitress's server.
        """
        self._most = most
        self._look_s = patience_s / _LOOKS
        self._next_look = 0.0
        self.waiting = WaitingConnections(
            options["map"], patience_s=patience_s, most_bytes=most_bytes
        )
        super().__init__(app, bind_socket=False, **options)

    def readable(self) -> bool:
        """Tell waitress whether new connections are wanted: as long as it is not stopped."""
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + self._look_s
            self.waiting.close_overdue()
            # Those that do not wait, but do not read what they are sent.
            self.maintenance(time.time())
        return bool(self.accepting)

    def add_task(self, task: Connection) -> None:
        """Have the request of a connection answered."""
        task.has_asked = True
        super().add_task(task)

    def handle_accept(self) -> None:
        """Take what wants to connect; close what has waited longest where that is one too many."""
        super().handle_accept()
        if len(self.active_channels) > self._most:
            self.waiting.close_longest()

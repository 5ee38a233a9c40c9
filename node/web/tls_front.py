"""TLS in front of a server of this process, which speaks none: bytes are passed on, both ways.

waitress knows no TLS, and servers that do shake hands in the thread that takes new connections, or
in one of those that answer: clients that say nothing keep the others out. Here each connection that
has not shaken hands costs a file and no thread, there are so many and no more, and the oldest makes
room. What comes after that is bounded by the server behind (`node.web.connections`): where it
closes a connection, so does this.
"""

import asyncio
import socket
import ssl
import threading
from contextlib import closing, suppress
from typing import Final, Self

_CHUNK_BYTES: Final = 64 * 1024
_AGAIN_S: Final = 0.5
"""After how long connections are taken again where the system gave no more files."""


class TlsFront:
    """Speaks TLS on one socket. Use it as a context."""

    def __init__(
        self,
        listener: socket.socket,
        context: ssl.SSLContext,
        *,
        behind: tuple[str, int],
        strangers: int = 64,
        patience_s: float = 10,
    ) -> None:
        """Prepare; connections are taken once the context is entered.

        Args:
            listener: Where connections come in; it is closed at the end.
            context: The certificate and its key.
            behind: Host and port of the server that is spoken to in plain.
            strangers: How many connections may be shaking hands; one more closes the oldest.
            patience_s: How long one may take for that, and then to read what it is sent; seconds.
        """
        listener.setblocking(False)
        self._listener = listener
        self._context = context
        self._behind = behind
        self._most_strangers = strangers
        self._patience_s = patience_s
        self._open: dict[asyncio.Task[None], socket.socket] = {}
        # Of these, those that have not shaken hands, the oldest first.
        self._strangers: dict[asyncio.Task[None], socket.socket] = {}
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="tls")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()

    def _run(self) -> None:
        with closing(self._loop), closing(self._listener):
            self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        taking = asyncio.create_task(self._take_connections())
        await self._stopped.wait()
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
        for connection in self._open.values():
            _hang_up(connection)
        await asyncio.gather(*self._open)

    async def _take_connections(self) -> None:
        while True:
            try:
                connection, _ = await self._loop.sock_accept(self._listener)
            except OSError:
                # It went away again, or no more files may be opened just now.
                await asyncio.sleep(_AGAIN_S)
                continue
            task = asyncio.create_task(self._attend(connection))
            self._open[task] = self._strangers[task] = connection
            if len(self._strangers) > self._most_strangers:
                _hang_up(self._strangers.pop(next(iter(self._strangers))))
            # Many that come at once must not keep the others from going on.
            await asyncio.sleep(0)

    async def _attend(self, connection: socket.socket) -> None:
        """Shake hands with a client, and pass on what it and the server behind say."""
        task = asyncio.current_task()
        assert task is not None
        try:
            reader, writer = await self._shake_hands(connection)
            self._strangers.pop(task, None)
            await self._pass_on(reader, writer)
        except OSError:
            # A client may leave at any time, and say anything.
            return
        finally:
            self._strangers.pop(task, None)
            self._open.pop(task)

    async def _shake_hands(
        self, connection: socket.socket
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await self._loop.connect_accepted_socket(
            lambda: protocol,
            connection,
            ssl=self._context,
            ssl_handshake_timeout=self._patience_s,
            ssl_shutdown_timeout=self._patience_s,
        )
        return reader, asyncio.StreamWriter(transport, protocol, reader, self._loop)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass bytes on until one of the two sides has ended; then end the other."""
        try:
            back_reader, back_writer = await asyncio.open_connection(*self._behind)
            ways = [
                asyncio.create_task(self._pump(reader, back_writer)),
                asyncio.create_task(self._pump(back_reader, writer)),
            ]
            _, going_on = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in going_on:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            await _close(back_writer)
        finally:
            # What the server said last is sent first.
            await _close(writer)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            # Of who reads nothing it would never be heard that the server has closed long ago.
            async with asyncio.timeout(self._patience_s):
                await writer.drain()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def _hang_up(connection: socket.socket) -> None:
    """End a connection for both sides; whoever reads from it sees its end, and closes it."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)

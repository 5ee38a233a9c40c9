"""The socket server of ABCI: length-prefixed messages on four connections, answered in order.

CometBFT opens one connection each for consensus, mempool, queries and snapshots, and may send many
requests before it reads an answer (spec/abci, "Client and Server"). Its gRPC client, the other way
to speak ABCI, takes no message above 4 MiB.
"""

import socket
import socketserver
import threading
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Final, cast

import structlog
from google.protobuf import proto
from google.protobuf.message import DecodeError

from node.errors import ConfigError
from node.ledger.abci.abci_pb2 import Request, Response

_MAX_SOCKET_PATH_BYTES: Final = 107
_POLL_S: Final = 0.05
_log = structlog.get_logger(__name__)


class AbciServer:
    """Listens on a socket in the file system, or on a TCP port.

    Attributes:
        address: Where CometBFT connects, as its `proxy_app` says it.
    """

    def __init__(
        self,
        answer: Callable[[Request], Response],
        on_failure: Callable[[Exception], None],
        where: Path | str,
    ) -> None:
        """Bind the address; `start` answers on it.

        Args:
            answer: Answers one request; it is called by one thread for each connection.
            on_failure: Told what went wrong where a request could not be answered.
            where: The path of a socket, or `host:port`.

        Raises:
            ConfigError: The address cannot be bound.
        """
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            wbufsize = -1

            def handle(self) -> None:
                outer._serve(self)

        self._answer = answer
        self._on_failure = on_failure
        try:
            if isinstance(where, Path):
                self._server: socketserver.BaseServer = _bind_path(where, Handler)
                self.address = f"unix://{where}"
            else:
                host, _, port = where.rpartition(":")
                tcp = _TcpServer((host, int(port)), Handler)
                self._server = tcp
                self.address = f"tcp://{host}:{tcp.server_address[1]}"
        except OSError as error:
            raise ConfigError(f"ABCI: {where} cannot be bound: {error.strerror}") from None
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_S,), name="abci"
        )

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """End all connections; a request that is being answered is answered to its end."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RD)
        self._server.server_close()

    def _serve(self, handler: socketserver.StreamRequestHandler) -> None:
        with self._lock:
            self._connections.add(handler.connection)
        # The library means any buffered stream, as its documentation says.
        reader, writer = cast("BytesIO", handler.rfile), cast("BytesIO", handler.wfile)
        try:
            while (request := proto.parse_length_prefixed(Request, reader)) is not None:
                response = self._respond(request)
                proto.serialize_length_prefixed(response, writer)
                # CometBFT ends what it wants to be answered at once by a request to flush.
                if response.WhichOneof("value") in ("flush", "exception"):
                    writer.flush()
        except (OSError, ValueError, DecodeError) as error:
            # It was killed while it wrote, or while it was written to.
            _log.info("CometBFT has left a connection", reason=str(error))
        finally:
            with self._lock:
                self._connections.discard(handler.connection)

    def _respond(self, request: Request) -> Response:
        try:
            return self._answer(request)
        except Exception as error:  # noqa: BLE001 - CometBFT must not go on without the ledger
            response = Response()
            response.exception.error = f"{type(error).__name__}: {error}"
            self._on_failure(error)
            return response


class _TcpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True


def _bind_path(
    path: Path, handler: type[socketserver.StreamRequestHandler]
) -> socketserver.ThreadingUnixStreamServer:
    if len(str(path).encode()) > _MAX_SOCKET_PATH_BYTES:
        raise ConfigError(
            f"ABCI: {path} is too long for the name of a socket; move the node's folder, or say a "
            "`host:port` in `cometbft.abci`"
        )
    path.unlink(missing_ok=True)
    server = socketserver.ThreadingUnixStreamServer(str(path), handler, bind_and_activate=False)
    try:
        server.server_bind()
        # Whoever may write to the socket decides what is on the ledger.
        path.chmod(0o600)
        server.server_activate()
    except OSError:
        server.server_close()
        raise
    return server

"""Serving a WSGI application with waitress: one address, a clean stop, threads that finish."""

import math
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Final

import structlog
from prometheus_client import make_wsgi_app
from waitress import wasyncore  # type: ignore[import-untyped]
from waitress.adjustments import Adjustments  # type: ignore[import-untyped]

from node.errors import ConfigError
from node.metrics import REGISTRY
from node.web.answering_threads import AnsweringThreads
from node.web.connections import ConnectionServer

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_POLL_S: Final = 0.5
_DRAIN_S: Final = 5.0
_CONNECTIONS: Final = 16_384
_PATIENCE_S: Final = 120
"""How long a connection may be quiet, and how long a request may take to come."""
_UNFINISHED_BYTES: Final = 64 << 20
"""Of all requests together that have not come whole."""
_THREADS: Final = 2
"""Of a server beside the service's own, and its connections."""
_FEW_CONNECTIONS: Final = 64
_OPEN_FILES: Final = 65_536
_OTHER_FILES: Final = 256
"""What a process may have open beside connections: databases, the ledger, long bodies."""
_MAX_WORKERS: Final = 64
# Waitress reads a body before the application can refuse it: this bounds what it keeps.
_MAX_BODY_BYTES: Final = 8 << 20
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.web")


class WebServer:
    """One application on one address.

    Attributes:
        address: `host:port` that it listens on; the port is known also where 0 was asked for.
    """

    def __init__(
        self,
        app: "WSGIApplication",
        listen: str,
        *,
        threads: int = 8,
        trusted_proxy: str | None = None,
        listener: socket.socket | None = None,
        connections: int = _CONNECTIONS,
        memory_body_bytes: int | None = None,
        streams: int = 0,
        is_stream: Callable[[str], bool] = lambda _: False,
        patience_s: float = _PATIENCE_S,
        is_behind_tls: bool = False,
    ) -> None:
        """Bind the address; requests are answered once `run` is called.

        Args:
            app: The application.
            listen: `host:port`, `[host]:port` for IPv6; port 0 takes any free one.
            threads: How many requests are worked on at the same time.
            trusted_proxy: The address of the proxy whose `X-Forwarded-For` names the caller.
            listener: What `bind` returned, where several processes share it.
            connections: How many callers may be connected, as far as the system lets the process
                open files; the one that waits longest makes room for one more.
            memory_body_bytes: The longest body that is taken; it is kept in memory, and never in
                a file. None for the usual length, of which a part may be in a temporary file.
            streams: How many requests may be open beside that only wait.
            is_stream: Tells by its path whether a request is such a one.
            patience_s: How long a connection may wait for a request, and then for the rest of it.
            is_behind_tls: Whether all come through a `TlsFront`: the scheme is https then.

        Raises:
            ConfigError: The address is malformed, in use, or not this machine's.
        """
        host, _ = parse_address(listen)
        listener = listener or bind(listen)
        bound_port = listener.getsockname()[1]
        self.address = f"[{host}]:{bound_port}" if ":" in host else f"{host}:{bound_port}"
        self._stopping = False
        # Reentrant: a signal handler may call `stop` while this thread is closing.
        self._closing = threading.RLock()
        self._is_closed = False
        self._open: dict[int, wasyncore.dispatcher] = {}
        self._server = ConnectionServer(
            app,
            most=min(threads + streams + connections, _connections_at_most()),
            patience_s=patience_s,
            most_bytes=max(_UNFINISHED_BYTES, (memory_body_bytes or 0) * connections),
            map=self._open,
            _sock=listener,
            dispatcher=AnsweringThreads(threads, streams=streams, is_stream=is_stream),
            sockinfo=(listener.family, listener.type, listener.proto, listener.getsockname()),
            adj=Adjustments(
                sockets=[listener],
                channel_timeout=math.ceil(patience_s),
                ident="tegata",
                url_scheme="https" if is_behind_tls else "http",
                **_body_settings(memory_body_bytes),
                **_proxy_settings(trusted_proxy),
            ),
        )

    def run(self) -> None:
        """Answer requests until `stop` is called; those under way are finished first."""
        while not self._stopping:
            wasyncore.loop(timeout=_POLL_S, use_poll=True, map=self._open, count=1)
        wasyncore.dispatcher.close(self._server)  # new connections are refused from here on
        deadline = time.monotonic() + _DRAIN_S
        while self._is_busy() and time.monotonic() < deadline:
            wasyncore.loop(timeout=0.05, use_poll=True, map=self._open, count=1)
        self._server.task_dispatcher.shutdown()
        with self._closing:
            self._is_closed = True
            wasyncore.close_all(self._open)

    def stop(self) -> None:
        """Make `run` return; safe from another thread or a signal handler, and more than once."""
        with self._closing:
            # The trigger is a pipe: once it is closed, its number may be another file's.
            if not self._is_closed:
                self._stopping = True
                self._server.pull_trigger()

    def _is_busy(self) -> bool:
        channels = self._server.active_channels.values()
        return any(channel.requests or channel.total_outbufs_len for channel in channels)


class BackgroundWebServer:
    """A WSGI application on an address, served by a thread of its own.

    Attributes:
        address: `host:port` that it listens on.
    """

    def __init__(self, app: "WSGIApplication", address: str, *, name: str) -> None:
        """Bind the address; `start` answers on it.

        Raises:
            ConfigError: The address cannot be bound.
        """
        self._server = WebServer(app, address, threads=_THREADS, connections=_FEW_CONNECTIONS)
        self._thread = threading.Thread(target=self._server.run, name=name)
        self.address = self._server.address

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer what is under way, then stop."""
        self._server.stop()
        self._thread.join()


def bind(listen: str) -> socket.socket:
    """Return a socket that listens on `host:port`; port 0 takes any free one.

    Raises:
        ConfigError: The address is malformed, in use, or not this machine's.
    """
    host, port = parse_address(listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise ConfigError(f"listen: {listen} cannot be used: {error.strerror}") from None


def open_many_files() -> None:
    """Let this process open as many files as its operator allows: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _connections_at_most() -> int:
    """Return how many connections the system lets this process have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _OPEN_FILES if soft == resource.RLIM_INFINITY else max(soft - _OTHER_FILES, soft // 2)


def _body_settings(memory_body_bytes: int | None) -> dict[str, object]:
    if memory_body_bytes is None:
        return {"max_request_body_size": _MAX_BODY_BYTES}
    return {
        "max_request_body_size": memory_body_bytes,
        # From this length on waitress would write to a temporary file.
        "inbuf_overflow": memory_body_bytes * 2,
    }


def _proxy_settings(trusted_proxy: str | None) -> dict[str, object]:
    if trusted_proxy is None:
        return {}
    return {"trusted_proxy": trusted_proxy, "trusted_proxy_headers": {"x-forwarded-for"}}


def serve(
    app: "WSGIApplication",
    listen: str,
    *,
    service: str,
    threads: int = 8,
    trusted_proxy: str | None = None,
    on_stop: Callable[[], None] = lambda: None,
    listener: socket.socket | None = None,
    connections: int = _CONNECTIONS,
    memory_body_bytes: int | None = None,
    streams: int = 0,
    is_stream: Callable[[str], bool] = lambda _: False,
    metrics: str | None = None,
) -> None:
    """Run a service in this process until SIGTERM or SIGINT.

    It logs the event `ready` with the address once the address can be connected to.

    Args:
        app: The application.
        listen: `host:port`.
        service: Its name in the log.
        threads: How many requests are worked on at the same time.
        trusted_proxy: The address of the proxy whose `X-Forwarded-For` names the caller.
        on_stop: Called when the signal comes, before requests under way are waited for.
        listener: What `bind` returned, where several processes share it.
        connections: As for `WebServer`.
        memory_body_bytes: As for `WebServer`.
        streams: As for `WebServer`.
        is_stream: As for `WebServer`.
        metrics: `host:port` where Prometheus finds `/metrics`; nowhere where it is None. Where
            another process of the service has it, the next free port after it.

    Raises:
        ConfigError: An address is malformed, in use, or not this machine's.
    """
    open_many_files()
    watched = None if metrics is None else _metrics_server(metrics)
    server = WebServer(
        app,
        listen,
        threads=threads,
        trusted_proxy=trusted_proxy,
        listener=listener,
        connections=connections,
        memory_body_bytes=memory_body_bytes,
        streams=streams,
        is_stream=is_stream,
    )

    def stop(_signal: int, _frame: FrameType | None) -> None:
        server.stop()
        on_stop()

    before = {name: signal.signal(name, stop) for name in (signal.SIGTERM, signal.SIGINT)}
    where = {} if watched is None else {"metrics": watched.address}
    _log.info("ready", service=service, address=server.address, **where)
    if watched is not None:
        watched.start()
    try:
        server.run()
    finally:
        if watched is not None:
            watched.stop()
        for name, handler in before.items():
            signal.signal(name, handler)
    _log.info("stopped", service=service)


def _metrics_server(listen: str) -> BackgroundWebServer:
    host, port = parse_address(listen)
    name = f"[{host}]" if ":" in host else host
    for number in range(port, port + _MAX_WORKERS):
        try:
            return BackgroundWebServer(make_wsgi_app(REGISTRY), f"{name}:{number}", name="metrics")
        except ConfigError:
            continue
    raise ConfigError(f"metrics: neither {listen} nor a port after it can be used")


def parse_address(text: str) -> tuple[str, int]:
    """Return the host and the port of `host:port` or `[host]:port`.

    Raises:
        ConfigError: The text is not of that form.
    """
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        colon = ""
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ConfigError(f"listen: {text!r} is not host:port, such as 127.0.0.1:8080")
    return host, int(port)

"""Spans of calls over gRPC, and their context in the calls' metadata."""

from typing import Any, Final

import grpc

from client_sdk import tracing
from client_sdk.tracing import Attributes, Span

_WELL: Final = frozenset({grpc.StatusCode.OK, grpc.StatusCode.CANCELLED})
"""A stream is cancelled by who has read what it wanted."""


def traced_channel(channel: grpc.Channel, address: str) -> grpc.Channel:
    """Return a channel whose calls are spans; while tracing is off, the same channel."""
    return grpc.intercept_channel(channel, CallTracing(address)) if tracing.is_on() else channel


class CallTracing(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
):
    """Makes each call a span, and lets the node know whose part its answer is."""

    def __init__(self, address: str) -> None:
        """Trace calls to `host:port`."""
        host, _, port = address.rpartition(":")
        self._server: Attributes = {"rpc.system.name": "grpc", "server.address": host}
        if port.isdigit():
            self._server = {**self._server, "server.port": int(port)}

    def intercept_unary_unary(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        """Call a method with one answer; the span lasts until it has come."""
        span = self._start(client_call_details)
        call = continuation(_with_context(client_call_details, span), request)
        _end(span, call.code())
        return call

    def intercept_unary_stream(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        """Call a method with many answers; the span lasts until the last one."""
        span = self._start(client_call_details)
        call = continuation(_with_context(client_call_details, span), request)
        # False: it is over already.
        if not call.add_callback(lambda: _end(span, call.code())):
            _end(span, call.code())
        return call

    def _start(self, details: Any) -> Span:
        method = _name(details.method)
        return tracing.start_span("client", method, {**self._server, "rpc.method": method})


def _with_context(details: Any, span: Span) -> Any:
    metadata = [*(details.metadata or ()), *span.headers.items()]
    return details._replace(metadata=metadata)


def _name(method: str | bytes) -> str:
    text = method if isinstance(method, str) else method.decode("ascii")
    return text.removeprefix("/")


def _end(span: Span, code: grpc.StatusCode | None) -> None:
    name = "UNKNOWN" if code is None else code.name
    span.set("rpc.response.status_code", name)
    span.end(error=None if code in _WELL else name)

"""Spans of the requests that a service answers."""

from contextlib import AbstractContextManager
from typing import Final

from flask import Flask, Response, g, request

from client_sdk import tracing
from client_sdk.tracing import TRACE_HEADER, Span
from node.metrics import METHODS

_OTHER: Final = "_OTHER"
"""OpenTelemetry's word for a method that HTTP does not know."""


class _Answering:
    """The span of the request that is answered, current until the request is over."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self._current: AbstractContextManager[object] = span.current()
        self._current.__enter__()

    def end(self, error: str | None) -> None:
        self._current.__exit__(None, None, None)
        self.span.end(error=error)


def trace_requests(app: Flask) -> None:
    """Make each request of an application a span, where tracing is on; call it before others."""
    if tracing.is_on():
        app.before_request(_begin)
        app.after_request(_note_status)
        app.teardown_request(_end)


def _begin() -> None:
    method = request.method if request.method in METHODS else _OTHER
    route = request.url_rule.rule if request.url_rule else None
    g.answering = _Answering(
        tracing.start_span(
            "server",
            method if route is None else f"{method} {route}",
            {"http.request.method": method, **({} if route is None else {"http.route": route})},
            parent=request.headers.get(TRACE_HEADER),
        )
    )


def _note_status(response: Response) -> Response:
    if "answering" in g:
        g.answering.span.set("http.response.status_code", response.status_code)
        g.status = response.status_code
    return response


def _end(error: BaseException | None) -> None:
    answering: _Answering | None = g.pop("answering", None)
    if answering is None:
        return
    failed = type(error).__name__ if error is not None else None
    status: int = g.get("status", 0)
    answering.end(failed or (str(status) if status >= 500 else None))

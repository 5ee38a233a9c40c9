"""Spans as OpenTelemetry's: needs the extra `telemetry`, and is loaded by those who trace."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import copy_context
from importlib.metadata import version
from typing import Final, ParamSpec, TypeVar

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, StatusCode, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from client_sdk.tracing.spans import TRACE_HEADER, Attribute, Attributes, Kind

# Not the propagators of the environment: baggage and vendors' state could carry anything.
_PROPAGATOR: Final = TraceContextTextMapPropagator()
_KINDS: Final[Mapping[Kind, SpanKind]] = {
    "client": SpanKind.CLIENT,
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
}
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class OpenTelemetrySpan:
    """A `client_sdk.tracing.Span`."""

    def __init__(self, span: Span) -> None:
        """Take over a span that has begun."""
        self._span = span

    @property
    def headers(self) -> Mapping[str, str]:
        """The context as W3C's `traceparent`."""
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, trace.set_span_in_context(self._span))
        return {TRACE_HEADER: carrier[TRACE_HEADER]} if TRACE_HEADER in carrier else {}

    def set(self, attribute: Attribute, value: str | int) -> None:
        """Say something of the work."""
        self._span.set_attribute(attribute, value)

    def current(self) -> AbstractContextManager[object]:
        """Return a context in which this is the thread's current span."""
        # An error's text is nobody's business: its name is noted at the end.
        return trace.use_span(self._span, record_exception=False, set_status_on_exception=False)

    def end(self, *, error: str | None = None) -> None:
        """Say that the work is done, or the name of the error that ended it."""
        if error is not None:
            self._span.set_attribute("error.type", error)
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


class OpenTelemetryTracer:
    """A `client_sdk.tracing.Tracer`."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        """Take a provider; the process's own where there is none."""
        self._tracer = trace.get_tracer("tegata", version("tegata"), provider)

    def start(
        self,
        kind: Kind,
        name: str,
        attributes: Attributes,
        *,
        parent: str | None,
        joined: Sequence[object],
    ) -> OpenTelemetrySpan:
        """Begin a span."""
        context = None
        if kind == "server":
            carrier = {} if parent is None else {TRACE_HEADER: parent}
            context = _PROPAGATOR.extract(carrier, Context())
        span = self._tracer.start_span(
            name,
            context,
            _KINDS[kind],
            dict(attributes.items()),
            [Link(other) for other in joined if isinstance(other, SpanContext)],
        )
        return OpenTelemetrySpan(span)

    def origin(self) -> SpanContext:
        """Return the current span's context."""
        return trace.get_current_span().get_span_context()

    def carried(self, function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
        """Return a function that runs in a copy of this thread's context."""
        context = copy_context()

        def run(*positional: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
            return context.run(function, *positional, **named)

        return run

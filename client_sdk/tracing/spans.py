"""Spans for OpenTelemetry: of what the SDK asks of others, and of what services answer.

Off until `switch_on`: until then nothing of OpenTelemetry is loaded, and a span costs a comparison.
A span holds its name, times, a status and what `Attribute` lists: no path, id, account, claim, or
text of an error. The context goes to others as a W3C `traceparent`, and nothing else does.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from types import MappingProxyType
from typing import Final, Literal, ParamSpec, Protocol, TypeAlias, TypeVar

Attribute: TypeAlias = Literal[
    "error.type",
    "http.request.method",
    "http.response.status_code",
    "http.route",
    "rpc.method",
    "rpc.response.status_code",
    "rpc.system.name",
    "server.address",
    "server.port",
]
"""All that a span may say, by OpenTelemetry's semantic conventions."""
Kind: TypeAlias = Literal["client", "internal", "server"]
"""Whether a span asks another service, works by itself, or answers."""
Attributes: TypeAlias = Mapping[Attribute, str | int]
TRACE_HEADER: Final = "traceparent"
"""The header, and gRPC's metadata, that carries the context (W3C Trace Context)."""
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class Span(Protocol):
    """A piece of work that has begun."""

    @property
    def headers(self) -> Mapping[str, str]:
        """What a request carries whose answer is to be a part of this work."""
        ...

    def set(self, attribute: Attribute, value: str | int) -> None:
        """Say something of the work."""
        ...

    def current(self) -> AbstractContextManager[object]:
        """Return a context: the spans that this thread begins within it are parts of this one."""
        ...

    def end(self, *, error: str | None = None) -> None:
        """Say that the work is done, or the name of the error that ended it."""
        ...


class Tracer(Protocol):
    """Where spans go: `client_sdk.tracing.open_telemetry.OpenTelemetryTracer`."""

    def start(
        self,
        kind: Kind,
        name: str,
        attributes: Attributes,
        *,
        parent: str | None,
        joined: Sequence[object],
    ) -> Span:
        """Begin a span.

        Args:
            kind: The kind.
            name: A word of ours, a method, a route.
            attributes: What is known at the beginning.
            parent: A `traceparent` that came from outside; None for none. A span of the kind
                `server` has no other parent, the others have the current span.
            joined: What `origin` returned in threads whose work this also is.
        """
        ...

    def origin(self) -> object:
        """Return what stands for the current span in `joined`."""
        ...

    def carried(self, function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
        """Return a function that has the present current span, whichever thread calls it."""
        ...


class _NoSpan:
    """Stands for every span while tracing is off."""

    headers: Mapping[str, str] = _NOTHING

    def set(self, attribute: Attribute, value: str | int) -> None:
        pass

    def current(self) -> AbstractContextManager[object]:
        return nullcontext()

    def end(self, *, error: str | None = None) -> None:
        pass


class _Work:
    """A context whose body is a span's work; an error that leaves it is named."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._current = span.current()

    def __enter__(self) -> Span:
        self._current.__enter__()
        return self._span

    def __exit__(self, kind: type[BaseException] | None, *details: object) -> None:
        self._current.__exit__(None, None, None)
        self._span.end(error=None if kind is None else kind.__name__)


_NO_SPAN: Final = _NoSpan()
_NO_WORK: Final = nullcontext(_NO_SPAN)
_tracer: Tracer | None = None


def switch_on(tracer: Tracer | None) -> None:
    """Send spans to a tracer from now on, in the whole process; None switches them off again."""
    global _tracer  # noqa: PLW0603 - one for the process, as OpenTelemetry has one
    _tracer = tracer


def is_on() -> bool:
    """Tell whether spans go anywhere."""
    return _tracer is not None


def start_span(kind: Kind, name: str, attributes: Attributes, *, parent: str | None = None) -> Span:
    """Begin a span; its caller ends it."""
    if _tracer is None:
        return _NO_SPAN
    return _tracer.start(kind, name, attributes, parent=parent, joined=())


def span(
    kind: Kind, name: str, attributes: Attributes | None = None, *, joined: Sequence[object] = ()
) -> AbstractContextManager[Span]:
    """Return a context whose body is a span's work.

    Args:
        kind: The kind.
        name: A word of ours, a method, a route.
        attributes: What is known at the beginning.
        joined: What `origin` returned in threads whose work this also is.
    """
    if _tracer is None:
        return _NO_WORK
    return _Work(_tracer.start(kind, name, attributes or {}, parent=None, joined=joined))


def traced(name: str) -> Callable[[Callable[_Arguments, _Result]], Callable[_Arguments, _Result]]:
    """Make each call of a function a span of this name."""

    def decorate(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
        @wraps(function)
        def call(*positional: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
            with span("internal", name):
                return function(*positional, **named)

        return call

    return decorate


def origin() -> object:
    """Return what stands for this thread's current span in another one; None while off."""
    return None if _tracer is None else _tracer.origin()


def carried(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Return a function for another thread: what it does is a part of the current span."""
    return function if _tracer is None else _tracer.carried(function)

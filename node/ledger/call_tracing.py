"""Spans of the calls that Torii answers, under the client's where its metadata names one.

A client that sends none, as those of Iroha 1, is answered as ever.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from google.protobuf.message import Message

from client_sdk import tracing
from client_sdk.tracing import TRACE_HEADER, Span
from node.ledger.calls import CallContext, Method, Streamed, Together, Unary


def traced_services(
    services: Mapping[str, Mapping[str, Method]],
) -> Mapping[str, Mapping[str, Method]]:
    """Return services whose calls are spans; while tracing is off, the same services."""
    if not tracing.is_on():
        return services
    return {
        service: {name: _traced(f"{service}/{name}", method) for name, method in methods.items()}
        for service, methods in services.items()
    }


def _traced(name: str, method: Method) -> Method:
    return replace(
        method,
        unary=None if method.unary is None else _traced_unary(name, method.unary),
        streamed=None if method.streamed is None else _traced_stream(name, method.streamed),
        together=None if method.together is None else _traced_together(name, method.together),
    )


def _traced_unary(name: str, unary: Unary) -> Unary:
    def answer(data: bytes, context: CallContext) -> Message:
        span = _begin(name, context)
        try:
            message = unary(data, context)
        except Exception as error:
            span.end(error=type(error).__name__)
            raise
        span.end()
        return message

    return answer


def _traced_stream(name: str, streamed: Streamed) -> Streamed:
    def answer(data: bytes, context: CallContext) -> Iterator[Message]:
        span, failed = _begin(name, context), None
        try:
            yield from streamed(data, context)
        except Exception as error:
            failed = type(error).__name__
            raise
        finally:
            # Also where the client leaves.
            span.end(error=failed)

    return answer


def _traced_together(name: str, together: Together) -> Together:
    def answer(calls: Sequence[tuple[bytes, CallContext]]) -> Sequence[Message | None]:
        spans = [_begin(name, context) for _, context in calls]
        try:
            answers = together(calls)
        except Exception as error:
            for span in spans:
                span.end(error=type(error).__name__)
            raise
        for span, message in zip(spans, answers, strict=True):
            span.end(error="refused" if message is None else None)
        return answers

    return answer


def _begin(name: str, context: CallContext) -> Span:
    parent = dict(context.invocation_metadata()).get(TRACE_HEADER)
    return tracing.start_span(
        "server",
        name,
        {"rpc.system.name": "grpc", "rpc.method": name},
        parent=parent if isinstance(parent, str) else None,
    )

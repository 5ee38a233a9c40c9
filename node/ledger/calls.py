"""Calls of gRPC methods, whichever server they came through.

Requests are decoded here and not by the server, so that bytes that are no message get a clear
answer.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, NoReturn, Protocol, TypeAlias, TypeVar

import grpc
import structlog
from google.protobuf.message import DecodeError, Message

from node.errors import PoolFullError, StorageError
from node.ledger.large_requests import LargeRequests

_LARGE_REQUESTS: Final = LargeRequests()
"""Of all servers of the process: they share its memory."""

_log = structlog.get_logger(__name__)
_M = TypeVar("_M", bound=Message)


class CallContext(Protocol):
    """What a method may do with its call; a `grpc.ServicerContext` can do more."""

    def abort(self, code: Any, details: str) -> NoReturn:
        """End the call with a `grpc.StatusCode` and a text."""
        ...

    def add_callback(self, callback: Callable[[], None]) -> bool:
        """Have a function called when the call is over; return False where it is over already."""
        ...

    def invocation_metadata(self) -> Any:
        """Return pairs of names and values; of the native server no more than the trace's."""
        ...

    def peer(self) -> str:
        """Return the client's address, such as `ipv4:127.0.0.1:50000`."""
        ...

    def send_initial_metadata(self, initial_metadata: Any) -> None:
        """Let a stream's client know that it is open."""
        ...


class CallEndedError(Exception):
    """Carries the end of a call out of its method; its client has been told."""


Unary: TypeAlias = Callable[[bytes, CallContext], Message]
"""A method with one answer."""
Streamed: TypeAlias = Callable[[bytes, CallContext], Iterator[Message]]
"""A method with any number of answers."""
Together: TypeAlias = Callable[[Sequence[tuple[bytes, CallContext]]], Sequence[Message | None]]
"""A unary method that answers many calls in one go; None for those that it has ended itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A method of a service; it is unary or streamed.

    Attributes:
        unary: Answers one call with one message.
        streamed: Answers one call with any number of messages.
        together: As `unary`, for many calls at once; None where that would be no faster.
        may_be_long: Tells of a request whether its answer may take long; None where none does.
    """

    unary: Unary | None = None
    streamed: Streamed | None = None
    together: Together | None = None
    may_be_long: Callable[[bytes], bool] | None = None


@contextmanager
def own_errors(context: CallContext) -> Iterator[None]:
    """End the call by the status that belongs to an error of ours."""
    try:
        yield
    except PoolFullError as error:
        abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
    except StorageError as error:
        _log.critical("the ledger cannot be read", error=str(error))
        abort(context, grpc.StatusCode.INTERNAL, "the node's store is damaged; its log says where")


def answer_unary(method: Unary, data: bytes, context: CallContext) -> Message:
    """Return what a method answers; large requests wait for their turn."""
    with own_errors(context), _LARGE_REQUESTS.hold(len(data)):
        return method(data, context)


def answer_streamed(method: Streamed, data: bytes, context: CallContext) -> Iterator[Message]:
    """Yield what a method answers."""
    with own_errors(context):
        yield from method(data, context)


def decode(data: bytes, kind: type[_M], context: CallContext) -> _M:
    """Return a request's message; bytes that are none end the call."""
    try:
        return kind.FromString(data)
    except DecodeError:
        # The code is the one that irohad answers with.
        abort(
            context,
            grpc.StatusCode.INTERNAL,
            f"the bytes are not a message of type {kind.DESCRIPTOR.full_name}",
        )


def abort(context: CallContext, code: grpc.StatusCode, text: str) -> NoReturn:
    """End the call with a status."""
    context.abort(code, text)
    raise AssertionError("abort raises")

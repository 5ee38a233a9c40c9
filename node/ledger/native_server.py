"""The gRPC server of `native/grpc`, where that is built: several times as fast (ADR 0048).

Connections, HTTP/2 and the framing of messages stay outside of Python's lock. Calls come as bytes,
many in one go, to a few threads that answer the short ones; streams, requests that are large enough
to wait for their turn, and those whose answer may take long have threads of their own.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any, Final, NoReturn

import grpc
import structlog

from client_sdk.tracing import TRACE_HEADER
from node.ledger.calls import (
    CallEndedError,
    Method,
    Together,
    answer_streamed,
    answer_unary,
    own_errors,
)
from node.ledger.grpc_server import cannot_bind
from node.ledger.large_requests import LARGE_BYTES

_native: ModuleType | None = None
try:
    import tegata_grpc
except ImportError:  # pragma: no cover - depends on the machine; the tests run both ways
    pass
else:
    _native = tegata_grpc

_TAKERS: Final = 4
"""Threads for short calls: enough that one may wait for the disk, few enough to share one lock."""
_TAKEN_AT_ONCE: Final = 64
_log = structlog.get_logger(__name__)


def is_built() -> bool:
    """Tell whether this server can be used on this machine."""
    return _native is not None


class NativeContext:
    """A call as its method sees it: a `calls.CallContext`."""

    def __init__(self, call: Any) -> None:
        """Take over a `tegata_grpc.Call`."""
        self.call = call
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        """End the call with a status."""
        self.call.end(code.value[0], details)
        raise CallEndedError

    def add_callback(self, callback: Callable[[], None]) -> bool:
        """Have a function called when the stream is over; return False where it is over already."""
        with self._lock:
            self._callbacks.append(callback)
        # A stream that is over sooner than it was known here ends nobody.
        return not self.call.is_over

    def invocation_metadata(self) -> Sequence[tuple[str, str]]:
        """Return the client's context of a trace, where it sent one."""
        parent = self.call.traceparent
        return () if parent is None else ((TRACE_HEADER, parent),)

    def peer(self) -> str:
        """Return the client's address."""
        peer: str = self.call.peer
        return peer

    def send_initial_metadata(self, _initial_metadata: object) -> None:
        """Let a stream's client know that it is open."""
        self.call.open()

    def end(self) -> None:
        """Say that the call is over, to those who want to know."""
        with self._lock:
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()


class _Gathering:
    """Answers calls of one method together: those that come while others are being answered."""

    def __init__(self, method: Together) -> None:
        self._method = method
        self._came: deque[NativeContext] = deque()
        self._turn = threading.Lock()

    def answer(self, contexts: Iterable[NativeContext]) -> None:
        """See that calls are answered, by this thread or by the one that has the turn."""
        self._came.extend(contexts)
        # Whoever gives the turn back looks once more: nothing that came meanwhile is left behind.
        while self._came and self._turn.acquire(blocking=False):
            try:
                self._answer_all()
            finally:
                self._turn.release()

    def _answer_all(self) -> None:
        taken: list[NativeContext] = []
        while self._came and len(taken) < _TAKEN_AT_ONCE:
            taken.append(self._came.popleft())
        if not taken:
            return
        try:
            answers = self._method([(context.call.data, context) for context in taken])
        except Exception as error:  # noqa: BLE001 - the other calls have to be answered
            for context in taken:
                _tell_failure(context, error)
            return
        for context, answer in zip(taken, answers, strict=True):
            if answer is not None:
                context.call.send(answer.SerializeToString())


class NativeServer:
    """A gRPC server on one address.

    Attributes:
        address: `host:port`, with the port that was taken.
    """

    def __init__(
        self,
        service: str,
        address: str,
        methods: Mapping[str, Method],
        *,
        max_request_bytes: int,
        max_response_bytes: int,
        max_calls: int,
        max_long_calls: int,
        max_arrival_s: float = 30,
    ) -> None:
        """Bind the address; `start` answers on it.

        Args:
            service: What is bound, for an error.
            address: `host:port`; port 0 lets the system choose.
            methods: By their paths, such as `/iroha.protocol.QueryService_v1/Find`.
            max_request_bytes: How long a request may be.
            max_response_bytes: How long an answer may be.
            max_calls: How many calls may be open; further ones are told RESOURCE_EXHAUSTED.
            max_long_calls: How many of them may be streams or large.
            max_arrival_s: How long a request may take to arrive, in seconds; later ones are told
                DEADLINE_EXCEEDED. A host may have half of `max_calls` half sent.

        Raises:
            ConfigError: The address cannot be bound.
        """
        assert _native is not None
        self._methods = tuple(methods.values())
        self._gatherings = [
            None if method.together is None else _Gathering(method.together)
            for method in self._methods
        ]
        try:
            self._server = _native.Server(
                address,
                [(path, method.streamed is not None) for path, method in methods.items()],
                max_request_bytes,
                max_response_bytes,
                max_calls,
                max_arrival_s,
            )
        except OSError:
            raise cannot_bind(service, address) from None
        self.address: str = self._server.address
        self._streams: dict[int, NativeContext] = {}
        self._long_calls = ThreadPoolExecutor(max_long_calls, thread_name_prefix="torii")
        self._takers = [
            threading.Thread(target=self._take_calls, name=f"torii taker {number}")
            for number in range(_TAKERS)
        ]

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()
        for taker in self._takers:
            taker.start()

    def close(self) -> None:
        """Take no new calls."""
        self._server.close()

    def join(self, grace_s: float) -> None:
        """Return when the open calls are answered, or cut off after so many seconds."""
        self._server.join(grace_s)
        for taker in self._takers:
            if taker.ident is not None:
                taker.join()
        self._long_calls.shutdown()

    def _take_calls(self) -> None:
        while (taken := self._server.take(_TAKEN_AT_ONCE)) is not None:
            self._deal(*taken)
            # A call is open as long as a name for it is left: the server's end would wait for it.
            del taken

    def _deal(self, calls: Sequence[Any], ended: Sequence[int]) -> None:
        """Answer calls, or hand them to who answers them; end the streams whose clients left."""
        gathered: dict[int, list[NativeContext]] = {}
        for call in calls:
            context = NativeContext(call)
            method = self._methods[call.method]
            if method.streamed is not None:
                self._streams[call.id] = context
                self._long_calls.submit(self._answer_stream, method, context)
            elif call.size >= LARGE_BYTES or _may_be_long(method, call):
                self._long_calls.submit(_answer_one, method, context)
            elif method.together is not None:
                gathered.setdefault(call.method, []).append(context)
            else:
                _answer_one(method, context)
        for number, contexts in gathered.items():
            gathering = self._gatherings[number]
            assert gathering is not None
            gathering.answer(contexts)
        for stream_id in ended:
            left = self._streams.pop(stream_id, None)
            if left is not None:
                left.end()

    def _answer_stream(self, method: Method, context: NativeContext) -> None:
        assert method.streamed is not None
        try:
            for answer in answer_streamed(method.streamed, context.call.data, context):
                if not context.call.send(answer.SerializeToString()):
                    break
            context.call.end()
        except CallEndedError:
            pass
        except Exception as error:  # noqa: BLE001 - as any server, this one goes on
            _tell_failure(context, error)
        finally:
            self._streams.pop(context.call.id, context)


def _may_be_long(method: Method, call: Any) -> bool:
    return method.may_be_long is not None and method.may_be_long(call.data)


def _answer_one(method: Method, context: NativeContext) -> None:
    assert method.unary is not None
    try:
        answer = answer_unary(method.unary, context.call.data, context)
        context.call.send(answer.SerializeToString())
    except CallEndedError:
        pass
    except Exception as error:  # noqa: BLE001 - as any server, this one goes on
        _tell_failure(context, error)


def _tell_failure(context: NativeContext, error: Exception) -> None:
    try:
        with own_errors(context):
            raise error  # noqa: TRY301 - it is mapped as where it was raised
    except CallEndedError:
        return
    except Exception:  # noqa: BLE001 - as any server, this one goes on
        _log.error("a call failed", error=f"{type(error).__name__}: {error}")
        text = f"Exception calling application: {error}"
        context.call.end(grpc.StatusCode.UNKNOWN.value[0], text)

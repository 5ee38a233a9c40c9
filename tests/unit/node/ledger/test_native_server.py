"""The server of `native/grpc` by itself: clients that leave, and such as never finish a request."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from queue import SimpleQueue

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from support.torii_gate import TIMEOUT_S, code_of

from node.ledger import native_server
from node.ledger.calls import CallContext, Method

pytestmark = pytest.mark.skipif(not native_server.is_built(), reason="native/grpc is not built")


@contextmanager
def serving(
    methods: Mapping[str, Method],
    *,
    max_calls: int,
    max_long_calls: int = 1,
    max_arrival_s: float = TIMEOUT_S,
) -> Iterator[str]:
    """Serve methods; give the address."""
    server = native_server.NativeServer(
        "Test",
        "127.0.0.1:0",
        methods,
        max_request_bytes=1024,
        max_response_bytes=1024,
        max_calls=max_calls,
        max_long_calls=max_long_calls,
        max_arrival_s=max_arrival_s,
    )
    server.start()
    try:
        yield server.address
    finally:
        server.close()
        server.join(TIMEOUT_S)


def test_a_request_keeps_its_place_when_its_client_leaves() -> None:
    came, goes_on = threading.Event(), threading.Event()

    def wait(_data: bytes, _context: CallContext) -> Message:
        came.set()
        goes_on.wait(TIMEOUT_S)
        return Empty()

    with (
        serving({"/test/Wait": Method(unary=wait)}, max_calls=1) as address,
        grpc.insecure_channel(address) as channel,
    ):
        call = channel.unary_unary("/test/Wait")
        first = call.future(b"", timeout=TIMEOUT_S)
        assert came.wait(TIMEOUT_S)
        first.cancel()
        try:
            # Else anybody could send and leave, again and again, until the memory is full. The
            # server hears of the first who left behind one of these calls.
            for _ in range(20):
                with pytest.raises(grpc.RpcError) as caught:
                    call(b"", timeout=TIMEOUT_S)
                assert code_of(caught.value) == grpc.StatusCode.RESOURCE_EXHAUSTED
        finally:
            goes_on.set()
        while (answer := call.future(b"", timeout=TIMEOUT_S)).exception() is not None:
            assert code_of(answer.exception()) == grpc.StatusCode.RESOURCE_EXHAUSTED


def answer_at_once(_data: bytes, _context: CallContext) -> Message:
    """Answer a call."""
    return Empty()


class HalfSent:
    """A call whose head is sent and whose message is not: what it would send never comes."""

    def __init__(self, channel: grpc.Channel, path: str, over: SimpleQueue[grpc.Future]) -> None:
        """Send the head; put the call into `over` once the server has refused it."""
        self._ends = threading.Event()
        self._call = channel.stream_unary(path).future(self._messages(), timeout=TIMEOUT_S)
        self._call.add_done_callback(over.put)

    def leave(self) -> None:
        """Give up."""
        self._call.cancel()
        self._ends.set()

    def _messages(self) -> Iterator[bytes]:
        self._ends.wait(TIMEOUT_S)
        yield from ()


def test_a_request_that_does_not_arrive_in_time_loses_its_place() -> None:
    methods = {"/test/Answer": Method(unary=answer_at_once)}
    with (
        serving(methods, max_calls=2, max_arrival_s=0.2) as address,
        grpc.insecure_channel(address) as channel,
    ):
        over: SimpleQueue[grpc.Future] = SimpleQueue()
        slow = HalfSent(channel, "/test/Answer", over)
        assert code_of(over.get(timeout=TIMEOUT_S).exception()) == grpc.StatusCode.DEADLINE_EXCEEDED
        slow.leave()
        channel.unary_unary("/test/Answer")(b"", timeout=TIMEOUT_S)


def test_a_host_may_have_half_of_the_places_half_sent() -> None:
    methods = {"/test/Answer": Method(unary=answer_at_once)}
    with (
        serving(methods, max_calls=4) as address,
        grpc.insecure_channel(address) as channel,
    ):
        over: SimpleQueue[grpc.Future] = SimpleQueue()
        slow = [HalfSent(channel, "/test/Answer", over) for _ in range(3)]
        # Two of them have room: whichever comes last is told.
        assert (
            code_of(over.get(timeout=TIMEOUT_S).exception()) == grpc.StatusCode.RESOURCE_EXHAUSTED
        )
        for one in slow:
            one.leave()
        whole = channel.unary_unary("/test/Answer")
        while (answer := whole.future(b"", timeout=TIMEOUT_S)).exception() is not None:
            assert code_of(answer.exception()) == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_long_answers_do_not_hold_up_short_ones() -> None:
    waiting, goes_on = threading.Semaphore(0), threading.Event()

    def answer(data: bytes, _context: CallContext) -> Message:
        if data == b"long":
            waiting.release()
            goes_on.wait(TIMEOUT_S)
        return Empty()

    method = Method(unary=answer, may_be_long=lambda data: data == b"long")
    with (
        serving({"/test/Answer": method}, max_calls=32, max_long_calls=8) as address,
        grpc.insecure_channel(address) as channel,
    ):
        call = channel.unary_unary("/test/Answer")
        long_ones = [call.future(b"long", timeout=TIMEOUT_S) for _ in range(8)]
        try:
            # More than there are threads for short ones.
            for _ in long_ones:
                assert waiting.acquire(timeout=TIMEOUT_S)
            call(b"short", timeout=TIMEOUT_S)
        finally:
            goes_on.set()
        for each in long_ones:
            each.result()

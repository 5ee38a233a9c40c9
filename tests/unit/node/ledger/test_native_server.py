"""The server of `native/grpc` by itself: what clients that leave cost it."""

import threading

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from support.torii_gate import TIMEOUT_S, code_of

from node.ledger import native_server
from node.ledger.calls import CallContext, Method


@pytest.mark.skipif(not native_server.is_built(), reason="native/grpc is not built")
def test_a_request_keeps_its_place_when_its_client_leaves() -> None:
    came, goes_on = threading.Event(), threading.Event()

    def wait(_data: bytes, _context: CallContext) -> Message:
        came.set()
        goes_on.wait(TIMEOUT_S)
        return Empty()

    server = native_server.NativeServer(
        "Test",
        "127.0.0.1:0",
        {"/test/Wait": Method(unary=wait)},
        max_request_bytes=1024,
        max_response_bytes=1024,
        max_calls=1,
        max_long_calls=1,
    )
    server.start()
    try:
        with grpc.insecure_channel(server.address) as channel:
            call = channel.unary_unary("/test/Wait")
            first = call.future(b"", timeout=TIMEOUT_S)
            assert came.wait(TIMEOUT_S)
            first.cancel()
            # Else anybody could send and leave, again and again, until the memory is full. The
            # server hears of the first who left behind one of these calls.
            for _ in range(20):
                with pytest.raises(grpc.RpcError) as caught:
                    call(b"", timeout=1)
                assert code_of(caught.value) == grpc.StatusCode.RESOURCE_EXHAUSTED
            goes_on.set()
            while (answer := call.future(b"", timeout=TIMEOUT_S)).exception() is not None:
                assert code_of(answer.exception()) == grpc.StatusCode.RESOURCE_EXHAUSTED
    finally:
        goes_on.set()
        server.close()
        server.join(TIMEOUT_S)

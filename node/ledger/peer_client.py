"""A connection to the port between peers of another node."""

from collections.abc import Iterator, Sequence
from typing import Final

import grpc
from google.protobuf.empty_pb2 import Empty

from chaincode.batches import Batch
from chaincode.protocol.block_feed_pb2 import ChainNews, FollowRequest
from chaincode.protocol.endpoint_pb2 import TxList
from node.errors import BatchRefusedError, PeerUnreachableError, PoolFullError

MAX_NEWS_BYTES: Final = 128 * 1024 * 1024
_CALL_S: Final = 10.0
# Without traffic for so long, the peer is asked whether it is still there.
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_NEWS_BYTES),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)


class PeerClient:
    """The peer that a read replica follows. Any thread may send while one follows."""

    def __init__(self, address: str) -> None:
        """Prepare a connection; the first call opens it.

        Args:
            address: `host:port` of the peer's `internal`.
        """
        self.address = address
        self._channel = grpc.insecure_channel(address, _OPTIONS)
        self._follow = self._channel.unary_stream(
            "/tegata.ledger.BlockFeed/Follow",
            FollowRequest.SerializeToString,
            ChainNews.FromString,
        )
        # The message of irohad's ordering service, BatchesRequest, equals TxList on the wire.
        self._send_batches = self._channel.unary_unary(
            "/iroha.ordering.proto.OnDemandOrdering/SendBatches",
            TxList.SerializeToString,
            Empty.FromString,
        )

    def follow(self, next_height: int) -> Iterator[ChainNews]:
        """Yield how high the peer's chain is, then each block from a height on, for ever.

        Raises:
            PeerUnreachableError: The peer does not answer, or ended the stream.
        """
        try:
            yield from self._follow(FollowRequest(next_height=next_height))
        except (grpc.RpcError, ValueError) as error:
            raise self._unreachable(error) from None

    def send(self, batches: Sequence[Batch]) -> None:
        """Pass batches on.

        Raises:
            PeerUnreachableError: The peer does not answer.
            PoolFullError: Too many wait there.
            BatchRefusedError: One may not wait for signatures there.
        """
        messages = [each.message for batch in batches for each in batch.transactions]
        try:
            self._send_batches(TxList(transactions=messages), timeout=_CALL_S)
        except (grpc.RpcError, ValueError) as error:
            code, text = _status_of(error)
            if code == grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise PoolFullError(text) from None
            if code == grpc.StatusCode.PERMISSION_DENIED:
                raise BatchRefusedError(text) from None
            raise self._unreachable(error) from None

    def close(self) -> None:
        """Close the connection; `follow` ends."""
        self._channel.close()

    def _unreachable(self, error: Exception) -> PeerUnreachableError:
        return PeerUnreachableError(f"peer {self.address}: {_status_of(error)[1]}")


def _status_of(error: Exception) -> tuple[grpc.StatusCode | None, str]:
    """Return the status of a failed call, and its text."""
    if isinstance(error, grpc.Call):
        return error.code(), error.details() or error.code().name
    # On a channel that was closed gRPC raises ValueError.
    return None, "the connection is closed"

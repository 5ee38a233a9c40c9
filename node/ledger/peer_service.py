"""The port between peers: blocks for those that catch up or follow, transactions from replicas."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import grpc

from chaincode.protocol.block_feed_pb2 import ChainNews, FollowRequest
from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.loader_pb2 import BlockRequest
from node.ledger.calls import CallContext, Method, abort, decode
from node.ledger.command_service import CommandService
from node.ledger.commit_notices import CommitStream
from node.ledger.grpc_server import bind, service_handler
from node.ledger.state_store import StateStore
from node.ledger.stream_places import StreamPlaces
from node.ledger.torii import MAX_REQUEST_BYTES
from node.ledger.torii_parts import ToriiParts

MAX_BLOCK_BYTES: Final = 128 * 1024 * 1024
"""The largest gRPC message, as in irohad."""
_WORKERS: Final = 64
"""Each replica that follows holds one."""


class LoaderService:
    """`iroha.network.proto.Loader`: blocks for a peer that catches up."""

    name: Final = "iroha.network.proto.Loader"

    def __init__(self, state: StateStore) -> None:
        self._state = state

    def retrieve_block(self, data: bytes, context: CallContext) -> Block:
        """Return one block."""
        block = self._block_at(decode(data, BlockRequest, context).height)
        if block is None:
            abort(context, grpc.StatusCode.NOT_FOUND, "No such block.")
        return block

    def retrieve_blocks(self, data: bytes, context: CallContext) -> Iterator[Block]:
        """Yield the blocks from a height on, up to the top."""
        height = decode(data, BlockRequest, context).height
        while (block := self._block_at(height)) is not None:
            yield block
            height += 1

    def _block_at(self, height: int) -> Block | None:
        with self._state.snapshot() as view:
            return view.block_at(height)


class BlockFeedService:
    """`tegata.ledger.BlockFeed`: the chain as it grows, for a replica."""

    name: Final = "tegata.ledger.BlockFeed"

    def __init__(self, parts: ToriiParts) -> None:
        self._state = parts.state
        self._commits = parts.commits
        self._statuses = parts.statuses

    def follow(self, data: bytes, context: CallContext) -> Iterator[ChainNews]:
        """Yield the height of the chain, then each block from a height on, until either leaves."""
        stream = CommitStream(max(1, decode(data, FollowRequest, context).next_height))
        # When the replica leaves, the waiting thread is woken and ends.
        if not context.add_callback(lambda: self._commits.end_stream(stream)):
            return
        with self._state.snapshot() as view:
            yield ChainNews(top_height=view.tip().height)
        while (height := self._commits.next_height(stream)) is not None:
            yield self._news(height)

    def _news(self, height: int) -> ChainNews:
        with self._state.snapshot() as view:
            news = ChainNews(top_height=view.tip().height, block=view.block_at(height))
        for tx_hash in news.block.block_v1.payload.rejected_transactions_hashes:
            failure = self._statuses.failure(bytes.fromhex(tx_hash))
            if failure is not None:
                news.failures.append(failure.response())
        return news


class PeerServer:
    """The gRPC server for other peers.

    Attributes:
        address: `host:port` where they connect.
    """

    def __init__(self, parts: ToriiParts, address: str) -> None:
        """Bind the address; `start` answers on it.

        Args:
            parts: What stands behind Torii stands behind this port too.
            address: `host:port`; port 0 lets the system choose.

        Raises:
            ConfigError: The address cannot be bound.
        """
        loader = LoaderService(parts.state)
        feed = BlockFeedService(parts)
        commands = CommandService(parts, StreamPlaces())
        self._pool = ThreadPoolExecutor(max_workers=_WORKERS, thread_name_prefix="peers")
        self._server = grpc.server(
            self._pool,
            maximum_concurrent_rpcs=_WORKERS,
            options=[
                ("grpc.max_send_message_length", MAX_BLOCK_BYTES),
                ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
                ("grpc.so_reuseport", 0),
                # Replicas ask now and then whether this node is still there.
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
            ],
        )
        services = {
            loader.name: {
                "retrieveBlock": Method(unary=loader.retrieve_block),
                "retrieveBlocks": Method(streamed=loader.retrieve_blocks),
            },
            feed.name: {"Follow": Method(streamed=feed.follow)},
            # Its message, BatchesRequest, equals TxList on the wire.
            "iroha.ordering.proto.OnDemandOrdering": {
                "SendBatches": Method(unary=commands.list_torii)
            },
        }
        self._server.add_generic_rpc_handlers(
            tuple(service_handler(name, methods) for name, methods in services.items())
        )
        self.address = bind("internal", self._server, address)

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()

    def stop(self, grace_s: float = 1) -> None:
        """Take nothing new, and return when the open calls are answered or cut off."""
        self._server.stop(grace_s).wait()
        self._pool.shutdown()

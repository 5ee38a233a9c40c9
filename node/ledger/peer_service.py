"""The port between peers: Iroha 1's block loader, from which other peers catch up."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import grpc

from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.loader_pb2 import BlockRequest
from node.ledger.grpc_server import abort, bind, decode, stream_handler, unary_handler
from node.ledger.state_store import StateStore

MAX_BLOCK_BYTES: Final = 128 * 1024 * 1024
"""The largest gRPC message, as in irohad."""
_WORKERS: Final = 32
_MAX_REQUEST_BYTES: Final = 1024


class LoaderService:
    """`iroha.network.proto.Loader`."""

    name: Final = "iroha.network.proto.Loader"

    def __init__(self, state: StateStore) -> None:
        self._state = state

    def retrieve_block(self, data: bytes, context: grpc.ServicerContext) -> Block:
        """Return one block."""
        block = self._block_at(decode(data, BlockRequest, context).height)
        if block is None:
            abort(context, grpc.StatusCode.NOT_FOUND, "No such block.")
        return block

    def retrieve_blocks(self, data: bytes, context: grpc.ServicerContext) -> Iterator[Block]:
        """Yield the blocks from a height on, up to the top."""
        height = decode(data, BlockRequest, context).height
        while (block := self._block_at(height)) is not None:
            yield block
            height += 1

    def _block_at(self, height: int) -> Block | None:
        with self._state.snapshot() as view:
            return view.block_at(height)


class PeerServer:
    """The gRPC server for other peers.

    Attributes:
        address: `host:port` where they connect.
    """

    def __init__(self, state: StateStore, address: str) -> None:
        """Bind the address; `start` answers on it.

        Raises:
            ConfigError: The address cannot be bound.
        """
        loader = LoaderService(state)
        self._pool = ThreadPoolExecutor(max_workers=_WORKERS, thread_name_prefix="peers")
        self._server = grpc.server(
            self._pool,
            maximum_concurrent_rpcs=_WORKERS,
            options=[
                ("grpc.max_send_message_length", MAX_BLOCK_BYTES),
                ("grpc.max_receive_message_length", _MAX_REQUEST_BYTES),
                ("grpc.so_reuseport", 0),
            ],
        )
        methods = {
            "retrieveBlock": unary_handler(loader.retrieve_block),
            "retrieveBlocks": stream_handler(loader.retrieve_blocks),
        }
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(loader.name, methods),)
        )
        self.address = bind("internal", self._server, address)

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()

    def stop(self, grace_s: float = 1) -> None:
        """Take nothing new, and return when the open calls are answered or cut off."""
        self._server.stop(grace_s).wait()
        self._pool.shutdown()

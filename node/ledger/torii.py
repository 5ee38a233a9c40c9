"""Torii, the gRPC gate: Iroha 1's command and query services over one ledger, and our own two.

gRPC itself answers OK even to invalid transactions and queries: their errors are in the messages.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import grpc

from chaincode.queries import MAX_RESPONSE_BYTES
from node.ledger import native_server
from node.ledger.call_tracing import traced_services
from node.ledger.calls import Method
from node.ledger.command_service import CommandService
from node.ledger.config import TlsPort
from node.ledger.grpc_server import bind, bind_tls, service_handler
from node.ledger.native_server import NativeServer
from node.ledger.proof_service import ProofService
from node.ledger.query_service import QueryService, may_be_long
from node.ledger.stream_places import MAX_STREAMS, StreamPlaces
from node.ledger.submit_service import SubmitService
from node.ledger.torii_parts import ToriiParts

MAX_REQUEST_BYTES: Final = 16 * 1024 * 1024
"""A detail may be 4 MiB long. irohad takes 128 MiB; but gRPC holds requests before we see them, one
for each of `MAX_CALLS` calls."""
MAX_CALLS: Final = 512
"""Calls that are open at once; further ones are told RESOURCE_EXHAUSTED."""
_WORKERS: Final = MAX_STREAMS + 64


class ToriiServer:
    """The gRPC server of all services.

    Attributes:
        address: `host:port` where clients connect.
        tls_address: The same over TLS; None where there is none.
    """

    def __init__(self, parts: ToriiParts, address: str, tls: TlsPort | None = None) -> None:
        """Bind the addresses; `start` answers on them.

        Args:
            parts: What the gate stands before.
            address: `host:port`; port 0 lets the system choose.
            tls: The port that is spoken to over TLS, beside the plain one.

        Raises:
            ConfigError: An address cannot be bound, or the certificate or its key cannot be used.
        """
        places = StreamPlaces()
        services = traced_services(
            _services(
                commands := CommandService(parts, places),
                QueryService(parts, places),
                ProofService(parts),
                SubmitService(parts, commands, places),
            )
        )
        self._statuses = parts.statuses
        self._commits = parts.commits
        self._native = _native_server(services, address) if native_server.is_built() else None
        self._pool = ThreadPoolExecutor(max_workers=_WORKERS, thread_name_prefix="torii")
        self._server = grpc.server(
            self._pool,
            maximum_concurrent_rpcs=MAX_CALLS,
            options=[
                ("grpc.max_send_message_length", MAX_RESPONSE_BYTES),
                ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
                # Two nodes on one port would each see half of the transactions.
                ("grpc.so_reuseport", 0),
            ],
        )
        self._server.add_generic_rpc_handlers(
            tuple(service_handler(name, methods) for name, methods in services.items())
        )
        if self._native is None:
            self.address = bind("Torii", self._server, address)
        else:
            self.address = self._native.address
        self.tls_address = None if tls is None else bind_tls("Torii", self._server, tls)

    def start(self) -> None:
        """Begin to answer."""
        if self._native is not None:
            self._native.start()
        self._server.start()

    def stop(self, grace_s: float = 5) -> None:
        """Take nothing new, end the streams, and return when the open calls are answered."""
        if self._native is not None:
            self._native.close()
        stopped = self._server.stop(grace_s)
        self._statuses.end_streams()
        self._commits.end_streams()
        if self._native is not None:
            self._native.join(grace_s)
        stopped.wait()
        self._pool.shutdown()


def _services(
    commands: CommandService,
    queries: QueryService,
    proofs: ProofService,
    submissions: SubmitService,
) -> Mapping[str, Mapping[str, Method]]:
    return {
        commands.name: {
            "Torii": Method(unary=commands.torii, together=commands.torii_together),
            "ListTorii": Method(unary=commands.list_torii),
            "Status": Method(unary=commands.status),
            "StatusStream": Method(streamed=commands.status_stream),
        },
        queries.name: {
            "Find": Method(unary=queries.find, may_be_long=may_be_long),
            "FetchCommits": Method(streamed=queries.fetch_commits),
            "Healthcheck": Method(unary=queries.healthcheck),
        },
        proofs.name: {
            "Checkpoint": Method(unary=proofs.checkpoint),
            "Prove": Method(unary=proofs.prove),
        },
        submissions.name: {
            "Submit": Method(streamed=submissions.submit),
        },
    }


def _native_server(services: Mapping[str, Mapping[str, Method]], address: str) -> NativeServer:
    return NativeServer(
        "Torii",
        address,
        {
            f"/{service}/{name}": method
            for service, methods in services.items()
            for name, method in methods.items()
        },
        max_request_bytes=MAX_REQUEST_BYTES,
        max_response_bytes=MAX_RESPONSE_BYTES,
        max_calls=MAX_CALLS,
        max_long_calls=_WORKERS,
    )

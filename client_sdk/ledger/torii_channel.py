"""The remote calls of one ledger node, as irohad and ours name them, over one gRPC channel."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import grpc
from google.protobuf.empty_pb2 import Empty
from grpc.experimental import ChannelOptions

from chaincode.protocol.endpoint_pb2 import ToriiResponse, TxList, TxStatusRequest
from chaincode.protocol.proofs_pb2 import (
    CheckpointRequest,
    CheckpointResponse,
    ProofRequest,
    ProofResponse,
)
from chaincode.protocol.qry_responses_pb2 import HealthcheckData, QueryResponse
from chaincode.protocol.queries_pb2 import Query
from chaincode.protocol.submission_pb2 import SubmitResponse
from chaincode.protocol.transaction_pb2 import Transaction
from client_sdk.errors import TransportError
from client_sdk.http.endpoint_url import is_loopback
from client_sdk.ledger.call_tracing import traced_channel

MAX_MESSAGE_BYTES: Final = 128 * 1024 * 1024
"""The largest gRPC message, as in irohad: one detail may be 4 MiB long."""

NODE_STOPPED: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED})
"""What a call ends with where the node stops: it cancels those that it has not answered."""

NO_ANSWER: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})

# A node that restarts is waited for: the channel tries again by itself within the deadline.
_SERVICE_CONFIG: Final = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{}],
                "waitForReady": True,
                "retryPolicy": {
                    "maxAttempts": 5,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "1s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
    }
)


class ToriiChannel:
    """One node's services; each attribute is a remote call. Safe to share between threads.

    Attributes:
        address: `host:port` of the node's Torii.
    """

    def __init__(self, address: str, *, root_certificates: bytes | None = None) -> None:
        """Prepare a connection; the first call opens it.

        Args:
            address: `host:port` of the node's Torii.
            root_certificates: The certificates, PEM, that the node's own must lead to; it is spoken
                to over TLS then, else in plain.
        """
        self.address = address
        options = [
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.service_config", _SERVICE_CONFIG),
            # Else a thread is started for each stream.
            (ChannelOptions.SingleThreadedUnaryStream, 1),
        ]
        self._hint = "is the node running, and is the address right?"
        if root_certificates is None:
            channel = grpc.insecure_channel(address, options)
        else:
            credentials = grpc.ssl_channel_credentials(root_certificates)
            channel = grpc.secure_channel(address, credentials, options)
            self._hint += (
                " Is it the port for TLS, and does the node's certificate name this host and lead "
                "to the root certificates?"
            )
        self._channel = traced_channel(channel, address)
        commands = "/iroha.protocol.CommandService_v1/"
        self.torii = self._channel.unary_unary(
            commands + "Torii", Transaction.SerializeToString, Empty.FromString
        )
        self.status = self._channel.unary_unary(
            commands + "Status", TxStatusRequest.SerializeToString, ToriiResponse.FromString
        )
        self.status_stream = self._channel.unary_stream(
            commands + "StatusStream", TxStatusRequest.SerializeToString, ToriiResponse.FromString
        )
        queries = "/iroha.protocol.QueryService_v1/"
        self.find = self._channel.unary_unary(
            queries + "Find", Query.SerializeToString, QueryResponse.FromString
        )
        self.healthcheck = self._channel.unary_unary(
            queries + "Healthcheck", Empty.SerializeToString, HealthcheckData.FromString
        )
        proofs = "/tegata.ledger.ProofService/"
        self.prove = self._channel.unary_unary(
            proofs + "Prove", ProofRequest.SerializeToString, ProofResponse.FromString
        )
        self.checkpoint = self._channel.unary_unary(
            proofs + "Checkpoint",
            CheckpointRequest.SerializeToString,
            CheckpointResponse.FromString,
        )
        self.submit = self._channel.unary_stream(
            "/tegata.ledger.SubmitService/Submit",
            TxList.SerializeToString,
            SubmitResponse.FromString,
        )

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    @contextmanager
    def transport_errors(self) -> Iterator[None]:
        """Turn what gRPC raises in a call into a TransportError that names the node."""
        try:
            yield
        except ValueError:
            # gRPC's word for a channel that was closed.
            raise TransportError(f"ledger node {self.address}: this client was closed") from None
        except grpc.RpcError as error:
            code = status_code(error)
            name = code.name if code is not None else type(error).__name__
            where = f"ledger node {self.address}: {name}"
            if isinstance(error, grpc.Call) and code not in NO_ANSWER:
                raise TransportError(f"{where}: {error.details()}") from None
            raise TransportError(f"{where}; {self._hint}") from None


def is_exposed(address: str, root_certificates: object | None) -> bool:
    """Return whether others can read and change what is said to a node: no TLS, over a network.

    Args:
        address: `host:port` of the node's Torii.
        root_certificates: As for `ToriiChannel`, or the file that they are in.
    """
    host = address.rpartition(":")[0].removeprefix("[").removesuffix("]")
    return root_certificates is None and not is_loopback(host)


def status_code(error: grpc.RpcError) -> grpc.StatusCode | None:
    """Return the code that a call ended with; None where it never came to that."""
    return error.code() if isinstance(error, grpc.Call) else None

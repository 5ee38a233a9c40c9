"""What the gRPC servers of a node share: methods that decode by themselves, and their addresses.

Requests are decoded here and not by gRPC, so that bytes that are no message get a clear answer.
"""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NoReturn, TypeVar

import grpc
import structlog
from google.protobuf.message import DecodeError, Message

from node.errors import ConfigError, PoolFullError, StorageError
from node.ledger.config import TlsPort
from node.ledger.large_requests import LargeRequests

_LARGE_REQUESTS: Final = LargeRequests()
"""Of all servers of the process: they share its memory."""

_log = structlog.get_logger(__name__)
_M = TypeVar("_M", bound=Message)


def unary_handler(
    behaviour: Callable[[bytes, grpc.ServicerContext], Message],
) -> "grpc.RpcMethodHandler[bytes, Message]":
    """Return the handler of a method with one answer."""

    def answer(data: bytes, context: grpc.ServicerContext) -> Message:
        with _own_errors(context), _LARGE_REQUESTS.hold(len(data)):
            return behaviour(data, context)

    return grpc.unary_unary_rpc_method_handler(
        answer, response_serializer=lambda message: message.SerializeToString()
    )


def stream_handler(
    behaviour: Callable[[bytes, grpc.ServicerContext], Iterator[Message]],
) -> "grpc.RpcMethodHandler[bytes, Message]":
    """Return the handler of a method with any number of answers."""

    def answer(data: bytes, context: grpc.ServicerContext) -> Iterator[Message]:
        with _own_errors(context):
            yield from behaviour(data, context)

    return grpc.unary_stream_rpc_method_handler(
        answer, response_serializer=lambda message: message.SerializeToString()
    )


@contextmanager
def _own_errors(context: grpc.ServicerContext) -> Iterator[None]:
    try:
        yield
    except PoolFullError as error:
        abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
    except StorageError as error:
        _log.critical("the ledger cannot be read", error=str(error))
        abort(context, grpc.StatusCode.INTERNAL, "the node's store is damaged; its log says where")


def decode(data: bytes, kind: type[_M], context: grpc.ServicerContext) -> _M:
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


def abort(context: grpc.ServicerContext, code: grpc.StatusCode, text: str) -> NoReturn:
    """End the call with a status."""
    context.abort(code, text)
    raise AssertionError("abort raises")


def bind(service: str, server: grpc.Server, address: str) -> str:
    """Bind a plain address; return it with the port that was taken.

    Raises:
        ConfigError: The address cannot be bound.
    """
    try:
        port = server.add_insecure_port(address)
    except RuntimeError:
        raise _cannot_bind(service, address) from None
    return _with_port(address, port)


def bind_tls(service: str, server: grpc.Server, tls: TlsPort) -> str:
    """Bind an address for TLS 1.2 and later; return it with the port that was taken.

    Raises:
        ConfigError: The address cannot be bound, or the files are no certificate and its key.
    """
    try:
        # gRPC would take a broken pair, and then refuse each handshake without a word.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.certificate, tls.private_key)
        pair = (tls.private_key.read_bytes(), tls.certificate.read_bytes())
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror
        raise ConfigError(
            f"{service} over TLS: {tls.certificate} and {tls.private_key} cannot be used as "
            f"certificate and key: {reason}"
        ) from None
    try:
        port = server.add_secure_port(tls.address, grpc.ssl_server_credentials([pair]))
    except RuntimeError:
        raise _cannot_bind(service, tls.address) from None
    return _with_port(tls.address, port)


def _with_port(address: str, port: int) -> str:
    return f"{address.rpartition(':')[0]}:{port}"


def _cannot_bind(service: str, address: str) -> ConfigError:
    return ConfigError(f"{service}: {address} cannot be bound; is another node running there?")

"""The gRPC server of the `grpcio` library: its handlers, and binding its addresses."""

import ssl
from collections.abc import Iterator, Mapping

import grpc
from google.protobuf.message import Message

from node.errors import ConfigError
from node.ledger.calls import Method, Streamed, Unary, answer_streamed, answer_unary
from node.ledger.config import TlsPort


def service_handler(name: str, methods: Mapping[str, Method]) -> grpc.GenericRpcHandler:
    """Return the handler of a service, from its methods by their names."""
    return grpc.method_handlers_generic_handler(
        name, {method_name: _handler(method) for method_name, method in methods.items()}
    )


def _handler(method: Method) -> "grpc.RpcMethodHandler[bytes, Message]":
    if method.streamed is not None:
        return _stream_handler(method.streamed)
    assert method.unary is not None
    return _unary_handler(method.unary)


def _unary_handler(behaviour: Unary) -> "grpc.RpcMethodHandler[bytes, Message]":
    def answer(data: bytes, context: grpc.ServicerContext) -> Message:
        return answer_unary(behaviour, data, context)

    return grpc.unary_unary_rpc_method_handler(
        answer, response_serializer=lambda message: message.SerializeToString()
    )


def _stream_handler(behaviour: Streamed) -> "grpc.RpcMethodHandler[bytes, Message]":
    def answer(data: bytes, context: grpc.ServicerContext) -> Iterator[Message]:
        yield from answer_streamed(behaviour, data, context)

    return grpc.unary_stream_rpc_method_handler(
        answer, response_serializer=lambda message: message.SerializeToString()
    )


def bind(service: str, server: grpc.Server, address: str) -> str:
    """Bind a plain address; return it with the port that was taken.

    Raises:
        ConfigError: The address cannot be bound.
    """
    try:
        port = server.add_insecure_port(address)
    except RuntimeError:
        raise cannot_bind(service, address) from None
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
        raise cannot_bind(service, tls.address) from None
    return _with_port(tls.address, port)


def _with_port(address: str, port: int) -> str:
    return f"{address.rpartition(':')[0]}:{port}"


def cannot_bind(service: str, address: str) -> ConfigError:
    """Return what is raised where an address cannot be bound."""
    return ConfigError(f"{service}: {address} cannot be bound; is another node running there?")

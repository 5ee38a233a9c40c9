from chaincode.protocol import primitive_pb2 as _primitive_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AccountRecord(_message.Message):
    __slots__ = ("quorum", "signatories", "roles")
    QUORUM_FIELD_NUMBER: _ClassVar[int]
    SIGNATORIES_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    quorum: int
    signatories: _containers.RepeatedScalarFieldContainer[str]
    roles: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, quorum: _Optional[int] = ..., signatories: _Optional[_Iterable[str]] = ..., roles: _Optional[_Iterable[str]] = ...) -> None: ...

class PeersRecord(_message.Message):
    __slots__ = ("peers",)
    PEERS_FIELD_NUMBER: _ClassVar[int]
    peers: _containers.RepeatedCompositeFieldContainer[_primitive_pb2.Peer]
    def __init__(self, peers: _Optional[_Iterable[_Union[_primitive_pb2.Peer, _Mapping]]] = ...) -> None: ...

class EngineReceiptsRecord(_message.Message):
    __slots__ = ("gas_used", "receipts")
    GAS_USED_FIELD_NUMBER: _ClassVar[int]
    RECEIPTS_FIELD_NUMBER: _ClassVar[int]
    gas_used: int
    receipts: _containers.RepeatedCompositeFieldContainer[_primitive_pb2.EngineReceipt]
    def __init__(self, gas_used: _Optional[int] = ..., receipts: _Optional[_Iterable[_Union[_primitive_pb2.EngineReceipt, _Mapping]]] = ...) -> None: ...

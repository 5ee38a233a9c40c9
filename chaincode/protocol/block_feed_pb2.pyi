from chaincode.protocol import block_pb2 as _block_pb2
from chaincode.protocol import endpoint_pb2 as _endpoint_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FollowRequest(_message.Message):
    __slots__ = ("next_height",)
    NEXT_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    next_height: int
    def __init__(self, next_height: _Optional[int] = ...) -> None: ...

class ChainNews(_message.Message):
    __slots__ = ("top_height", "block", "failures")
    TOP_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    top_height: int
    block: _block_pb2.Block
    failures: _containers.RepeatedCompositeFieldContainer[_endpoint_pb2.ToriiResponse]
    def __init__(self, top_height: _Optional[int] = ..., block: _Optional[_Union[_block_pb2.Block, _Mapping]] = ..., failures: _Optional[_Iterable[_Union[_endpoint_pb2.ToriiResponse, _Mapping]]] = ...) -> None: ...

from chaincode.protocol import block_pb2 as _block_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SnapshotManifest(_message.Message):
    __slots__ = ("height", "app_hash", "chain_height", "chunk_hashes")
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    APP_HASH_FIELD_NUMBER: _ClassVar[int]
    CHAIN_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    CHUNK_HASHES_FIELD_NUMBER: _ClassVar[int]
    height: int
    app_hash: bytes
    chain_height: int
    chunk_hashes: bytes
    def __init__(self, height: _Optional[int] = ..., app_hash: _Optional[bytes] = ..., chain_height: _Optional[int] = ..., chunk_hashes: _Optional[bytes] = ...) -> None: ...

class SnapshotRecord(_message.Message):
    __slots__ = ("block", "pending", "entry")
    class PastBlock(_message.Message):
        __slots__ = ("block", "leaf")
        BLOCK_FIELD_NUMBER: _ClassVar[int]
        LEAF_FIELD_NUMBER: _ClassVar[int]
        block: _block_pb2.Block
        leaf: bytes
        def __init__(self, block: _Optional[_Union[_block_pb2.Block, _Mapping]] = ..., leaf: _Optional[bytes] = ...) -> None: ...
    class Pending(_message.Message):
        __slots__ = ("payer", "since_ms", "batch")
        PAYER_FIELD_NUMBER: _ClassVar[int]
        SINCE_MS_FIELD_NUMBER: _ClassVar[int]
        BATCH_FIELD_NUMBER: _ClassVar[int]
        payer: str
        since_ms: int
        batch: bytes
        def __init__(self, payer: _Optional[str] = ..., since_ms: _Optional[int] = ..., batch: _Optional[bytes] = ...) -> None: ...
    class Entry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: bytes
        value: bytes
        def __init__(self, key: _Optional[bytes] = ..., value: _Optional[bytes] = ...) -> None: ...
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    block: SnapshotRecord.PastBlock
    pending: SnapshotRecord.Pending
    entry: SnapshotRecord.Entry
    def __init__(self, block: _Optional[_Union[SnapshotRecord.PastBlock, _Mapping]] = ..., pending: _Optional[_Union[SnapshotRecord.Pending, _Mapping]] = ..., entry: _Optional[_Union[SnapshotRecord.Entry, _Mapping]] = ...) -> None: ...

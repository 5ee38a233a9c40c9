from chaincode.protocol import block_pb2 as _block_pb2
from chaincode.protocol import primitive_pb2 as _primitive_pb2
from chaincode.protocol import qry_responses_pb2 as _qry_responses_pb2
from chaincode.protocol import queries_pb2 as _queries_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StateEntry(_message.Message):
    __slots__ = ("account_id", "writer", "key")
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    WRITER_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    account_id: str
    writer: str
    key: str
    def __init__(self, account_id: _Optional[str] = ..., writer: _Optional[str] = ..., key: _Optional[str] = ...) -> None: ...

class Replication(_message.Message):
    __slots__ = ("pending_digest", "header_height")
    PENDING_DIGEST_FIELD_NUMBER: _ClassVar[int]
    HEADER_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    pending_digest: bytes
    header_height: int
    def __init__(self, pending_digest: _Optional[bytes] = ..., header_height: _Optional[int] = ...) -> None: ...

class CheckpointRequest(_message.Message):
    __slots__ = ("known_size",)
    KNOWN_SIZE_FIELD_NUMBER: _ClassVar[int]
    known_size: int
    def __init__(self, known_size: _Optional[int] = ...) -> None: ...

class CheckpointResponse(_message.Message):
    __slots__ = ("checkpoint", "consistency", "replication")
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    REPLICATION_FIELD_NUMBER: _ClassVar[int]
    checkpoint: bytes
    consistency: _containers.RepeatedScalarFieldContainer[bytes]
    replication: Replication
    def __init__(self, checkpoint: _Optional[bytes] = ..., consistency: _Optional[_Iterable[bytes]] = ..., replication: _Optional[_Union[Replication, _Mapping]] = ...) -> None: ...

class ProofRequest(_message.Message):
    __slots__ = ("payload", "signature")
    class Payload(_message.Message):
        __slots__ = ("meta", "entries", "known_size", "with_genesis")
        META_FIELD_NUMBER: _ClassVar[int]
        ENTRIES_FIELD_NUMBER: _ClassVar[int]
        KNOWN_SIZE_FIELD_NUMBER: _ClassVar[int]
        WITH_GENESIS_FIELD_NUMBER: _ClassVar[int]
        meta: _queries_pb2.QueryPayloadMeta
        entries: _containers.RepeatedCompositeFieldContainer[StateEntry]
        known_size: int
        with_genesis: bool
        def __init__(self, meta: _Optional[_Union[_queries_pb2.QueryPayloadMeta, _Mapping]] = ..., entries: _Optional[_Iterable[_Union[StateEntry, _Mapping]]] = ..., known_size: _Optional[int] = ..., with_genesis: _Optional[bool] = ...) -> None: ...
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    payload: ProofRequest.Payload
    signature: _primitive_pb2.Signature
    def __init__(self, payload: _Optional[_Union[ProofRequest.Payload, _Mapping]] = ..., signature: _Optional[_Union[_primitive_pb2.Signature, _Mapping]] = ...) -> None: ...

class EntryProof(_message.Message):
    __slots__ = ("entry", "value", "path")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    entry: StateEntry
    value: bytes
    path: bytes
    def __init__(self, entry: _Optional[_Union[StateEntry, _Mapping]] = ..., value: _Optional[bytes] = ..., path: _Optional[bytes] = ...) -> None: ...

class StateProof(_message.Message):
    __slots__ = ("checkpoint", "log_entry", "inclusion", "set_digest", "map_root", "entries")
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    LOG_ENTRY_FIELD_NUMBER: _ClassVar[int]
    INCLUSION_FIELD_NUMBER: _ClassVar[int]
    SET_DIGEST_FIELD_NUMBER: _ClassVar[int]
    MAP_ROOT_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    checkpoint: bytes
    log_entry: bytes
    inclusion: _containers.RepeatedScalarFieldContainer[bytes]
    set_digest: bytes
    map_root: bytes
    entries: _containers.RepeatedCompositeFieldContainer[EntryProof]
    def __init__(self, checkpoint: _Optional[bytes] = ..., log_entry: _Optional[bytes] = ..., inclusion: _Optional[_Iterable[bytes]] = ..., set_digest: _Optional[bytes] = ..., map_root: _Optional[bytes] = ..., entries: _Optional[_Iterable[_Union[EntryProof, _Mapping]]] = ...) -> None: ...

class ProofResponse(_message.Message):
    __slots__ = ("proof", "error_response", "consistency", "genesis", "replication")
    PROOF_FIELD_NUMBER: _ClassVar[int]
    ERROR_RESPONSE_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    GENESIS_FIELD_NUMBER: _ClassVar[int]
    REPLICATION_FIELD_NUMBER: _ClassVar[int]
    proof: StateProof
    error_response: _qry_responses_pb2.ErrorResponse
    consistency: _containers.RepeatedScalarFieldContainer[bytes]
    genesis: _block_pb2.Block
    replication: Replication
    def __init__(self, proof: _Optional[_Union[StateProof, _Mapping]] = ..., error_response: _Optional[_Union[_qry_responses_pb2.ErrorResponse, _Mapping]] = ..., consistency: _Optional[_Iterable[bytes]] = ..., genesis: _Optional[_Union[_block_pb2.Block, _Mapping]] = ..., replication: _Optional[_Union[Replication, _Mapping]] = ...) -> None: ...

"""The identity records: account details whose keys begin with `tg_`, one module for each kind."""

from chaincode.records.batch import MAX_BATCH, BatchRecord
from chaincode.records.credential import CredentialRecord, CredentialState
from chaincode.records.fields import MAX_TIME_MS
from chaincode.records.grant import GrantRecord, GrantState
from chaincode.records.issuer import IssuerRecord, IssuerState
from chaincode.records.keys import RESERVED_PREFIX, AnyRecord, parse_record_key
from chaincode.records.record import (
    MAX_RECORD_CHARS,
    NO_ID,
    IdentityRecord,
    decode_record,
    encode_record,
)
from chaincode.records.seen import SeenRecord, parse_seen_id, seen_id
from chaincode.records.status_list import StatusListRecord

__all__ = [
    "MAX_BATCH",
    "MAX_RECORD_CHARS",
    "MAX_TIME_MS",
    "NO_ID",
    "RESERVED_PREFIX",
    "AnyRecord",
    "BatchRecord",
    "CredentialRecord",
    "CredentialState",
    "GrantRecord",
    "GrantState",
    "IdentityRecord",
    "IssuerRecord",
    "IssuerState",
    "SeenRecord",
    "StatusListRecord",
    "decode_record",
    "encode_record",
    "parse_record_key",
    "parse_seen_id",
    "seen_id",
]

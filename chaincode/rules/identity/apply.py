"""The rules of the identity records: who may write which, and how each may change.

They hold for `SetAccountDetail` and `CompareAndSetAccountDetail` alike. A breach is a rejection
with one of `RecordCode`.
"""

from chaincode.errors import DecodeError, RecordCode, RejectedError
from chaincode.records import (
    BatchRecord,
    CredentialRecord,
    GrantRecord,
    IssuerRecord,
    SeenRecord,
    StatusListRecord,
    decode_record,
    encode_record,
    parse_record_key,
)
from chaincode.rules.identity.batch import check_batch
from chaincode.rules.identity.credential import check_credential
from chaincode.rules.identity.grant import check_grant
from chaincode.rules.identity.issuer import check_issuer
from chaincode.rules.identity.recovery import apply_recovery_record
from chaincode.rules.identity.seen import check_seen
from chaincode.rules.identity.status_list import check_status_list
from chaincode.rules.scope import Scope
from chaincode.world_state import put_detail


def apply_record(scope: Scope, account_id: str, key: str, value: str) -> None:
    """Write an identity record, if the creator may write it now.

    Raises:
        RejectedError: A rule is broken; the code says which.
    """
    # READ
    try:
        kind, record_id = parse_record_key(key)
    except DecodeError as error:
        raise RejectedError(RecordCode.UNKNOWN_KIND, str(error)) from None
    try:
        record = decode_record(value, kind)
    except DecodeError as error:
        raise RejectedError(RecordCode.MALFORMED, f"{key}: {error}") from None
    # CHECK
    if account_id != scope.creator and not kind.by_another:
        raise RejectedError(
            RecordCode.NOT_THE_OWNER, f"{key}: only the account itself writes this record"
        )
    match record:
        case IssuerRecord():
            check_issuer(scope, record_id, record)
        case CredentialRecord():
            check_credential(scope, record_id, record)
        case BatchRecord():
            check_batch(scope, record_id, record)
        case StatusListRecord():
            check_status_list(scope, record_id, record)
        case GrantRecord():
            check_grant(scope, record_id, record)
        case SeenRecord():
            check_seen(scope, account_id, record_id)
        case _:
            value = encode_record(apply_recovery_record(scope, account_id, key, record))
    # WRITE
    put_detail(scope.state, account_id, scope.creator, key, value)

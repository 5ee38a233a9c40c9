"""The rule of batches."""

from chaincode.errors import RecordCode, RejectedError
from chaincode.records import BatchRecord, StatusListRecord
from chaincode.rules.identity.changes import check_not_expired, get_written
from chaincode.rules.identity.issuer import check_may_issue
from chaincode.rules.scope import Scope


def check_batch(scope: Scope, record_id: str, record: BatchRecord) -> None:
    """Check that a batch may be anchored: once, by an issuer that has its status list.

    Raises:
        RejectedError: It may not; the code says why.
    """
    if get_written(scope, scope.creator, record_id, BatchRecord) is not None:
        raise RejectedError(RecordCode.FIELD_CHANGED, "a batch never changes: use a new id")
    check_may_issue(scope, record.issuer_record)
    check_not_expired(scope, record.expires_at_ms)
    if get_written(scope, scope.creator, record.status_list, StatusListRecord) is None:
        raise RejectedError(
            RecordCode.NO_STATUS_LIST, f"{scope.creator} has no such status list: write it first"
        )

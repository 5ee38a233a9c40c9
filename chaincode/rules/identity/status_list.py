"""The rule of status lists."""

from chaincode.errors import RecordCode, RejectedError
from chaincode.records import StatusListRecord
from chaincode.rules.identity.changes import get_written
from chaincode.rules.identity.issuer import check_may_issue
from chaincode.rules.scope import Scope


def check_status_list(scope: Scope, record_id: str, record: StatusListRecord) -> None:
    """Check that a status list may be written: new, or of a higher version.

    A withdrawn issuer makes no list, but goes on to revoke in those that it has.

    Raises:
        RejectedError: It may not; the code says why.
    """
    previous = get_written(scope, scope.creator, record_id, StatusListRecord)
    if previous is None:
        check_may_issue(scope, record.issuer_record)
        return
    kept = (previous.uri, previous.bits, previous.issuer_record)
    if (record.uri, record.bits, record.issuer_record) != kept:
        raise RejectedError(
            RecordCode.FIELD_CHANGED, "only the digest and the version of a status list change"
        )
    if record.version <= previous.version:
        raise RejectedError(
            RecordCode.OLD_VERSION, f"the status list has version {previous.version} already"
        )

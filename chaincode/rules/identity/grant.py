"""The rule of grants."""

from dataclasses import replace

from chaincode.errors import RecordCode, RejectedError
from chaincode.records import GrantRecord
from chaincode.rules.identity.changes import (
    check_not_expired,
    check_only_state_changes,
    get_written,
)
from chaincode.rules.identity.guard import get_status
from chaincode.rules.scope import Scope


def check_grant(scope: Scope, record_id: str, record: GrantRecord) -> None:
    """Check that a grant may be made, or revoked.

    Raises:
        RejectedError: It may not; the code says why.
    """
    previous = get_written(scope, scope.creator, record_id, GrantRecord)
    if previous is None:
        check_not_expired(scope, record.expires_at_ms)
        if record.state != "live":
            raise RejectedError(RecordCode.STATE_REFUSED, "a grant begins as live")
        if get_status(scope.state, scope.creator).is_open_recovery(scope.block.time_ms):
            raise RejectedError(
                RecordCode.RECOVERY_OPEN, "no grant is made while a recovery of the account is open"
            )
        return
    check_only_state_changes(previous, replace(record, state=previous.state))
    if (previous.state, record.state) != ("live", "revoked"):
        raise RejectedError(
            RecordCode.STATE_REFUSED, f"a grant goes not from {previous.state} to {record.state}"
        )

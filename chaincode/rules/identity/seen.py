"""The rule of access receipts: they count a grant's uses, one after the other."""

from chaincode.errors import RecordCode, RejectedError
from chaincode.records import GrantRecord, SeenRecord, parse_seen_id, seen_id
from chaincode.rules.identity.changes import check_not_expired, get_written
from chaincode.rules.identity.guard import get_status
from chaincode.rules.scope import Scope
from chaincode.world_state import get_detail


def check_seen(scope: Scope, account_id: str, record_id: str) -> None:
    """Check that the gateway of a grant may write the receipt of its next use.

    Commands take effect one after the other, also within a block: what a revocation, or another
    receipt, before this one has changed is seen here.

    Raises:
        RejectedError: It may not; the code says why.
    """
    # READ
    grant_id, use = parse_seen_id(record_id)
    grant = get_written(scope, account_id, grant_id, GrantRecord)
    is_written = _is_written(scope, account_id, grant_id, use)
    is_next = use == 1 or _is_written(scope, account_id, grant_id, use - 1)
    # CHECK
    if grant is None:
        raise RejectedError(RecordCode.NO_GRANT, f"{account_id} made no grant {grant_id}")
    if grant.gateway != scope.creator:
        raise RejectedError(
            RecordCode.NOT_THE_OWNER, "only the gateway that the grant names writes its receipts"
        )
    if grant.state != "live":
        raise RejectedError(RecordCode.STATE_REFUSED, "the grant is revoked")
    check_not_expired(scope, grant.expires_at_ms)
    if use > grant.uses:
        raise RejectedError(RecordCode.USED_UP, f"the grant has {grant.uses} use(s), and no more")
    if is_written or not is_next:
        raise RejectedError(
            RecordCode.OUT_OF_TURN, f"use {use} is not the next one of grant {grant_id}"
        )
    if get_status(scope.state, account_id).is_open_recovery(scope.block.time_ms):
        raise RejectedError(
            RecordCode.RECOVERY_OPEN, "no grant is used while a recovery of the account is open"
        )


def _is_written(scope: Scope, account_id: str, grant_id: str, use: int) -> bool:
    # The grant's gateway never changes, so all its receipts stand under one writer.
    key = SeenRecord.key(seen_id(grant_id, use))
    return get_detail(scope.state, account_id, scope.creator, key) is not None

"""The rule of anchored credentials."""

from dataclasses import replace
from typing import Final

from chaincode.errors import RecordCode, RejectedError
from chaincode.records import CredentialRecord, CredentialState
from chaincode.rules.identity.changes import (
    check_not_expired,
    check_only_state_changes,
    get_written,
)
from chaincode.rules.identity.issuer import check_may_issue
from chaincode.rules.scope import Scope

_CHANGES: Final[frozenset[tuple[CredentialState, CredentialState]]] = frozenset(
    {
        ("active", "suspended"),
        ("active", "revoked"),
        ("suspended", "active"),
        ("suspended", "revoked"),
    }
)


def check_credential(scope: Scope, record_id: str, record: CredentialRecord) -> None:
    """Check that the record of a credential may be written: new, or with another state.

    Raises:
        RejectedError: It may not; the code says why.
    """
    previous = get_written(scope, scope.creator, record_id, CredentialRecord)
    if previous is None:
        check_may_issue(scope, record.issuer_record)
        check_not_expired(scope, record.expires_at_ms)
        if record.state != "active":
            raise RejectedError(RecordCode.STATE_REFUSED, "a credential begins as active")
        return
    check_only_state_changes(previous, replace(record, state=previous.state))
    if (previous.state, record.state) not in _CHANGES:
        raise RejectedError(
            RecordCode.STATE_REFUSED,
            f"a credential goes not from {previous.state} to {record.state}",
        )

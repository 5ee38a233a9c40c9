"""What the rules of several kinds ask of a record and of the one before it."""

from typing import TypeVar

from chaincode.errors import DecodeError, RecordCode, RejectedError
from chaincode.records import IdentityRecord, decode_record
from chaincode.rules.scope import Scope
from chaincode.world_state import get_detail

_Record = TypeVar("_Record", bound=IdentityRecord)


def get_written(
    scope: Scope, account_id: str, record_id: str, kind: type[_Record]
) -> _Record | None:
    """Return the record that the account itself wrote under this id, or None.

    Raises:
        RejectedError: What stands there is no record of this kind.
    """
    value = get_detail(scope.state, account_id, account_id, kind.key(record_id))
    if value is None:
        return None
    try:
        return decode_record(value, kind)
    except DecodeError:
        # Only history that was made without these rules can hold such a value.
        raise RejectedError(
            RecordCode.MALFORMED, f"{kind.key(record_id)} of {account_id} is not a valid record"
        ) from None


def check_not_expired(scope: Scope, expires_at_ms: int) -> None:
    """Check that an expiry lies in the future of the block.

    Raises:
        RejectedError: It does not.
    """
    if expires_at_ms <= scope.block.time_ms:
        raise RejectedError(RecordCode.EXPIRED, "expires_at_ms lies in the past")


def check_only_state_changes(previous: IdentityRecord, same_state: IdentityRecord) -> None:
    """Check that a record, given the state of the one before it, equals that one.

    Raises:
        RejectedError: Another field has changed.
    """
    if same_state != previous:
        raise RejectedError(RecordCode.FIELD_CHANGED, "only the state of this record may change")

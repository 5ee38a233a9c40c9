"""The rules of the identity records: who may write which, and how each may change.

They hold for `SetAccountDetail` and `CompareAndSetAccountDetail` alike. A breach is a rejection
with one of `RecordCode`.
"""

from dataclasses import replace
from typing import Final, TypeVar

from chaincode.errors import DecodeError, RecordCode, RejectedError
from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.record_keys import AnyRecord, parse_record_key
from chaincode.records import (
    CredentialRecord,
    CredentialState,
    GrantRecord,
    IdentityRecord,
    IssuerRecord,
    decode_record,
    encode_record,
)
from chaincode.recovery_records import RecoverRecord
from chaincode.rules.guard import get_status
from chaincode.rules.recovery import apply_recovery_record
from chaincode.rules.scope import Scope
from chaincode.world_state import get_detail, put_detail

_CREDENTIAL_CHANGES: Final[frozenset[tuple[CredentialState, CredentialState]]] = frozenset(
    {
        ("active", "suspended"),
        ("active", "revoked"),
        ("suspended", "active"),
        ("suspended", "revoked"),
    }
)
_Record = TypeVar("_Record", bound=IdentityRecord)


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
    # A recovery is the one record that another account writes; its own rule says which.
    if account_id != scope.creator and not isinstance(record, RecoverRecord):
        raise RejectedError(
            RecordCode.NOT_THE_OWNER, f"{key}: only the account itself writes this record"
        )
    match record:
        case IssuerRecord():
            _check_issuer(scope, record_id, record)
        case CredentialRecord():
            _check_credential(scope, record_id, record)
        case GrantRecord():
            _check_grant(scope, record_id, record)
        case _:
            value = encode_record(apply_recovery_record(scope, account_id, key, record))
    # WRITE
    put_detail(scope.state, account_id, scope.creator, key, value)


def _check_issuer(scope: Scope, record_id: str, record: IssuerRecord) -> None:
    if scope.creator != REGISTRY_ACCOUNT:
        raise RejectedError(
            RecordCode.NOT_THE_OWNER, f"issuers are registered by {REGISTRY_ACCOUNT} only"
        )
    previous = _written(scope, scope.creator, record_id, IssuerRecord)
    if previous is not None and previous.issuer != record.issuer:
        raise RejectedError(RecordCode.FIELD_CHANGED, "a registration keeps its issuer")


def _check_credential(scope: Scope, record_id: str, record: CredentialRecord) -> None:
    previous = _written(scope, scope.creator, record_id, CredentialRecord)
    if previous is None:
        _check_may_issue(scope, record.issuer_record)
        _check_not_expired(scope, record.expires_at_ms)
        if record.state != "active":
            raise RejectedError(RecordCode.STATE_REFUSED, "a credential begins as active")
        return
    _check_only_state_changes(previous, replace(record, state=previous.state))
    if (previous.state, record.state) not in _CREDENTIAL_CHANGES:
        raise RejectedError(
            RecordCode.STATE_REFUSED,
            f"a credential goes not from {previous.state} to {record.state}",
        )


def _check_may_issue(scope: Scope, issuer_record: str) -> None:
    registered = _written(scope, REGISTRY_ACCOUNT, issuer_record, IssuerRecord)
    if registered is None or registered.issuer != scope.creator or registered.state != "active":
        raise RejectedError(
            RecordCode.NOT_AN_ISSUER, f"{scope.creator} is not registered as an active issuer"
        )


def _check_grant(scope: Scope, record_id: str, record: GrantRecord) -> None:
    previous = _written(scope, scope.creator, record_id, GrantRecord)
    if previous is None:
        _check_not_expired(scope, record.expires_at_ms)
        if record.state != "live":
            raise RejectedError(RecordCode.STATE_REFUSED, "a grant begins as live")
        if get_status(scope.state, scope.creator).is_open_recovery(scope.block.time_ms):
            raise RejectedError(
                RecordCode.RECOVERY_OPEN, "no grant is made while a recovery of the account is open"
            )
        return
    _check_only_state_changes(previous, replace(record, state=previous.state))
    if (previous.state, record.state) != ("live", "revoked"):
        raise RejectedError(
            RecordCode.STATE_REFUSED, f"a grant goes not from {previous.state} to {record.state}"
        )


def _check_not_expired(scope: Scope, expires_at_ms: int) -> None:
    if expires_at_ms <= scope.block.time_ms:
        raise RejectedError(RecordCode.EXPIRED, "expires_at_ms lies in the past")


def _check_only_state_changes(previous: AnyRecord, same_state: AnyRecord) -> None:
    if same_state != previous:
        raise RejectedError(RecordCode.FIELD_CHANGED, "only the state of this record may change")


def _written(scope: Scope, account_id: str, record_id: str, kind: type[_Record]) -> _Record | None:
    """Return the record that the account itself wrote under this id, or None."""
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

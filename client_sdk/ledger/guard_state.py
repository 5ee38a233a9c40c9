"""What a ledger says of an account's guard: the guard, the last recovery, the announced changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from chaincode.errors import DecodeError
from chaincode.protocol.commands_pb2 import Command
from chaincode.records import NO_ID, IdentityRecord, decode_record
from chaincode.records.recovery import (
    ChangeRecord,
    GuardRecord,
    RecoverRecord,
    RecoveryState,
    RecoveryStatus,
    Window,
    change_id,
)

_Record = TypeVar("_Record", bound=IdentityRecord)


class GuardLedger(Protocol):
    """What is read here: `client_sdk.ledger.client.LedgerClient` has it."""

    def record(
        self, account_id: str, record_id: str, kind: type[_Record], *, writer: str | None = None
    ) -> _Record | None:
        """Return an identity record, or None where there is no valid one."""

    def details(self, account_id: str, *, writer: str) -> Mapping[str, str]:
        """Return the details of an account that `writer` wrote, by key."""

    def signatories(self, account_id: str) -> frozenset[str]:
        """Return the public keys of an account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRecovery:
    """The recovery that was opened last.

    Attributes:
        record_id: Its id, 32 hex digits.
        new_key: The key that comes.
        lost_key: The key that goes.
        window: Its times.
        state: What became of it; `open` also where it has lapsed.
        firm: Whether the ledger takes no veto any more. An issuer may have approved it since.
    """

    record_id: str
    new_key: str
    lost_key: str
    window: Window
    state: RecoveryState
    firm: bool

    def is_open(self, now_ms: int) -> bool:
        """Tell whether it can still be carried out or vetoed."""
        return self.state == "open" and now_ms < self.window.lapses_at_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenChange:
    """A change that the holder's key announced.

    Attributes:
        command: The command.
        window: Its times.
        is_over: Whether it must be announced anew: a recovery ended it, or it was carried out,
            taken back or left too long.
    """

    command: Command
    window: Window
    is_over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardState:
    """An account's keys, its guard, and what is under way.

    Attributes:
        signatories: The account's keys.
        guard: The guard; None where none stands.
        is_enforced: Whether this ledger keeps a status, as ours does. An unchanged irohad does not:
            there the guard binds nobody.
        recovery: The recovery that was opened last; None where there was none under this guard.
        changes: What was announced, the latest last.
    """

    signatories: frozenset[str]
    guard: GuardRecord | None
    is_enforced: bool
    recovery: SeenRecovery | None
    changes: tuple[SeenChange, ...]


def read_guard_state(ledger: GuardLedger, account_id: str, *, now_ms: int) -> GuardState:
    """Return what the ledger says now.

    Args:
        ledger: A client that may read the account's details.
        account_id: The account.
        now_ms: Milliseconds since 1970, UTC.

    Raises:
        QueryFailedError: The client may not read them.
        TransportError: The node cannot be reached.
    """
    keys = ledger.signatories(account_id)
    guard = ledger.record(account_id, NO_ID, GuardRecord)
    status = ledger.record(account_id, NO_ID, RecoveryStatus)
    if guard is None or guard.state != "standing" or status is None:
        return GuardState(
            signatories=keys,
            guard=guard if guard is not None and guard.state == "standing" else None,
            is_enforced=status is not None,
            recovery=None,
            changes=(),
        )
    return GuardState(
        signatories=keys,
        guard=guard,
        is_enforced=True,
        recovery=_read_recovery(ledger, account_id, guard, status),
        changes=_read_changes(ledger, account_id, status, now_ms),
    )


def _read_recovery(
    ledger: GuardLedger, account_id: str, guard: GuardRecord, status: RecoveryStatus
) -> SeenRecovery | None:
    if not status.item.startswith(RecoverRecord.prefix):
        return None
    record_id = status.item.removeprefix(RecoverRecord.prefix)
    record = ledger.record(account_id, record_id, RecoverRecord, writer=guard.escrow)
    if record is None or record.window is None:
        return None
    return SeenRecovery(
        record_id=record_id,
        new_key=record.new_key,
        lost_key=record.lost_key,
        window=record.window,
        state=status.state,
        firm=status.firm,
    )


def _read_changes(
    ledger: GuardLedger, account_id: str, status: RecoveryStatus, now_ms: int
) -> tuple[SeenChange, ...]:
    found = []
    for key, value in ledger.details(account_id, writer=account_id).items():
        if not key.startswith(ChangeRecord.prefix):
            continue
        try:
            record = decode_record(value, ChangeRecord)
        except DecodeError:
            continue
        if record.window is None or key != ChangeRecord.key(change_id(record.command)):
            continue
        found.append(
            SeenChange(
                command=Command.FromString(record.command),
                window=record.window,
                is_over=record.state != "pending"
                or now_ms >= record.window.lapses_at_ms
                or _is_ended(key, record.window, status, now_ms),
            )
        )
    return tuple(sorted(found, key=lambda change: change.window.opened_at_ms))


def _is_ended(key: str, window: Window, status: RecoveryStatus, now_ms: int) -> bool:
    """Tell whether a recovery, or another change that was approved, has ended this change."""
    if status.is_open(now_ms):
        return status.item != key
    return window.opened_at_ms < status.until_ms

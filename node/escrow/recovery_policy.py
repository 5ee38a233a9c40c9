"""What agents sign together: the opening of a recovery, and its end. Pure.

A transaction is read, its meaning is built anew, and only if that gives the very same bytes is it
one that agents sign. Then it is compared with what the agent itself read on the ledger.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

from google.protobuf.message import DecodeError as ProtobufDecodeError

from chaincode.errors import DecodeError
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.records import decode_record
from chaincode.records.recovery import (
    ApprovalRecord,
    GuardRecord,
    RecoverRecord,
    RecoveryStatus,
    approval_digest,
)
from chaincode.signatures import parse_public_key
from client_sdk.ledger.commands import add_signatory, remove_signatory, set_record
from node.errors import PolicyRefusedError

MAX_CLOCK_DIFFERENCE_MS: Final = 300_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRecovery:
    """The transaction that opens a recovery.

    Attributes:
        account: The holder's account.
        record_id: The recovery's id.
        new_key: The signatory that comes.
        lost_key: The signatory that goes.
    """

    account: str
    record_id: str
    new_key: str
    lost_key: str

    @property
    def record(self) -> RecoverRecord:
        """The record as it is sent."""
        return RecoverRecord(new_key=self.new_key, lost_key=self.lost_key)

    def commands(self) -> list[Command]:
        """Return all that the transaction does."""
        return [set_record(self.account, self.record_id, self.record)]


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishRecovery:
    """The transaction that carries a recovery out.

    Attributes:
        account: The holder's account.
        new_key: The signatory that comes.
        lost_key: The signatory that goes.
    """

    account: str
    new_key: str
    lost_key: str

    def commands(self) -> list[Command]:
        """Return all that the transaction does."""
        return [
            add_signatory(self.account, self.new_key),
            remove_signatory(self.account, self.lost_key),
        ]


RecoveryStep: TypeAlias = OpenRecovery | FinishRecovery


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """What the ledger says of a holder's account.

    Attributes:
        signatories: Its keys.
        guard: The guard that stands; None for none.
        status: What is or was last under way.
        recovery: The recovery that `status` names, as the escrow account wrote it.
    """

    signatories: frozenset[str]
    guard: GuardRecord | None
    status: RecoveryStatus | None
    recovery: RecoverRecord | None


def parse_recovery_step(payload: bytes, *, escrow_account: str, now_ms: int) -> RecoveryStep:
    """Return what a transaction's payload does, which is all that it does.

    Args:
        payload: The serialised payload that would be signed.
        escrow_account: The account that the agents sign for.
        now_ms: Milliseconds since 1970, UTC.

    Raises:
        PolicyRefusedError: It does anything else, or more, or is not of now.
    """
    try:
        reduced = Transaction.Payload.FromString(payload).reduced_payload
        step = _read_step(list(reduced.commands))
        # The ledger takes any hex digits: with such a "key" nobody could sign for the account.
        parse_public_key(step.new_key)
    except (ProtobufDecodeError, DecodeError):
        raise PolicyRefusedError("not a transaction of a recovery") from None
    expected = Transaction.Payload()
    expected.reduced_payload.commands.extend(step.commands())
    expected.reduced_payload.creator_account_id = escrow_account
    expected.reduced_payload.created_time = reduced.created_time
    expected.reduced_payload.quorum = 1
    if expected.SerializeToString(deterministic=True) != payload:
        raise PolicyRefusedError(f"not exactly a recovery by {escrow_account}, and nothing beside")
    if abs(reduced.created_time - now_ms) > MAX_CLOCK_DIFFERENCE_MS:
        raise PolicyRefusedError("the transaction was not made now; check the clocks")
    return step


def check_opening(
    step: OpenRecovery,
    view: AccountView,
    *,
    escrow_account: str,
    approval: ApprovalRecord | None,
    is_approval_needed: bool,
) -> None:
    """Refuse to open a recovery that the ledger would not take, or nobody vouches for.

    Args:
        step: The opening.
        view: What the ledger says of the account.
        escrow_account: The account that the agents sign for.
        approval: What the guard's issuer wrote under the recovery's id.
        is_approval_needed: Whether it takes the issuer's approval of exactly this recovery.

    Raises:
        PolicyRefusedError: With the reason.
    """
    _require_guard(view, escrow_account)
    if step.lost_key not in view.signatories or step.new_key in view.signatories:
        raise PolicyRefusedError("a recovery replaces a key of the account by one that is none")
    if is_approval_needed:
        digest = approval_digest(step.account, step.record.key(step.record_id), step.record)
        if approval is None or (approval.account, approval.digest) != (step.account, digest):
            raise PolicyRefusedError("the issuer has not approved exactly this recovery")


def check_finish(
    step: FinishRecovery, view: AccountView, *, escrow_account: str, now_ms: int
) -> None:
    """Refuse to end a recovery that is not the open one, names other keys, or has not matured.

    The window is compared with this agent's own clock as well: whoever orders blocks alone could
    move the ledger's time.

    Raises:
        PolicyRefusedError: With the reason.
    """
    _require_guard(view, escrow_account)
    status, recovery = view.status, view.recovery
    if status is None or recovery is None or recovery.window is None:
        raise PolicyRefusedError("no recovery of this account was opened")
    if not status.is_open_recovery(now_ms):
        raise PolicyRefusedError("the recovery is not open: it was vetoed, finished or has lapsed")
    if (step.new_key, step.lost_key) != (recovery.new_key, recovery.lost_key):
        raise PolicyRefusedError("the recovery on the ledger names other keys")
    if now_ms < recovery.window.matures_at_ms:
        raise PolicyRefusedError(
            f"the recovery may be carried out from {recovery.window.matures_at_ms} ms on"
        )


def _read_step(commands: list[Command]) -> RecoveryStep:
    match [command.WhichOneof("command") for command in commands]:
        case ["set_account_detail"]:
            detail = commands[0].set_account_detail
            record = decode_record(detail.value, RecoverRecord)
            return OpenRecovery(
                account=detail.account_id,
                record_id=detail.key.removeprefix(RecoverRecord.prefix),
                new_key=record.new_key,
                lost_key=record.lost_key,
            )
        case ["add_signatory", "remove_signatory"]:
            added, removed = commands[0].add_signatory, commands[1].remove_signatory
            return FinishRecovery(
                account=added.account_id,
                new_key=added.public_key,
                lost_key=removed.public_key,
            )
        case _:
            raise PolicyRefusedError("agents sign the opening of a recovery, or its end, only")


def _require_guard(view: AccountView, escrow_account: str) -> None:
    if view.guard is None or view.guard.state != "standing" or view.guard.escrow != escrow_account:
        raise PolicyRefusedError(f"no guard of the account names {escrow_account}")

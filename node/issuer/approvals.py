"""Approvals: the issuer saw the holder in person, who asked for exactly this recovery or change.

The operator's rule for the counter is in docs/recovery.md: card and face first, and the new key as
the holder's own screen shows it.
"""

from typing import Final, Protocol, TypeVar

import structlog
from google.protobuf.message import DecodeError as ProtobufDecodeError

from chaincode.encoding import decode_base64url
from chaincode.errors import DecodeError
from chaincode.protocol.commands_pb2 import Command
from chaincode.records import NO_ID, IdentityRecord
from chaincode.records.recovery import GuardRecord, RecoverRecord
from client_sdk.errors import QueryFailedError
from client_sdk.ledger.guard_commands import approve_change, approve_recovery
from client_sdk.ledger.guard_words import describe_command
from client_sdk.ledger.transaction_sender import CommittedTransaction
from node.errors import ApiError

_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.issuer")
_Record = TypeVar("_Record", bound=IdentityRecord)


class ApprovalLedger(Protocol):
    """What is needed of a ledger: `client_sdk.ledger.client.LedgerClient` has it."""

    def submit(self, *commands: Command) -> CommittedTransaction:
        """Commit the commands as one transaction of this client's account."""

    def record(
        self, account_id: str, record_id: str, kind: type[_Record], *, writer: str | None = None
    ) -> _Record | None:
        """Return an identity record, or None where there is no valid one."""


class Approvals:
    """The counter's word on the ledger, by the issuer's account."""

    def __init__(self, ledger: ApprovalLedger, *, account: str) -> None:
        """Make the approvals' desk.

        Args:
            ledger: A client of the issuer's account.
            account: The issuer's account.
        """
        self._ledger = ledger
        self._account = account

    def approve_recovery(
        self, account: str, record_id: str, *, new_key: str, lost_key: str
    ) -> None:
        """Approve a recovery, before it is opened or while it is open.

        Raises:
            ApiError: The account's guard does not name this issuer, or the recovery of this id that
                is open names other keys.
        """
        guard = self._require_guard(account)
        opened = self._read(account, record_id, RecoverRecord, writer=guard.escrow)
        if opened is not None and (opened.new_key, opened.lost_key) != (new_key, lost_key):
            raise ApiError(
                409,
                "other_keys",
                "The recovery on the ledger names other keys",
                "Compare both keys with the holder's new phone. If they differ, somebody else "
                "opened this recovery: approve another one, under a new id.",
            )
        self._ledger.submit(
            approve_recovery(self._account, account, record_id, new_key=new_key, lost_key=lost_key)
        )
        _log.info("recovery_approved", recovery=record_id)

    def approve_change(self, account: str, command: str) -> str:
        """Approve a change, before the holder announces it; return what it does, in words.

        Args:
            account: The holder's account.
            command: The Iroha command, serialised, in base64url.

        Raises:
            ApiError: The account's guard does not name this issuer, or it is no command.
        """
        self._require_guard(account)
        try:
            change = Command.FromString(decode_base64url(command))
        except (DecodeError, ProtobufDecodeError):
            raise ApiError(
                422,
                "invalid_command",
                "The change cannot be read",
                "Send the command as the holder's wallet shows it: protobuf in base64url.",
            ) from None
        self._ledger.submit(approve_change(self._account, account, change))
        _log.info("change_approved")
        return describe_command(change)

    def _require_guard(self, account: str) -> GuardRecord:
        guard = self._read(account, NO_ID, GuardRecord, writer=account)
        if guard is None or guard.state != "standing" or guard.issuer != self._account:
            raise ApiError(
                409,
                "not_this_issuers",
                "The account's guard does not name this issuer",
                "Only the issuer that the holder chose can approve. The holder's wallet shows it.",
            )
        return guard

    def _read(
        self, account: str, record_id: str, kind: type[_Record], *, writer: str
    ) -> _Record | None:
        try:
            return self._ledger.record(account, record_id, kind, writer=writer)
        except QueryFailedError as error:
            if not error.is_absence:
                raise
            return None

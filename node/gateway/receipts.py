"""Receipts of accesses, as the gateway writes them: the ledger first, the verifier then."""

from collections.abc import Sequence
from typing import Final, Protocol, TypeVar

from chaincode.errors import DecodeError, RecordCode
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.records import IdentityRecord, SeenRecord, decode_record, parse_record_key
from client_sdk.checks import UsedGrant
from client_sdk.errors import (
    KeyFormatError,
    ReceiptError,
    ReceiptRefusedError,
    TransactionFailedError,
)
from client_sdk.ledger.receipts import Access, build_receipt, write_receipt
from client_sdk.verification.joint_reads import Ledger

_NO_PERMISSION: Final = 2
_REASONS: Final = {
    _NO_PERMISSION: "the holder does not let this gateway write to the account",
    RecordCode.NOT_THE_OWNER: "the grant names another gateway",
    RecordCode.STATE_REFUSED: "the holder has revoked the grant",
    RecordCode.EXPIRED: "the grant has expired",
    RecordCode.RECOVERY_OPEN: "the holder's account is being recovered",
    RecordCode.NO_GRANT: "the holder's account holds no such grant",
    RecordCode.OUT_OF_TURN: "this use of the grant was made already",
    RecordCode.USED_UP: "the grant has no use left",
}
_Record = TypeVar("_Record", bound=IdentityRecord)


class ReceiptLedger(Protocol):
    """What receipts need of a ledger: `client_sdk.ledger.client.LedgerClient` has it."""

    def record(
        self, account_id: str, record_id: str, kind: type[_Record], *, writer: str | None = None
    ) -> _Record | None:
        """Return an identity record, or None where there is no valid one."""

    def build_transaction(self, *commands: Command) -> Transaction:
        """Return an unsigned transaction of the gateway's account."""

    def sign_transaction(self, transaction: Transaction) -> None:
        """Add the gateway's signature."""

    def send(self, transaction: Transaction) -> object:
        """Send a transaction and wait until it is committed."""


class GatewayLedger(ReceiptLedger, Ledger, Protocol):
    """What the gateway needs of a ledger: `client_sdk.ledger.client.LedgerClient` has it."""


class Receipts:
    """Writes the receipts of one gateway. Safe to share between threads."""

    def __init__(self, ledger: ReceiptLedger, *, gateway: str, ledger_id: str) -> None:
        """Take over a client of the gateway's account.

        Args:
            ledger: The client.
            gateway: The gateway's account.
            ledger_id: The ledger's id.
        """
        self._ledger = ledger
        self._gateway = gateway
        self._ledger_id = ledger_id

    def prepare(self, accesses: Sequence[tuple[Access, UsedGrant]]) -> bytes:
        """Return the signed transaction that writes the receipts of accesses, all or none.

        Who keeps it before `write` can go on after a crash: the ledger takes it once, however often
        it is sent.

        Args:
            accesses: What is about to be seen, and under which grant.

        Raises:
            ReceiptRefusedError: An access is too long for a receipt, or a receipt key is none.
        """
        try:
            commands = [self._command(access, grant) for access, grant in accesses]
        except (DecodeError, ReceiptError, KeyFormatError) as error:
            raise ReceiptRefusedError(str(error)) from None
        transaction = self._ledger.build_transaction(*commands)
        self._ledger.sign_transaction(transaction)
        return transaction.SerializeToString()

    def _command(self, access: Access, grant: UsedGrant) -> Command:
        record = build_receipt(
            access, grant.receipt_key, ledger=self._ledger_id, account=grant.account
        )
        return write_receipt(grant.account, access.grant, access.use, record)

    def write(self, receipt: bytes) -> None:
        """Write receipts to the ledger, and wait until it is committed.

        Args:
            receipt: What `prepare` returned; it may have been sent before.

        Raises:
            ReceiptRefusedError: The ledger refuses it for good; the reason is fit for the verifier.
            TransportError: The ledger cannot be reached; whether it is written is not known.
            QueryFailedError: The ledger does not answer the gateway's account.
        """
        transaction = Transaction.FromString(receipt)
        try:
            self._ledger.send(transaction)
        except TransactionFailedError as error:
            if not self._stands(transaction):
                raise ReceiptRefusedError(_reason(error)) from None

    def _stands(self, transaction: Transaction) -> bool:
        """Tell whether the ledger holds these receipts: they may have been sent long ago."""
        return all(map(self._is_written, transaction.payload.reduced_payload.commands))

    def _is_written(self, command: Command) -> bool:
        written = command.compare_and_set_account_detail
        _, record_id = parse_record_key(written.key)
        found = self._ledger.record(written.account_id, record_id, SeenRecord, writer=self._gateway)
        return found is not None and found == decode_record(written.value, SeenRecord)


def _reason(error: TransactionFailedError) -> str:
    return _REASONS.get(error.code, f"the ledger refused its receipt (code {error.code})")

"""A ledger in memory with one guarded account, and the parties who fight over it."""

from typing import TypeVar

from support.memory_ledger import START_MS, MemoryLedger, named_key

from chaincode.blocks import Receipt, Verdict
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import GrantablePermission
from chaincode.records import NO_ID, IdentityRecord, decode_record
from chaincode.records.recovery import (
    ApprovalRecord,
    ChangeRecord,
    ChangeState,
    GuardRecord,
    RecoverRecord,
    RecoveryStatus,
    VetoRecord,
    approval_digest,
    change_id,
    encode_command,
)
from chaincode.rules.identity.guard import get_status
from chaincode.world_state import get_account, get_detail
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import (
    add_signatory,
    grant_permission,
    remove_signatory,
    set_record,
)

HOLDER, ESCROW, ISSUER, OTHER = "h1@holder", "agents@holder", "city@issuer", "other@holder"
DELAY_MS = 3 * 24 * 60 * 60 * 1000
GUARD = GuardRecord(escrow=ESCROW, issuer=ISSUER, delay_ms=DELAY_MS, state="standing")
ESCROW_GRANTS = (
    GrantablePermission.can_add_my_signatory,
    GrantablePermission.can_remove_my_signatory,
    GrantablePermission.can_set_my_account_detail,
)
_Record = TypeVar("_Record", bound=IdentityRecord)
PHONE, NEW, THIEF = named_key(HOLDER), named_key("new phone"), named_key("thief")


class GuardedAccount:
    """The ledger, and what each party does on it. Every call is a transaction in its own block.

    Attributes:
        ledger: The ledger; `time_ms` moves its clock.
        time_ms: Milliseconds since 1970, UTC.
    """

    def __init__(self, *, guarded: bool = True) -> None:
        self.time_ms = START_MS
        self.ledger = MemoryLedger.tegata(clock=lambda: self.time_ms)
        for account in (HOLDER, ESCROW, ISSUER, OTHER):
            self.ledger.add_account(account)
        if guarded:
            self.stand_guard()

    def stand_guard(self, guard: GuardRecord = GUARD) -> None:
        """Grant the escrow account what it needs, and guard the account."""
        grants = [grant_permission(guard.escrow, permission) for permission in ESCROW_GRANTS]
        assert self.submit(HOLDER, *grants, set_record(HOLDER, NO_ID, guard)) == 0

    def submit(self, creator: str, *commands: Command, key: AccountKey | None = None) -> int:
        """Return the code of the transaction's rejection, or 0 where it is committed."""
        return code_of(self.ledger.submit(creator, *commands, keys=(key,) if key else ()))

    def wait_until(self, block_ms: int) -> None:
        """Let time pass, so that the next block has this time."""
        # A transaction takes one tick of the ledger's clock, its block the next.
        self.time_ms = block_ms - 1

    def mature(self) -> None:
        """Let exactly the guard's delay pass since the newest block."""
        self.wait_until(self.last_block_ms + DELAY_MS)

    @property
    def last_block_ms(self) -> int:
        """The time of the newest block."""
        return self.ledger.blocks[-1].block_v1.payload.created_time

    def open(
        self,
        record_id: str,
        new: AccountKey = NEW,
        lost: AccountKey = PHONE,
        *,
        creator: str = ESCROW,
    ) -> int:
        """Open a recovery."""
        return self.submit(creator, set_record(HOLDER, record_id, recovery(new, lost)))

    def finish(self, new: AccountKey = NEW, lost: AccountKey = PHONE) -> int:
        """Carry a recovery out, as the agents do."""
        return self.submit(
            ESCROW,
            add_signatory(HOLDER, new.public_key),
            remove_signatory(HOLDER, lost.public_key),
        )

    def veto(self, record_id: str, key: AccountKey = PHONE) -> int:
        """Stop a recovery."""
        return self.submit(HOLDER, set_record(HOLDER, record_id, VetoRecord()), key=key)

    def announce(
        self, command: Command, key: AccountKey = PHONE, *, state: ChangeState = "pending"
    ) -> int:
        """Announce a change, or take it back."""
        return self.submit(HOLDER, announcement(command, state=state), key=key)

    def approve_recovery(
        self,
        record_id: str,
        new: AccountKey = NEW,
        lost: AccountKey = PHONE,
        *,
        creator: str = ISSUER,
    ) -> int:
        """Approve exactly this recovery, in person."""
        return self._approve(record_id, recovery(new, lost), creator)

    def approve_change(self, command: Command, *, creator: str = ISSUER) -> int:
        """Approve exactly this change, in person."""
        encoded = encode_command(command)
        record = ChangeRecord(command=encoded, state="pending")
        return self._approve(change_id(encoded), record, creator)

    def _approve(self, record_id: str, record: RecoverRecord | ChangeRecord, creator: str) -> int:
        digest = approval_digest(HOLDER, record.key(record_id), record)
        approval = ApprovalRecord(account=HOLDER, digest=digest)
        return self.submit(creator, set_record(creator, record_id, approval))

    @property
    def signatories(self) -> set[str]:
        """The keys of the guarded account."""
        account = get_account(self.ledger, HOLDER)
        assert account is not None
        return set(account.signatories)

    @property
    def status(self) -> RecoveryStatus:
        """What is under way on the guarded account."""
        return get_status(self.ledger, HOLDER)

    def record(self, kind: type[_Record], record_id: str, writer: str) -> _Record:
        """Return a record as the ledger keeps it on the guarded account."""
        value = get_detail(self.ledger, HOLDER, writer, kind.key(record_id))
        assert value is not None
        return decode_record(value, kind)


def recovery(new: AccountKey = NEW, lost: AccountKey = PHONE) -> RecoverRecord:
    """Return a recovery as it is sent."""
    return RecoverRecord(new_key=new.public_key, lost_key=lost.public_key)


def announcement(command: Command, *, state: ChangeState = "pending") -> Command:
    """Return the command that announces a command."""
    encoded = encode_command(command)
    record = ChangeRecord(command=encoded, state=state)
    return set_record(HOLDER, change_id(encoded), record)


def code_of(receipt: Receipt) -> int:
    """Return the code of a rejection, or 0."""
    assert (receipt.verdict is Verdict.COMMITTED) == (receipt.code == 0), receipt
    return receipt.code

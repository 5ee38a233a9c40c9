"""The records of guard and recovery: who may write which, and every refusal."""

from dataclasses import replace

import pytest
from support.guarded_account import (
    DELAY_MS,
    ESCROW,
    ESCROW_GRANTS,
    GUARD,
    HOLDER,
    ISSUER,
    NEW,
    OTHER,
    PHONE,
    THIEF,
    GuardedAccount,
    announcement,
    recovery,
)

from chaincode.encoding import encode_base64url, encode_canonical_json
from chaincode.errors import RecordCode
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import GrantablePermission
from chaincode.records import NO_ID, IdentityRecord
from chaincode.records.recovery import (
    FINISH_WITHIN_MS,
    MAX_COMMAND_BYTES,
    ApprovalRecord,
    ChangeRecord,
    GuardRecord,
    RecoverRecord,
    RecoveryStatus,
    VetoRecord,
    Window,
    change_id,
    encode_command,
)
from chaincode.rules.identity.guard import GUARD_KEY
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import (
    add_signatory,
    append_role,
    create_account,
    grant_permission,
    revoke_permission,
    set_account_detail,
    set_account_quorum,
    set_record,
)

FIRST, SECOND = "1" * 32, "2" * 32
WINDOW = Window(opened_at_ms=1, matures_at_ms=2)
QUORUM = set_account_quorum(HOLDER, 1)
QUORUM_ID = change_id(encode_command(QUORUM))


@pytest.fixture
def account() -> GuardedAccount:
    return GuardedAccount()


@pytest.fixture
def unguarded() -> GuardedAccount:
    return GuardedAccount(guarded=False)


@pytest.mark.parametrize("missing", ESCROW_GRANTS, ids=GrantablePermission.Name)
def test_a_guard_whose_escrow_could_not_recover_is_refused(
    unguarded: GuardedAccount, missing: GrantablePermission
) -> None:
    grants = [grant_permission(ESCROW, one) for one in ESCROW_GRANTS if one != missing]
    guard = set_record(HOLDER, NO_ID, GUARD)
    assert unguarded.submit(HOLDER, *grants, guard) == RecordCode.NOT_GRANTED
    assert unguarded.submit(HOLDER, *grants, grant_permission(ESCROW, missing), guard) == 0


def test_a_guard_names_an_issuer_who_exists(unguarded: GuardedAccount) -> None:
    grants = [grant_permission(ESCROW, one) for one in ESCROW_GRANTS]
    guard = set_record(HOLDER, NO_ID, replace(GUARD, issuer="nobody@issuer"))
    assert unguarded.submit(HOLDER, *grants, guard) == RecordCode.NOT_GRANTED


@pytest.mark.parametrize(
    "guard",
    [
        replace(GUARD, escrow=HOLDER),
        replace(GUARD, issuer=HOLDER),
        replace(GUARD, issuer=ESCROW),
    ],
    ids=["the holder's own escrow", "the holder's own issuer", "one for both"],
)
def test_holder_escrow_and_issuer_are_three(unguarded: GuardedAccount, guard: GuardRecord) -> None:
    assert unguarded.submit(HOLDER, set_record(HOLDER, NO_ID, guard)) == RecordCode.MALFORMED


def test_a_guard_that_does_not_stand_needs_nobody(unguarded: GuardedAccount) -> None:
    lifted = replace(GUARD, state="lifted")
    assert unguarded.submit(HOLDER, set_record(HOLDER, NO_ID, lifted)) == 0
    assert unguarded.submit(HOLDER, add_signatory(HOLDER, THIEF.public_key)) == 0


@pytest.mark.parametrize("creator", [HOLDER, ISSUER])
def test_only_the_escrow_account_opens_a_recovery(account: GuardedAccount, creator: str) -> None:
    granted = grant_permission(ISSUER, GrantablePermission.can_set_my_account_detail)
    assert account.submit(HOLDER, granted) == 0
    assert account.open(FIRST, creator=creator) == RecordCode.NOT_THE_OWNER


def test_no_recovery_without_a_guard(unguarded: GuardedAccount) -> None:
    granted = grant_permission(ESCROW, GrantablePermission.can_set_my_account_detail)
    assert unguarded.submit(HOLDER, granted) == 0
    assert unguarded.open(FIRST) == RecordCode.NOT_THE_OWNER


@pytest.mark.parametrize(
    ("new", "lost"),
    [(PHONE, PHONE), (NEW, THIEF), (PHONE, NEW)],
    ids=["the same", "the lost is none", "the new is one"],
)
def test_a_recovery_replaces_a_signatory(
    account: GuardedAccount, new: AccountKey, lost: AccountKey
) -> None:
    assert account.open(FIRST, new, lost) == RecordCode.STATE_REFUSED


def test_a_recoverys_id_is_used_once(account: GuardedAccount) -> None:
    assert account.open(FIRST) == 0
    assert account.open(FIRST) == RecordCode.FIELD_CHANGED
    assert account.veto(FIRST) == 0
    assert account.open(FIRST) == RecordCode.FIELD_CHANGED


def test_one_recovery_is_open_at_a_time(account: GuardedAccount) -> None:
    assert account.open(FIRST) == 0
    assert account.open(SECOND, THIEF) == RecordCode.RECOVERY_OPEN
    account.wait_until(account.last_block_ms + DELAY_MS + FINISH_WITHIN_MS)
    assert account.open(SECOND) == 0


def test_a_recovery_says_its_times(account: GuardedAccount) -> None:
    assert account.open(FIRST) == 0
    opened = account.last_block_ms
    window = Window(opened_at_ms=opened, matures_at_ms=opened + DELAY_MS)
    assert account.record(RecoverRecord, FIRST, ESCROW) == replace(recovery(), window=window)
    assert account.record(RecoveryStatus, NO_ID, HOLDER) == RecoveryStatus(
        item=RecoverRecord.key(FIRST),
        state="open",
        until_ms=window.lapses_at_ms,
        firm=False,
    )


@pytest.mark.parametrize(
    ("creator", "record", "record_id"),
    [
        (ESCROW, replace(recovery(), window=WINDOW), FIRST),
        (
            HOLDER,
            ChangeRecord(command=encode_command(QUORUM), state="pending", window=WINDOW),
            QUORUM_ID,
        ),
        (HOLDER, VetoRecord(vetoed_at_ms=1), FIRST),
        (HOLDER, ApprovalRecord(account=HOLDER, digest=bytes(32), approved_at_ms=1), FIRST),
    ],
    ids=["recovery", "change", "veto", "approval"],
)
def test_nobody_sets_the_times_but_the_ledger(
    account: GuardedAccount, creator: str, record: IdentityRecord, record_id: str
) -> None:
    command = set_record(HOLDER, record_id, record)
    assert account.submit(creator, command) == RecordCode.MALFORMED


def test_nobody_writes_the_status(account: GuardedAccount) -> None:
    status = RecoveryStatus(item="tg_guard", state="finished", until_ms=1)
    for creator in (HOLDER, ESCROW):
        command = set_record(HOLDER, NO_ID, status)
        assert account.submit(creator, command) == RecordCode.NOT_THE_OWNER


def test_a_change_needs_a_guard(unguarded: GuardedAccount) -> None:
    assert unguarded.announce(QUORUM) == RecordCode.NO_GUARD


@pytest.mark.parametrize(
    "command",
    [
        set_account_detail(HOLDER, "note", "1"),
        create_account("more@holder", THIEF.public_key),
        append_role(HOLDER, "admin"),
        grant_permission(OTHER, GrantablePermission.can_set_my_account_detail),
        add_signatory(OTHER, THIEF.public_key),
    ],
    ids=["detail", "account", "role", "free grant", "another account"],
)
def test_only_what_the_guard_holds_back_is_announced(
    account: GuardedAccount, command: Command
) -> None:
    assert account.announce(command) == RecordCode.NO_GUARD


def test_the_longest_change_has_room_for_the_times_and_can_be_taken_back(
    account: GuardedAccount,
) -> None:
    def new_guard(padding: int) -> Command:
        return set_account_detail(HOLDER, GUARD_KEY, "x" * padding)

    room = MAX_COMMAND_BYTES - len(encode_command(new_guard(8_000))) + 8_000
    longest, longer = new_guard(room), new_guard(room + 1)
    assert len(encode_command(longest)) == MAX_COMMAND_BYTES
    assert account.announce(longest) == 0
    assert account.announce(longest, state="withdrawn") == 0
    data = encode_command(longer)
    fields = {"command": encode_base64url(data), "state": "pending"}
    value = encode_base64url(encode_canonical_json(fields))
    command = set_account_detail(HOLDER, ChangeRecord.key(change_id(data)), value)
    assert account.submit(HOLDER, command) == RecordCode.MALFORMED


def test_a_change_stands_under_the_id_of_its_command(account: GuardedAccount) -> None:
    record = ChangeRecord(command=encode_command(QUORUM), state="pending")
    assert account.submit(HOLDER, set_record(HOLDER, FIRST, record)) == RecordCode.MALFORMED
    assert account.submit(HOLDER, set_record(HOLDER, QUORUM_ID, record)) == 0


def test_a_change_begins_as_pending(account: GuardedAccount) -> None:
    assert account.announce(QUORUM, state="withdrawn") == RecordCode.STATE_REFUSED
    assert account.announce(QUORUM, state="done") == RecordCode.STATE_REFUSED
    assert account.announce(QUORUM) == 0
    assert account.announce(QUORUM, state="done") == RecordCode.STATE_REFUSED
    assert account.announce(QUORUM, state="withdrawn") == 0
    assert account.announce(QUORUM, state="withdrawn") == RecordCode.STATE_REFUSED
    assert account.announce(QUORUM) == 0


def test_a_change_is_done_once_carried_out(account: GuardedAccount) -> None:
    assert account.announce(QUORUM) == 0
    account.mature()
    assert account.submit(HOLDER, QUORUM) == 0
    assert account.record(ChangeRecord, QUORUM_ID, HOLDER).state == "done"
    assert account.announce(QUORUM, state="withdrawn") == RecordCode.STATE_REFUSED


def test_only_what_is_open_is_vetoed(account: GuardedAccount) -> None:
    assert account.veto(FIRST) == RecordCode.LAPSED
    assert account.open(FIRST) == 0
    assert account.veto(SECOND) == RecordCode.LAPSED
    assert account.veto(FIRST) == 0
    assert account.record(VetoRecord, FIRST, HOLDER).vetoed_at_ms == account.last_block_ms
    assert account.veto(FIRST) == RecordCode.LAPSED


def test_what_lapsed_or_is_finished_is_not_vetoed(account: GuardedAccount) -> None:
    assert account.open(FIRST) == 0
    account.wait_until(account.last_block_ms + DELAY_MS + FINISH_WITHIN_MS)
    assert account.veto(FIRST) == RecordCode.LAPSED
    assert account.open(SECOND) == 0
    account.mature()
    assert account.finish() == 0
    assert account.veto(SECOND, key=NEW) == RecordCode.LAPSED


def test_a_veto_needs_a_guard(unguarded: GuardedAccount) -> None:
    assert unguarded.veto(FIRST) == RecordCode.LAPSED


def test_only_the_holder_vetoes(account: GuardedAccount) -> None:
    granted = grant_permission(OTHER, GrantablePermission.can_set_my_account_detail)
    assert account.submit(HOLDER, granted) == 0
    assert account.open(FIRST) == 0
    for creator in (OTHER, ESCROW):
        veto = set_record(HOLDER, FIRST, VetoRecord())
        assert account.submit(creator, veto) == RecordCode.NOT_THE_OWNER


def test_an_approval_stands_on_the_issuers_own_account(account: GuardedAccount) -> None:
    approval = ApprovalRecord(account=HOLDER, digest=bytes(32))
    granted = grant_permission(ISSUER, GrantablePermission.can_set_my_account_detail)
    assert account.submit(HOLDER, granted) == 0
    on_holder = set_record(HOLDER, FIRST, approval)
    assert account.submit(ISSUER, on_holder) == RecordCode.NOT_THE_OWNER
    assert account.submit(ISSUER, set_record(ISSUER, FIRST, approval)) == 0


def test_a_guard_is_replaced_after_its_delay(account: GuardedAccount) -> None:
    """Lifted, granted anew and set anew in one transaction: at no block is the account bare."""
    lift = set_record(HOLDER, NO_ID, replace(GUARD, state="lifted"))
    new_guard = set_record(HOLDER, NO_ID, replace(GUARD, escrow=OTHER))
    move = [
        lift,
        *(revoke_permission(ESCROW, one) for one in ESCROW_GRANTS),
        *(grant_permission(OTHER, one) for one in ESCROW_GRANTS),
        new_guard,
    ]
    assert account.announce(lift) == 0
    account.mature()
    assert account.submit(HOLDER, *move) == 0
    assert account.open(FIRST, creator=OTHER) == 0


def test_announcing_again_starts_the_delay_again(account: GuardedAccount) -> None:
    assert account.submit(HOLDER, announcement(QUORUM)) == 0
    account.wait_until(account.last_block_ms + DELAY_MS - 1)
    assert account.submit(HOLDER, announcement(QUORUM)) == 0
    assert account.submit(HOLDER, QUORUM) == RecordCode.WINDOW_OPEN
    account.wait_until(account.last_block_ms - 2 + DELAY_MS)
    assert account.submit(HOLDER, QUORUM) == 0

"""A guarded account: each way in which a thief or a liar could change its keys, and its refusal."""

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
from support.memory_ledger import named_key

from chaincode.errors import RecordCode
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import GrantablePermission, RolePermission
from chaincode.records import NO_ID, GrantRecord, encode_record
from chaincode.records.recovery import (
    FINISH_WITHIN_MS,
    ApprovalRecord,
    ChangeRecord,
    RecoverRecord,
    approval_digest,
    change_id,
    encode_command,
)
from chaincode.world_state import StateOverlay, detail_key, get_grants, put_account, put_role
from client_sdk.ledger.commands import (
    add_signatory,
    compare_and_set_account_detail,
    grant_permission,
    remove_signatory,
    revoke_permission,
    set_account_detail,
    set_account_quorum,
    set_record,
)

REVOKE = "RevokePermission can_add_my_signatory"
FIRST, SECOND, THIRD = "1" * 32, "2" * 32, "3" * 32
ADD_THIEF = add_signatory(HOLDER, THIEF.public_key)
LIFTED = replace(GUARD, state="lifted")
LIFT = set_record(HOLDER, NO_ID, LIFTED)
HELD_BACK = {
    "AddSignatory": ADD_THIEF,
    "RemoveSignatory": remove_signatory(HOLDER, PHONE.public_key),
    "SetAccountQuorum": set_account_quorum(HOLDER, 1),
    "SetAccountDetail": LIFT,
    "CompareAndSetAccountDetail": compare_and_set_account_detail(
        HOLDER, "tg_guard", encode_record(LIFTED), old_value=encode_record(GUARD)
    ),
    **{
        f"RevokePermission {GrantablePermission.Name(permission)}": revoke_permission(
            ESCROW, permission
        )
        for permission in ESCROW_GRANTS
    },
    **{
        f"GrantPermission {name}": grant_permission(OTHER, GrantablePermission.Value(name))
        for name in ("can_add_my_signatory", "can_remove_my_signatory", "can_set_my_quorum")
    },
}


@pytest.fixture
def account() -> GuardedAccount:
    return GuardedAccount()


@pytest.mark.parametrize("command", HELD_BACK.values(), ids=list(HELD_BACK))
def test_a_thief_changes_nothing_unannounced(account: GuardedAccount, command: Command) -> None:
    before = dict(account.ledger.state)
    assert account.submit(HOLDER, command) == RecordCode.GUARDED
    assert account.ledger.state == before


@pytest.mark.parametrize("command", HELD_BACK.values(), ids=list(HELD_BACK))
def test_without_a_guard_the_holder_changes_at_once(command: Command) -> None:
    account = GuardedAccount(guarded=False)
    grants = [grant_permission(ESCROW, permission) for permission in ESCROW_GRANTS]
    assert account.submit(HOLDER, *grants) == 0
    # The last key cannot go, whoever asks.
    expected = 5 if command.HasField("remove_signatory") else 0
    if command.HasField("compare_and_set_account_detail"):
        expected = 4
    assert account.submit(HOLDER, command) == expected


@pytest.mark.parametrize(
    ("milliseconds", "code"),
    [
        (DELAY_MS - 1, RecordCode.WINDOW_OPEN),
        (DELAY_MS, 0),
        (DELAY_MS + FINISH_WITHIN_MS - 1, 0),
        (DELAY_MS + FINISH_WITHIN_MS, RecordCode.LAPSED),
    ],
)
def test_a_change_has_its_time(account: GuardedAccount, milliseconds: int, code: int) -> None:
    assert account.announce(ADD_THIEF) == 0
    account.wait_until(account.last_block_ms + milliseconds)
    assert account.submit(HOLDER, ADD_THIEF) == code


def test_a_change_says_its_times(account: GuardedAccount) -> None:
    assert account.announce(ADD_THIEF) == 0
    window = account.record(ChangeRecord, change_id(encode_command(ADD_THIEF)), HOLDER).window
    assert window is not None
    assert window.opened_at_ms == account.last_block_ms
    assert window.matures_at_ms == account.last_block_ms + DELAY_MS


@pytest.mark.parametrize("command", HELD_BACK.values(), ids=list(HELD_BACK))
def test_each_passes_where_it_was_announced(account: GuardedAccount, command: Command) -> None:
    assert account.announce(command) == 0
    account.mature()
    # The account's only key cannot go: that is Iroha's own rule, past the guard.
    assert account.submit(HOLDER, command) == (5 if command.HasField("remove_signatory") else 0)


@pytest.mark.parametrize("command", [set_account_quorum(HOLDER, 1), HELD_BACK[REVOKE]])
def test_a_change_passes_once(account: GuardedAccount, command: Command) -> None:
    assert account.announce(command) == 0
    account.mature()
    assert account.submit(HOLDER, command) == 0
    assert account.submit(HOLDER, command) == RecordCode.LAPSED
    assert account.announce(command) == 0
    assert account.submit(HOLDER, command) == RecordCode.WINDOW_OPEN


def test_a_rejected_transaction_uses_up_no_change(account: GuardedAccount) -> None:
    assert account.announce(ADD_THIEF) == 0
    account.mature()
    assert account.submit(HOLDER, ADD_THIEF, set_account_detail("no@holder", "k", "v")) == 3
    assert account.submit(HOLDER, ADD_THIEF) == 0


@pytest.mark.parametrize(
    "command",
    [
        add_signatory(HOLDER, named_key("another").public_key),
        set_account_quorum(HOLDER, 2),
        remove_signatory(HOLDER, THIEF.public_key),
    ],
    ids=["another key", "another command", "another direction"],
)
def test_a_change_names_exactly_one_command(account: GuardedAccount, command: Command) -> None:
    assert account.announce(ADD_THIEF) == 0
    account.mature()
    assert account.submit(HOLDER, command) == RecordCode.GUARDED


def test_the_case_of_a_key_does_not_matter(account: GuardedAccount) -> None:
    assert account.announce(ADD_THIEF) == 0
    account.mature()
    assert account.submit(HOLDER, add_signatory(HOLDER, THIEF.public_key.upper())) == 0
    assert THIEF.public_key in account.signatories


def test_announcing_and_doing_in_one_transaction_is_no_way_around(account: GuardedAccount) -> None:
    assert account.submit(HOLDER, announcement(ADD_THIEF), ADD_THIEF) == RecordCode.WINDOW_OPEN


def test_root_passes_no_guard(account: GuardedAccount) -> None:
    """No role of Tegata holds `root`; a network with irohad's genesis block may."""
    key = account.ledger.keys[OTHER].public_key
    state = StateOverlay(account.ledger)
    put_role(state, "root", frozenset({RolePermission.root}))
    put_account(state, OTHER, quorum=1, signatories=[key], roles=["root"])
    account.ledger.state.update({name: value for name, value in state.changes.items() if value})
    assert account.submit(OTHER, ADD_THIEF) == RecordCode.GUARDED
    assert account.submit(OTHER, add_signatory(ESCROW, THIEF.public_key)) == 0


def test_a_grantee_passes_no_guard() -> None:
    """A permission that was granted before the guard stood does not pass it."""
    account = GuardedAccount(guarded=False)
    early = grant_permission(OTHER, GrantablePermission.can_add_my_signatory)
    assert account.submit(HOLDER, early) == 0
    account.stand_guard()
    assert account.submit(OTHER, ADD_THIEF) == RecordCode.GUARDED


def test_permission_to_write_details_stays_free(account: GuardedAccount) -> None:
    """Gateways need it for receipts; it opens no record of guard or recovery."""
    permission = GrantablePermission.can_set_my_account_detail
    assert account.submit(HOLDER, grant_permission(OTHER, permission)) == 0
    assert account.submit(OTHER, set_account_detail(HOLDER, "note", "1")) == 0
    for record in (LIFT, announcement(ADD_THIEF)):
        assert account.submit(OTHER, record) in {RecordCode.NOT_THE_OWNER, RecordCode.GUARDED}
    assert account.open(FIRST, creator=OTHER) == RecordCode.NOT_THE_OWNER
    assert account.submit(HOLDER, revoke_permission(OTHER, permission)) == 0


def test_a_recovery_replaces_the_key_after_the_delay(account: GuardedAccount) -> None:
    assert account.open(FIRST) == 0
    assert account.status.is_open_recovery(account.time_ms)
    account.mature()
    assert account.finish() == 0
    assert account.signatories == {NEW.public_key}
    assert account.status.state == "finished"
    # The thief's phone is refused from the next block on.
    note = set_account_detail(HOLDER, "note", "1")
    assert account.submit(HOLDER, note, key=PHONE) == 2
    assert account.submit(HOLDER, note, key=NEW) == 0


@pytest.mark.parametrize(
    ("milliseconds", "code"),
    [
        (DELAY_MS - 1, RecordCode.WINDOW_OPEN),
        (DELAY_MS, 0),
        (DELAY_MS + FINISH_WITHIN_MS - 1, 0),
        (DELAY_MS + FINISH_WITHIN_MS, RecordCode.LAPSED),
    ],
)
def test_a_recovery_has_its_time(account: GuardedAccount, milliseconds: int, code: int) -> None:
    assert account.open(FIRST) == 0
    account.wait_until(account.last_block_ms + milliseconds)
    assert account.finish() == code


def test_the_escrow_account_alone_changes_nothing_unseen(account: GuardedAccount) -> None:
    """Agents who collude must open a recovery first, and everybody sees it."""
    assert account.submit(ESCROW, ADD_THIEF) == RecordCode.GUARDED
    assert account.submit(ESCROW, HELD_BACK["RemoveSignatory"]) == RecordCode.GUARDED
    assert account.submit(ESCROW, HELD_BACK["SetAccountQuorum"]) == RecordCode.GUARDED
    assert account.submit(ESCROW, LIFT) == RecordCode.GUARDED
    # A change of the holder's is not a recovery.
    assert account.announce(ADD_THIEF) == 0
    account.mature()
    assert account.submit(ESCROW, ADD_THIEF) == RecordCode.GUARDED


def test_a_recovery_names_exactly_two_keys(account: GuardedAccount) -> None:
    second = named_key("second phone")
    addition = add_signatory(HOLDER, second.public_key)
    assert account.announce(addition) == 0
    account.mature()
    assert account.submit(HOLDER, addition) == 0
    assert account.open(FIRST) == 0
    account.mature()
    assert account.submit(ESCROW, ADD_THIEF) == RecordCode.GUARDED
    assert account.finish(NEW, second) == RecordCode.GUARDED
    assert account.finish(NEW, PHONE) == 0
    assert account.signatories == {NEW.public_key, second.public_key}
    assert account.finish(NEW, PHONE) == RecordCode.LAPSED


def test_the_lost_key_goes_only_after_the_new_one_came(account: GuardedAccount) -> None:
    assert account.open(FIRST) == 0
    account.mature()
    removal = remove_signatory(HOLDER, PHONE.public_key)
    assert account.submit(ESCROW, removal) == RecordCode.GUARDED


def test_a_recovery_works_where_two_must_sign(account: GuardedAccount) -> None:
    second = named_key("second phone")
    change = [add_signatory(HOLDER, second.public_key), set_account_quorum(HOLDER, 2)]
    assert account.submit(HOLDER, *map(announcement, change)) == 0
    account.mature()
    assert account.submit(HOLDER, *change) == 0
    assert account.open(FIRST) == 0
    account.mature()
    assert account.finish() == 0
    assert account.signatories == {NEW.public_key, second.public_key}


def test_the_holders_veto_stops_a_recovery(account: GuardedAccount) -> None:
    """A thief with card, password and a face that passes does not finish against the holder."""
    assert account.open(FIRST, THIEF) == 0
    assert account.veto(FIRST) == 0
    account.mature()
    assert account.finish(THIEF) == RecordCode.LAPSED


def test_a_thief_vetoes_once_and_not_for_ever(account: GuardedAccount) -> None:
    assert account.open(FIRST) == 0
    assert account.veto(FIRST) == 0
    assert account.open(SECOND) == 0
    assert account.veto(SECOND) == RecordCode.VETO_REFUSED
    account.mature()
    assert account.veto(SECOND) == RecordCode.VETO_REFUSED
    assert account.finish() == 0


@pytest.mark.parametrize(
    ("milliseconds", "code"),
    [(DELAY_MS + FINISH_WITHIN_MS - 1, RecordCode.VETO_REFUSED), (DELAY_MS + FINISH_WITHIN_MS, 0)],
)
def test_a_veto_counts_for_a_while(account: GuardedAccount, milliseconds: int, code: int) -> None:
    assert account.open(FIRST) == 0
    assert account.veto(FIRST) == 0
    account.wait_until(account.last_block_ms + milliseconds)
    assert account.open(SECOND) == 0
    assert account.veto(SECOND) == code


def test_a_recovery_ends_the_changes_that_were_announced(account: GuardedAccount) -> None:
    """A thief announces first; the owner opens a recovery just before the change matures."""
    assert account.announce(ADD_THIEF) == 0
    account.wait_until(account.last_block_ms + DELAY_MS - 1)
    assert account.open(FIRST) == 0
    assert account.submit(HOLDER, ADD_THIEF) == RecordCode.RECOVERY_OPEN
    # Neither her veto nor the end of the recovery brings it back.
    assert account.veto(FIRST) == 0
    assert account.submit(HOLDER, ADD_THIEF) == RecordCode.LAPSED
    assert account.announce(ADD_THIEF) == 0
    assert account.submit(HOLDER, ADD_THIEF) == RecordCode.WINDOW_OPEN
    assert account.open(SECOND) == 0
    account.mature()
    assert account.submit(HOLDER, ADD_THIEF) == RecordCode.RECOVERY_OPEN
    assert account.finish() == 0
    assert account.submit(HOLDER, ADD_THIEF, key=NEW) == RecordCode.LAPSED


def test_a_change_announced_while_a_recovery_was_open_is_over_too(account: GuardedAccount) -> None:
    assert account.open(FIRST) == 0
    account.mature()
    assert account.announce(ADD_THIEF) == 0
    assert account.finish() == 0
    account.mature()
    assert account.submit(HOLDER, ADD_THIEF, key=NEW) == RecordCode.LAPSED


def test_a_recovery_that_lapsed_ends_what_was_announced_meanwhile(account: GuardedAccount) -> None:
    assert account.open(FIRST) == 0
    lapse = account.last_block_ms + DELAY_MS + FINISH_WITHIN_MS
    account.wait_until(lapse - 1)
    assert account.announce(ADD_THIEF) == 0
    account.mature()
    assert account.submit(HOLDER, ADD_THIEF) == RecordCode.LAPSED
    assert account.announce(ADD_THIEF) == 0
    account.mature()
    assert account.submit(HOLDER, ADD_THIEF) == 0


def test_the_holder_takes_a_change_back(account: GuardedAccount) -> None:
    """A second device that still belongs to the owner stops the thief's change at once."""
    assert account.announce(ADD_THIEF) == 0
    assert account.announce(ADD_THIEF, state="withdrawn") == 0
    account.mature()
    assert account.submit(HOLDER, ADD_THIEF) == RecordCode.LAPSED


def test_no_grant_is_made_while_a_recovery_is_open(account: GuardedAccount) -> None:
    grant = GrantRecord(
        commitment=bytes(32),
        gateway=OTHER,
        expires_at_ms=account.time_ms + 10 * DELAY_MS,
        uses=1,
        state="live",
    )
    assert account.submit(HOLDER, set_record(HOLDER, FIRST, grant)) == 0
    assert account.open(FIRST) == 0
    assert account.submit(HOLDER, set_record(HOLDER, SECOND, grant)) == RecordCode.RECOVERY_OPEN
    # What was granted can be taken back at any time.
    revoked = replace(grant, state="revoked")
    assert account.submit(HOLDER, set_record(HOLDER, FIRST, revoked)) == 0
    account.mature()
    assert account.finish() == 0
    assert account.submit(HOLDER, set_record(HOLDER, SECOND, grant), key=NEW) == 0


def test_a_recovery_approved_in_person_cannot_be_vetoed(account: GuardedAccount) -> None:
    assert account.open(FIRST) == 0
    assert account.approve_recovery(FIRST) == 0
    assert account.veto(FIRST) == RecordCode.VETO_REFUSED
    account.mature()
    assert account.finish() == 0


def test_an_approved_recovery_takes_the_place_of_a_thiefs(account: GuardedAccount) -> None:
    """A thief with card, password and face was first; the owner comes to the counter."""
    assert account.open(FIRST, THIEF) == 0
    assert account.open(SECOND) == RecordCode.RECOVERY_OPEN
    assert account.approve_recovery(SECOND) == 0
    account.mature()
    assert account.open(SECOND) == 0
    assert account.finish(THIEF) == RecordCode.GUARDED
    assert account.veto(SECOND) == RecordCode.VETO_REFUSED
    assert account.open(THIRD, THIEF) == RecordCode.RECOVERY_OPEN
    account.mature()
    assert account.finish() == 0


def test_an_approved_change_stands_against_agents_who_collude(account: GuardedAccount) -> None:
    """The holder vetoes, the agents come again: at the counter the holder leaves them."""
    assert account.open(FIRST, THIEF) == 0
    assert account.veto(FIRST) == 0
    assert account.open(SECOND, THIEF) == 0
    assert account.veto(SECOND) == RecordCode.VETO_REFUSED
    assert account.approve_change(LIFT) == 0
    assert account.announce(LIFT) == 0
    lifted_at = account.last_block_ms + DELAY_MS
    assert account.finish(THIEF) == RecordCode.GUARDED
    assert account.open(THIRD, THIEF) == RecordCode.RECOVERY_OPEN
    account.wait_until(lifted_at)
    leave = [revoke_permission(ESCROW, permission) for permission in ESCROW_GRANTS]
    assert account.submit(HOLDER, LIFT) == 0
    assert account.open(THIRD, THIEF) == RecordCode.NOT_THE_OWNER
    assert account.submit(HOLDER, *leave) == 0
    assert get_grants(account.ledger, HOLDER, ESCROW) == frozenset()
    assert account.status.state == "finished"


def test_while_an_approved_change_is_open_no_other_passes(account: GuardedAccount) -> None:
    assert account.announce(ADD_THIEF) == 0
    assert account.approve_change(LIFT) == 0
    assert account.announce(LIFT) == 0
    account.mature()
    assert account.submit(HOLDER, ADD_THIEF) == RecordCode.RECOVERY_OPEN
    assert account.announce(LIFT, state="withdrawn") == 0
    assert account.status.state == "withdrawn"
    assert account.submit(HOLDER, LIFT) == RecordCode.LAPSED


def test_an_approval_is_good_for_one_announcement(account: GuardedAccount) -> None:
    quorum = set_account_quorum(HOLDER, 1)
    assert account.approve_change(quorum) == 0
    assert account.announce(quorum) == 0
    account.mature()
    assert account.submit(HOLDER, quorum) == 0
    assert account.open(FIRST) == 0
    assert account.announce(quorum) == 0
    assert account.status.is_open_recovery(account.time_ms)
    assert account.approve_change(quorum) == 0
    assert account.announce(quorum) == 0
    assert not account.status.is_open_recovery(account.time_ms)


@pytest.mark.parametrize(
    ("milliseconds", "code"),
    [(DELAY_MS + FINISH_WITHIN_MS - 1, 0), (DELAY_MS + FINISH_WITHIN_MS, RecordCode.RECOVERY_OPEN)],
)
def test_an_approval_grows_old(account: GuardedAccount, milliseconds: int, code: int) -> None:
    assert account.approve_recovery(SECOND) == 0
    assert account.approve_change(LIFT) == 0
    approved_at = account.last_block_ms
    account.wait_until(approved_at + 1000)
    assert account.open(FIRST, THIEF) == 0
    # The second approval came two ticks after the first.
    account.wait_until(approved_at - 2 + milliseconds)
    assert account.open(SECOND) == code


@pytest.mark.parametrize("liar", [OTHER, HOLDER, ESCROW])
def test_only_the_named_issuer_approves(account: GuardedAccount, liar: str) -> None:
    assert account.open(FIRST) == 0
    assert account.approve_recovery(FIRST, creator=liar) == 0
    assert account.approve_change(LIFT, creator=liar) == 0
    assert account.announce(LIFT) == 0
    assert account.status.is_open_recovery(account.time_ms)
    assert account.veto(FIRST) == 0


def test_an_approval_names_exactly_one_recovery(account: GuardedAccount) -> None:
    assert account.approve_recovery(FIRST, NEW) == 0
    assert account.open(FIRST, THIEF) == 0
    assert account.veto(FIRST) == 0


def test_an_approval_of_another_account_is_none(account: GuardedAccount) -> None:
    digest = approval_digest(HOLDER, RecoverRecord.key(FIRST), recovery())
    approval = ApprovalRecord(account=OTHER, digest=digest)
    assert account.submit(ISSUER, set_record(ISSUER, FIRST, approval)) == 0
    assert account.open(FIRST) == 0
    assert account.veto(FIRST) == 0


def test_the_issuer_alone_changes_nothing(account: GuardedAccount) -> None:
    """An issuer who lies can approve what it likes: it can neither open nor carry out."""
    assert account.approve_recovery(FIRST, THIEF) == 0
    assert account.open(FIRST, THIEF, creator=ISSUER) == 2
    assert account.submit(ISSUER, ADD_THIEF) == RecordCode.GUARDED
    assert account.approve_change(ADD_THIEF) == 0
    assert account.submit(HOLDER, ADD_THIEF) == RecordCode.GUARDED


def test_a_new_guard_begins_afresh(account: GuardedAccount) -> None:
    """What was announced under the old guard is over."""
    assert account.announce(ADD_THIEF) == 0
    assert account.announce(LIFT) == 0
    account.mature()
    assert account.submit(HOLDER, LIFT, set_record(HOLDER, NO_ID, GUARD)) == 0
    assert account.submit(HOLDER, ADD_THIEF) == RecordCode.LAPSED


def test_a_broken_guard_of_old_history_is_none() -> None:
    account = GuardedAccount(guarded=False)
    account.ledger.state[detail_key(HOLDER, HOLDER, "tg_guard")] = b"broken"
    assert account.submit(HOLDER, ADD_THIEF) == 0


def test_a_guard_of_the_genesis_block_guards_at_once() -> None:
    """Genesis commands pass unchecked, so no status was written beside the guard."""
    account = GuardedAccount(guarded=False)
    account.ledger.state[detail_key(HOLDER, HOLDER, "tg_guard")] = encode_record(GUARD).encode()
    assert account.submit(HOLDER, ADD_THIEF) == RecordCode.GUARDED
    assert account.announce(ADD_THIEF) == 0
    account.mature()
    assert account.submit(HOLDER, ADD_THIEF) == 0

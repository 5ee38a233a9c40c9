"""The holder's side of the guard, over a ledger with the real rules."""

from dataclasses import replace

import pytest
from support.guarded_account import (
    DELAY_MS,
    ESCROW,
    GUARD,
    HOLDER,
    ISSUER,
    NEW,
    PHONE,
    THIEF,
    GuardedAccount,
)

from chaincode.errors import RecordCode
from chaincode.records import NO_ID
from chaincode.records.recovery import FINISH_WITHIN_MS
from chaincode.world_state import detail_key, get_grants
from client_sdk.errors import GuardRefusedError, TransactionFailedError
from client_sdk.ledger.commands import add_signatory, set_account_quorum
from client_sdk.ledger.guard_commands import approve_change, approve_recovery
from client_sdk.ledger.guard_state import GuardState, read_guard_state
from client_sdk.wallet.account_guard import REFUSALS, AccountGuard

FIRST, SECOND = "1" * 32, "2" * 32
ADDITION = add_signatory(HOLDER, NEW.public_key)


@pytest.fixture
def account() -> GuardedAccount:
    return GuardedAccount()


def guard_of(account: GuardedAccount) -> AccountGuard:
    return AccountGuard(account.ledger.client(HOLDER), now_ms=lambda: account.time_ms)


def test_a_guard_stands_once_it_is_set() -> None:
    account = GuardedAccount(guarded=False)
    guard = guard_of(account)
    assert guard.state() == GuardState(
        signatories=frozenset({PHONE.public_key}),
        guard=None,
        is_enforced=False,
        recovery=None,
        changes=(),
    )
    guard.stand(escrow=ESCROW, issuer=ISSUER, delay_ms=DELAY_MS)
    state = guard.state()
    assert (state.guard, state.is_enforced, state.recovery, state.changes) == (
        GUARD,
        True,
        None,
        (),
    )
    with pytest.raises(GuardRefusedError, match="announce it first"):
        guard.lift()


def test_accounts_that_cannot_serve_are_refused() -> None:
    guard = guard_of(GuardedAccount(guarded=False))
    with pytest.raises(GuardRefusedError, match="does not exist") as refused:
        guard.stand(escrow=ESCROW, issuer="nobody@issuer", delay_ms=DELAY_MS)
    assert refused.value.code == RecordCode.NOT_GRANTED
    with pytest.raises(TransactionFailedError) as other:
        guard.stand(escrow="nobody@holder", issuer=ISSUER, delay_ms=DELAY_MS)
    assert not isinstance(other.value, GuardRefusedError)


def test_the_guard_is_lifted_after_its_delay(account: GuardedAccount) -> None:
    guard = guard_of(account)
    lift = guard.lift_command()
    guard.announce(lift)
    with pytest.raises(GuardRefusedError, match="delay has not passed"):
        guard.lift()
    account.mature()
    guard.lift()
    assert guard.state().guard is None
    assert get_grants(account.ledger, HOLDER, ESCROW) == frozenset()
    with pytest.raises(GuardRefusedError, match="no guard stands"):
        guard.lift()


def test_a_change_is_announced_seen_and_carried_out(account: GuardedAccount) -> None:
    guard = guard_of(account)
    guard.announce(ADDITION)
    (change,) = guard.state().changes
    assert change.command == ADDITION
    assert change.window.matures_at_ms == account.last_block_ms + DELAY_MS
    assert not change.is_over
    account.mature()
    guard.carry_out(ADDITION)
    assert NEW.public_key in account.signatories
    assert guard.state().changes[0].is_over
    with pytest.raises(GuardRefusedError, match="it is over"):
        guard.carry_out(ADDITION)


def test_a_change_is_taken_back(account: GuardedAccount) -> None:
    guard = guard_of(account)
    with pytest.raises(TransactionFailedError):
        guard.withdraw(ADDITION)
    guard.announce(ADDITION)
    guard.withdraw(ADDITION)
    assert guard.state().changes[0].is_over


def test_a_recovery_is_seen_and_vetoed(account: GuardedAccount) -> None:
    guard = guard_of(account)
    guard.announce(ADDITION)
    assert account.open(FIRST, THIEF) == 0
    state = guard.state()
    seen = state.recovery
    assert seen is not None
    assert (seen.record_id, seen.new_key, seen.lost_key) == (
        FIRST,
        THIEF.public_key,
        PHONE.public_key,
    )
    assert seen.window.opened_at_ms == account.last_block_ms
    assert seen.is_open(account.time_ms)
    assert not seen.is_open(seen.window.matures_at_ms + FINISH_WITHIN_MS)
    assert state.changes[0].is_over
    guard.veto(FIRST)
    after = guard.state()
    assert after.recovery is not None
    assert after.recovery.state == "vetoed"
    assert not after.recovery.is_open(account.time_ms)
    # What the recovery has ended stays ended.
    assert after.changes[0].is_over
    with pytest.raises(GuardRefusedError, match="it is over"):
        guard.veto(FIRST)


def test_a_veto_that_comes_too_often_says_where_to_go(account: GuardedAccount) -> None:
    guard = guard_of(account)
    assert account.open(FIRST, THIEF) == 0
    guard.veto(FIRST)
    assert account.open(SECOND, THIEF) == 0
    seen = guard.state().recovery
    assert seen is not None
    assert seen.firm
    with pytest.raises(GuardRefusedError, match="counter"):
        guard.veto(SECOND)


def test_the_issuer_approves_with_the_sdk(account: GuardedAccount) -> None:
    guard, issuer = guard_of(account), account.ledger.client(ISSUER)
    assert account.open(FIRST) == 0
    approval = approve_recovery(
        ISSUER, HOLDER, FIRST, new_key=NEW.public_key, lost_key=PHONE.public_key
    )
    issuer.submit(approval)
    with pytest.raises(GuardRefusedError, match="approved in person"):
        guard.veto(FIRST)
    lift = guard.lift_command()
    issuer.submit(approve_change(ISSUER, HOLDER, lift))
    guard.announce(lift)
    state = guard.state()
    assert state.recovery is None
    (change,) = state.changes
    assert not change.is_over
    account.mature()
    guard.lift()


def test_every_code_of_the_guard_has_words() -> None:
    codes = {code for code in RecordCode if RecordCode.GUARDED <= code <= RecordCode.NOT_GRANTED}
    assert set(REFUSALS) == codes


def test_another_device_of_the_account_sees_the_same(account: GuardedAccount) -> None:
    guard_of(account).announce(set_account_quorum(HOLDER, 1))
    reader = account.ledger.client(ISSUER)
    state = read_guard_state(reader, HOLDER, now_ms=account.time_ms)
    assert state == guard_of(account).state()


def test_a_ledger_without_our_rules_is_named(account: GuardedAccount) -> None:
    """An unchanged irohad keeps what it is sent, and no status."""
    del account.ledger.state[detail_key(HOLDER, HOLDER, "tg_recovery")]
    state = guard_of(account).state()
    assert state.guard == GUARD
    assert not state.is_enforced


def test_broken_records_of_such_a_ledger_count_for_nothing(account: GuardedAccount) -> None:
    guard = guard_of(account)
    guard.announce(ADDITION)
    assert account.open(FIRST) == 0
    state = account.ledger.state
    state[detail_key(HOLDER, ESCROW, "tg_recover_" + FIRST)] = b"broken"
    state[detail_key(HOLDER, HOLDER, "tg_change_" + FIRST)] = b"broken"
    (key,) = (key for key in state if b"tg_change_" in key and not key.endswith(FIRST.encode()))
    state[detail_key(HOLDER, HOLDER, "tg_change_" + SECOND)] = state[key]
    seen = guard.state()
    assert seen.recovery is None
    assert [change.command for change in seen.changes] == [ADDITION]


def test_a_lifted_guard_is_none(account: GuardedAccount) -> None:
    guard = guard_of(account)
    lift = guard.lift_command()
    guard.announce(lift)
    account.mature()
    guard.lift()
    record = account.record(type(GUARD), NO_ID, HOLDER)
    assert record == replace(GUARD, state="lifted")
    assert guard.state().changes == ()

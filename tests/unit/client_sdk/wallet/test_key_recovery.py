"""A new phone gets the account's key replaced, and can stop and go on at any point."""

import pytest
from support.guarded_account import (
    DELAY_MS,
    ESCROW,
    HOLDER,
    ISSUER,
    NEW,
    PHONE,
    THIEF,
    GuardedAccount,
    announcement,
)
from support.memory_ledger import named_key

from chaincode.errors import RecordCode
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.world_state import detail_key
from client_sdk.errors import (
    GuardRefusedError,
    RecoveryError,
    TransactionFailedError,
    TransportError,
)
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import add_signatory
from client_sdk.ledger.guard_commands import approve_recovery
from client_sdk.ledger.guard_state import GuardState, read_guard_state
from client_sdk.wallet.key_recovery import KeyRecovery, RecoveryAgents

CHOSEN = "c" * 32
TABLET = named_key("tablet")


class Agents:
    """Honest agents: they read with an account that may, and sign with the escrow account's key."""

    def __init__(self, account: GuardedAccount, key: AccountKey | None = None) -> None:
        self.account = account
        self.reader = account.ledger.client(ISSUER)
        self.escrow = account.ledger.client(ESCROW, key)

    def guard_state(self, account_id: str) -> GuardState:
        return read_guard_state(self.reader, account_id, now_ms=self.account.time_ms)

    def sign_transaction(self, transaction: Transaction) -> None:
        self.escrow.sign_transaction(transaction)


class LosesAnswers(Agents):
    """Their transactions are applied, and the answer never arrives."""

    def sign_transaction(self, transaction: Transaction) -> None:
        super().sign_transaction(transaction)
        self.account.ledger.receive(transaction)
        raise TransportError("the answer was lost")


@pytest.fixture
def account() -> GuardedAccount:
    return GuardedAccount()


def phone(account: GuardedAccount, agents: RecoveryAgents | None = None) -> KeyRecovery:
    """Return what a process that has just started works with."""
    ledger = account.ledger.client(HOLDER, NEW)
    return KeyRecovery(ledger, agents or Agents(account), new_key=NEW.public_key)


def test_the_key_is_replaced(account: GuardedAccount) -> None:
    opened = phone(account).open()
    assert (opened.new_key, opened.lost_key) == (NEW.public_key, PHONE.public_key)
    assert opened.window.matures_at_ms == account.last_block_ms + DELAY_MS
    with pytest.raises(GuardRefusedError, match="delay has not passed"):
        phone(account).finish()
    account.mature()
    phone(account).finish()
    assert account.signatories == {NEW.public_key}
    with pytest.raises(RecoveryError, match="this wallet's key already"):
        phone(account).open()


def test_opening_twice_opens_one(account: GuardedAccount) -> None:
    assert phone(account).open() == phone(account).open()


def test_after_a_veto_a_new_one_is_opened(account: GuardedAccount) -> None:
    first = phone(account).open()
    assert account.veto(first.record_id) == 0
    with pytest.raises(GuardRefusedError, match="it is over"):
        phone(account).finish()
    second = phone(account).open()
    assert second.firm
    assert second.record_id != first.record_id
    assert account.veto(second.record_id) == RecordCode.VETO_REFUSED
    account.mature()
    phone(account).finish()
    assert account.signatories == {NEW.public_key}


def test_a_recovery_of_another_is_neither_taken_over_nor_finished(account: GuardedAccount) -> None:
    assert account.open("1" * 32, THIEF) == 0
    with pytest.raises(GuardRefusedError, match="recovery or an approved change"):
        phone(account).open()
    account.mature()
    with pytest.raises(RecoveryError, match="for this wallet's key"):
        phone(account).finish()
    assert account.signatories == {PHONE.public_key}


def test_one_that_was_approved_beforehand_takes_its_place(account: GuardedAccount) -> None:
    assert account.open("1" * 32, THIEF) == 0
    account.ledger.client(ISSUER).submit(
        approve_recovery(ISSUER, HOLDER, CHOSEN, new_key=NEW.public_key, lost_key=PHONE.public_key)
    )
    opened = phone(account).open(record_id=CHOSEN)
    assert opened.record_id == CHOSEN
    assert opened.firm


def test_nothing_is_finished_that_was_not_opened(account: GuardedAccount) -> None:
    with pytest.raises(RecoveryError, match="no recovery was opened"):
        phone(account).finish()


def test_a_lost_answer_costs_nothing(account: GuardedAccount) -> None:
    with pytest.raises(TransportError):
        phone(account, LosesAnswers(account)).open()
    assert phone(account).open().new_key == NEW.public_key
    account.mature()
    with pytest.raises(TransportError):
        phone(account, LosesAnswers(account)).finish()
    assert account.signatories == {NEW.public_key}
    phone(account).finish()


def test_signers_without_the_escrow_accounts_key_are_refused(account: GuardedAccount) -> None:
    with pytest.raises(TransactionFailedError) as refused:
        phone(account, Agents(account, named_key("liar"))).open()
    assert not isinstance(refused.value, GuardRefusedError)
    assert phone(account).open().is_open(account.time_ms)


def test_of_several_keys_the_lost_one_is_named(account: GuardedAccount) -> None:
    addition = add_signatory(HOLDER, TABLET.public_key)
    assert account.submit(HOLDER, announcement(addition)) == 0
    account.mature()
    assert account.submit(HOLDER, addition) == 0
    for unclear in ((), (PHONE.public_key, TABLET.public_key), (THIEF.public_key,)):
        with pytest.raises(RecoveryError, match="2 keys; name the one"):
            phone(account).open(known_keys=unclear)
    opened = phone(account).open(known_keys=(PHONE.public_key, THIEF.public_key))
    assert opened.lost_key == PHONE.public_key
    account.mature()
    phone(account).finish()
    assert account.signatories == {NEW.public_key, TABLET.public_key}


def test_without_a_guard_there_is_no_recovery() -> None:
    with pytest.raises(RecoveryError, match="no guard stands"):
        phone(GuardedAccount(guarded=False)).open()


def test_a_ledger_that_does_not_enforce_guards_is_refused(account: GuardedAccount) -> None:
    del account.ledger.state[detail_key(HOLDER, HOLDER, "tg_recovery")]
    with pytest.raises(RecoveryError, match="does not enforce"):
        phone(account).open()


class HidesWhatStands(Agents):
    """Agents who show another recovery than the one that they have signed."""

    def guard_state(self, account_id: str) -> GuardState:
        shown = super().guard_state(account_id)
        return GuardState(
            signatories=shown.signatories,
            guard=shown.guard,
            is_enforced=True,
            recovery=None,
            changes=(),
        )


def test_agents_who_show_another_recovery_are_not_believed(account: GuardedAccount) -> None:
    with pytest.raises(RecoveryError, match="another one"):
        phone(account, HidesWhatStands(account)).open()

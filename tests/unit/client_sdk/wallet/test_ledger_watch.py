"""The wallet's watch over its ledger: proofs of its own, and a history that only grows."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.memory_ledger import START_MS, MemoryLedger, named_key

from chaincode.records import GrantRecord
from client_sdk.errors import LedgerForkError, NotRegisteredError, StaleProofError
from client_sdk.ledger.commands import set_account_detail
from client_sdk.ledger.grants import GrantTerms
from client_sdk.sealing.vault import CHEAPEST, Vault
from client_sdk.wallet import Wallet, WalletSession
from client_sdk.wallet.contents import WalletContents
from client_sdk.wallet.records import LedgerAccount, StoredGrant

HOLDER, GATEWAY = "holder@holder", "gateway@gateway"
GRANT_IDS = [f"{number:032x}" for number in range(40)]


def clock() -> int:
    return START_MS


def make_ledger(*colours: str) -> MemoryLedger:
    """Return a ledger of the holder's account, and of a history of colours."""
    ledger = MemoryLedger.tegata(clock=clock)
    for account_id in (HOLDER, GATEWAY):
        ledger.add_account(account_id)
    for colour in colours:
        ledger.submit(HOLDER, set_account_detail(HOLDER, "colour", colour))
    return ledger


def stored_grant(grant_id: str) -> StoredGrant:
    return StoredGrant(
        grant_id=grant_id,
        verifier_name="city",
        terms=GrantTerms(verifier="x", credential="y", attributes=(), purpose="z"),
        gateway=GATEWAY,
        granted_at_ms=START_MS,
        expires_at_ms=START_MS,
        uses=1,
        opening="opening",
        consent="",
        request_object="",
    )


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    contents = WalletContents(
        seed=named_key(HOLDER).seed,
        trust_anchors="",
        account=LedgerAccount(
            account_id=HOLDER,
            ledger_id=make_ledger().ledger_id(),
            torii="127.0.0.1:1",
            registered_by="issuer@issuer",
            issuer_url="https://issuer.example",
        ),
        grants={grant_id: stored_grant(grant_id) for grant_id in GRANT_IDS},
    )
    return Vault.create(tmp_path / "wallet", "passphrase", contents.to_fields(), profile=CHEAPEST)


def open_wallet(vault: Vault, ledger: MemoryLedger, *, now_ms: Callable[[], int] = clock) -> Wallet:
    wallet = Wallet(WalletSession(vault, now_ms=now_ms))
    wallet._session._ledger = ledger.client(HOLDER)
    return wallet


def test_the_account_and_the_newest_grants_are_proven(vault: Vault) -> None:
    ledger = make_ledger()
    newest = GrantRecord(
        commitment=b"c" * 32, gateway=GATEWAY, expires_at_ms=START_MS + 10**6, uses=1, state="live"
    )
    ledger.write_record(HOLDER, GRANT_IDS[-1], newest)
    wallet = open_wallet(vault, ledger)
    state = wallet.check_ledger()
    assert state.signatories(HOLDER) == {wallet.public_key}
    assert state.record(HOLDER, GRANT_IDS[-1], GrantRecord) == newest
    assert state.record(HOLDER, GRANT_IDS[-2], GrantRecord) is None
    assert state.height == ledger.height()


def test_the_checkpoint_is_kept_in_the_file_and_its_backup(vault: Vault) -> None:
    open_wallet(vault, make_ledger("red")).check_ledger()
    contents = WalletContents.from_fields(vault.contents)
    assert contents.checkpoint.startswith("ledger.tegata/")
    assert contents.to_backup()["checkpoint"] == contents.checkpoint
    # It grows, and that is well.
    open_wallet(vault, make_ledger("red", "green")).check_ledger()
    assert WalletContents.from_fields(vault.contents).checkpoint != contents.checkpoint


def test_a_history_that_was_changed_is_found_out(vault: Vault) -> None:
    open_wallet(vault, make_ledger("red", "green")).check_ledger()
    known = WalletContents.from_fields(vault.contents).checkpoint
    for colours in (("red", "blue"), ("blue", "green", "red")):
        with pytest.raises(LedgerForkError, match="history was changed") as caught:
            open_wallet(vault, make_ledger(*colours)).check_ledger()
        assert caught.value.known.decode() == known != caught.value.found.decode()
    with pytest.raises(StaleProofError, match="lags behind, or was set back"):
        open_wallet(vault, make_ledger("red")).check_ledger()
    assert WalletContents.from_fields(vault.contents).checkpoint == known


def test_an_old_answer_is_refused(vault: Vault) -> None:
    wallet = open_wallet(vault, make_ledger(), now_ms=lambda: START_MS + 10 * 60 * 1000)
    with pytest.raises(StaleProofError, match="s old"):
        wallet.check_ledger()


def test_a_wallet_without_an_account_has_no_ledger(tmp_path: Path) -> None:
    contents = WalletContents(seed=named_key(HOLDER).seed, trust_anchors="")
    vault = Vault.create(tmp_path / "new", "passphrase", contents.to_fields(), profile=CHEAPEST)
    with pytest.raises(NotRegisteredError):
        Wallet(WalletSession(vault)).check_ledger()

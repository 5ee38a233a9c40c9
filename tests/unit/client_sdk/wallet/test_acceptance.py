"""What a wallet takes from an issuer, and what it leaves: a stranger's offer harms nothing."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.odd_issuer import NOW_MS, OddIssuer, odd_issuer

from client_sdk.errors import NotRegisteredError, OfferError
from client_sdk.ledger.account_key import AccountKey
from client_sdk.sealing.vault import CHEAPEST, Vault
from client_sdk.wallet import Wallet, WalletSession
from client_sdk.wallet.contents import WalletContents
from client_sdk.wallet.records import LedgerAccount, StoredCredential

CITY, STRANGER = "city@issuer", "evil@issuer"
ACCOUNT = LedgerAccount(
    account_id="h4f2@holder",
    ledger_id="ab" * 32,
    torii="127.0.0.1:1",
    registered_by=CITY,
    issuer_url="set by the fixture",
)
HELD = StoredCredential(
    record_id="cd" * 16,
    credential_type="urn:x",
    issuer=CITY,
    expires_at_ms=NOW_MS + 1,
    text="the genuine one",
)


def place(**changes: Any) -> dict[str, Any]:
    genuine = {
        "ledger": ACCOUNT.ledger_id,
        "issuer": CITY,
        "record": "ab" * 16,
        "account": ACCOUNT.account_id,
    }
    return {name: value for name, value in {**genuine, **changes}.items() if value is not None}


@pytest.fixture
def odd() -> Iterator[OddIssuer]:
    with odd_issuer() as issuer:
        issuer.place = place()
        yield issuer


@pytest.fixture
def wallet(tmp_path: Path, odd: OddIssuer) -> Iterator[Wallet]:
    """A wallet with an account and one credential."""
    account = replace(ACCOUNT, issuer_url=odd.url)
    contents = WalletContents(seed=AccountKey.generate().seed, trust_anchors="", account=account)
    with opened(tmp_path, contents.with_credential(HELD)) as made:
        yield made


def opened(folder: Path, contents: WalletContents) -> Wallet:
    vault = Vault.create(folder / "wallet", "open sesame", contents.to_fields(), profile=CHEAPEST)
    return Wallet(WalletSession(vault, now_ms=lambda: NOW_MS))


def test_a_credential_of_the_registering_issuer_is_kept(wallet: Wallet, odd: OddIssuer) -> None:
    received = wallet.issuance.receive(odd.offer())
    assert (received.issuer, received.record_id) == (CITY, "ab" * 16)
    assert wallet.credentials == (HELD, received)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"record": HELD.record_id}, "already"),
        ({"issuer": STRANGER}, f"issuer account {STRANGER}, not by {CITY}"),
        ({"issuer": STRANGER, "record": HELD.record_id}, f"issuer account {STRANGER}"),
        ({"account": "other@holder"}, "another account"),
        ({"account": None}, "another account"),
        ({"account": [ACCOUNT.account_id]}, "another account"),
        ({"ledger": "cd" * 32}, "another ledger"),
        ({"ledger": None}, "another ledger"),
        ({"ledger": 5}, "another ledger"),
    ],
    ids=str,
)
def test_a_foreign_credential_leaves_the_wallet_as_it_is(
    wallet: Wallet, odd: OddIssuer, changes: dict[str, Any], words: str
) -> None:
    odd.place = place(**changes)
    with pytest.raises(OfferError, match=words):
        wallet.issuance.receive(odd.offer())
    assert wallet.credentials == (HELD,)


def test_the_holder_may_trust_another_issuer(wallet: Wallet, odd: OddIssuer) -> None:
    odd.place = place(issuer=STRANGER)
    with pytest.raises(OfferError, match="not by another@issuer"):
        wallet.issuance.receive(odd.offer(), trusted_issuer="another@issuer")
    assert wallet.issuance.receive(odd.offer(), trusted_issuer=STRANGER).issuer == STRANGER
    odd.place = place(issuer=STRANGER, record=HELD.record_id)
    with pytest.raises(OfferError, match="already"):
        wallet.issuance.receive(odd.offer(), trusted_issuer=STRANGER)
    assert wallet.credentials[0] == HELD
    assert len(wallet.credentials) == 2


def test_a_stranger_cannot_use_the_name_of_the_registering_issuer(
    tmp_path: Path, odd: OddIssuer
) -> None:
    account = replace(ACCOUNT, issuer_url="https://city.example")
    contents = WalletContents(seed=AccountKey.generate().seed, trust_anchors="", account=account)
    with opened(tmp_path, contents) as wallet:
        stranger = f"the offer is of {odd.url}, which is not the service"
        with pytest.raises(OfferError, match=stranger):
            wallet.issuance.receive(odd.offer())
        with pytest.raises(OfferError, match=stranger):
            wallet.issuance.receive_one_time(odd.offer())
        assert wallet.credentials == ()
        # Above all not the code, nor what the holder typed with it.
        assert odd.requests == []


def test_an_issuer_that_gives_fewer_at_once_is_told_apart(wallet: Wallet, odd: OddIssuer) -> None:
    odd.metadata["batch_credential_issuance"] = {"batch_size": 3}
    odd.place = place(account=None)
    with pytest.raises(OfferError, match="fewer credentials at once"):
        wallet.issuance.receive_one_time(odd.offer())
    assert wallet.credentials == (HELD,)


def test_who_trusts_another_issuer_does_not_mean_the_first(wallet: Wallet, odd: OddIssuer) -> None:
    with pytest.raises(OfferError, match=f"{CITY}, not by {STRANGER}"):
        wallet.issuance.receive(odd.offer(), trusted_issuer=STRANGER)


def test_a_wallet_without_account_sends_nothing(tmp_path: Path, odd: OddIssuer) -> None:
    contents = WalletContents(seed=AccountKey.generate().seed, trust_anchors="")
    with opened(tmp_path, contents) as wallet, pytest.raises(NotRegisteredError):
        wallet.issuance.receive(odd.offer())
    assert odd.requests == []


def test_what_another_process_received_meanwhile_is_not_replaced(
    wallet: Wallet, odd: OddIssuer, tmp_path: Path
) -> None:
    session = WalletSession(Vault.open(tmp_path / "wallet", "open sesame"), now_ms=lambda: NOW_MS)
    with Wallet(session) as other:
        first = other.issuance.receive(odd.offer())
        with pytest.raises(OfferError, match="already"):
            wallet.issuance.receive(odd.offer())
        assert wallet.credentials == (HELD, first)

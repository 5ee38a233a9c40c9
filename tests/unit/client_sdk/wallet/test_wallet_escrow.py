"""A wallet that is protected: what its backup holds, when it goes out, and what comes back."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.escrow_world import PASSWORD, EscrowWorld
from support.issuer_world import IssuerWorld

from client_sdk.credentials.jose import generate_key
from client_sdk.errors import NotProtectedError, VaultFormatError, WeakPasswordError
from client_sdk.escrow.recovery import RecoveredBackup, recover
from client_sdk.ledger.account_key import AccountKey
from client_sdk.sealing.vault import CHEAPEST, Vault
from client_sdk.wallet import Wallet, WalletSession
from client_sdk.wallet.contents import WalletContents
from client_sdk.wallet.records import LedgerAccount, StoredCredential

PASSPHRASE = "a passphrase"
ACCOUNT = LedgerAccount(
    account_id="h1@holder",
    ledger_id="0" * 64,
    torii="127.0.0.1:1",
    registered_by="aoba_city@issuer",
    issuer_url="https://issuer.example",
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[EscrowWorld]:
    world = EscrowWorld(tmp_path)
    yield world
    world.close()


@pytest.fixture(scope="module")
def credential(tmp_path_factory: pytest.TempPathFactory) -> StoredCredential:
    issuer = IssuerWorld(tmp_path_factory.mktemp("issuer"))
    sd_jwt = issuer.issue(generate_key())
    return StoredCredential(
        text=sd_jwt,
        record_id="1" * 32,
        credential_type="urn:x",
        issuer="aoba_city@issuer",
        expires_at_ms=1,
    )


def _wallet(
    world: EscrowWorld, path: Path, credential: StoredCredential, *, seed: bytes = bytes(32)
) -> Wallet:
    contents = WalletContents(
        seed=seed,
        trust_anchors="",
        account=ACCOUNT,
        credentials={credential.record_id: credential},
    )
    vault = Vault.create(path, PASSPHRASE, contents.to_fields(), profile=CHEAPEST)
    return Wallet(WalletSession(vault, http=world.http, now_ms=world.clock))


def _recover(world: EscrowWorld, path: Path, recovered: RecoveredBackup) -> Wallet:
    made = Wallet.recover(path, PASSPHRASE, recovered, profile=CHEAPEST)
    made.close()
    return Wallet(WalletSession(Vault.open(path, PASSPHRASE), http=world.http, now_ms=world.clock))


def test_a_lost_wallet_comes_back_with_a_new_key(
    world: EscrowWorld, tmp_path: Path, credential: StoredCredential
) -> None:
    wallet = _wallet(world, tmp_path / "old", credential)
    with pytest.raises(NotProtectedError):
        _ = wallet.escrow.protection
    with pytest.raises(NotProtectedError):
        wallet.escrow.back_up()
    card = wallet.escrow.protect(world.urls, PASSWORD, profile=CHEAPEST)
    assert wallet.escrow.protection.agents.threshold == 2

    recovered = recover(card, PASSWORD, http=world.http)
    assert "seed" not in recovered.contents
    assert "protection" not in recovered.contents
    new = _recover(world, tmp_path / "new", recovered)
    assert new.credentials == wallet.credentials == (credential,)
    assert new.account == ACCOUNT
    assert new.public_key != wallet.public_key
    # The new wallet goes on with the same agents and card.
    assert new.escrow.back_up() == ()
    assert recover(card, PASSWORD, http=world.http).version == 2


def test_a_new_credential_goes_into_the_backup_by_itself(
    world: EscrowWorld, tmp_path: Path, credential: StoredCredential
) -> None:
    issuer = IssuerWorld(tmp_path)
    world.http._clients[issuer.config.public_url] = issuer.http
    key = AccountKey.generate()
    made = issuer.enrol(issuer.enrolment_code(), key)
    account = replace(ACCOUNT, account_id=made.get_json()["account_id"], ledger_id=issuer.ledger_id)
    contents = WalletContents(seed=key.seed, trust_anchors="", account=account)
    vault = Vault.create(tmp_path / "w", PASSPHRASE, contents.to_fields(), profile=CHEAPEST)
    wallet = Wallet(WalletSession(vault, http=world.http, now_ms=issuer.clock))

    def receive() -> str:
        offer = issuer.make_offer()
        return wallet.issuance.receive(offer["link"], tx_code=offer["tx_code"]).record_id

    first = receive()  # of a wallet that is not protected
    card = wallet.escrow.protect(world.urls, PASSWORD, profile=CHEAPEST)
    second = receive()
    recovered = recover(card, PASSWORD, http=world.http)
    assert recovered.version == 2
    new = _recover(world, tmp_path / "new", recovered)
    assert [kept.record_id for kept in new.credentials] == [first, second]

    # Agents that are down do not stand between a holder and a credential.
    world.http.down = set(world.urls)
    third = receive()
    assert wallet.escrow.protection.lagging == tuple(world.urls)
    world.http.down = set()
    assert wallet.escrow.back_up() == ()
    kept = recover(card, PASSWORD, http=world.http).contents["credentials"]
    assert third in str(kept)


def test_agents_learn_whose_deposit_it_is_and_who_may_vouch(
    world: EscrowWorld, tmp_path: Path, credential: StoredCredential
) -> None:
    wallet = _wallet(world, tmp_path / "wallet", credential)
    card = wallet.escrow.protect(world.urls, PASSWORD, portrait_commitment="p", profile=CHEAPEST)
    terms = world.agents[0].store.change(card.handle, lambda kept: kept.deposits()[0].terms)
    assert (terms.account, terms.approving_issuer) == ("h1@holder", "aoba_city@issuer")
    assert terms.portrait_commitment == "p"


def test_the_holders_own_data_is_no_password(
    world: EscrowWorld, tmp_path: Path, credential: StoredCredential
) -> None:
    wallet = _wallet(world, tmp_path / "wallet", credential)
    number = next(
        value
        for value in wallet.attributes("1" * 32).values()
        if "-" in str(value) and len(str(value)) > 20
    )
    with pytest.raises(WeakPasswordError):
        wallet.escrow.protect(world.urls, f"{number}a", profile=CHEAPEST)


def test_a_new_password_keeps_the_card_and_new_agents_make_a_new_one(
    world: EscrowWorld, tmp_path: Path, credential: StoredCredential
) -> None:
    wallet = _wallet(world, tmp_path / "wallet", credential)
    card = wallet.escrow.protect(world.urls, PASSWORD, profile=CHEAPEST)
    world.clock.advance(seconds=1)
    same = wallet.escrow.protect(world.urls, "Tsubame-77-Hikari", card=card, profile=CHEAPEST)
    assert same == card
    assert recover(card, "Tsubame-77-Hikari", http=world.http).contents["credentials"]

    world.clock.advance(seconds=1)
    other = wallet.escrow.protect(world.urls[:2], PASSWORD, threshold=2, profile=CHEAPEST)
    assert other.handle != card.handle == same.handle
    # What the first card opens is deleted after the agents' delay.
    status = world.client(3).status(card.key, card.handle)
    assert status.withdraw_at_ms is not None


def test_the_logs_are_read_and_their_ends_kept(
    world: EscrowWorld, tmp_path: Path, credential: StoredCredential
) -> None:
    wallet = _wallet(world, tmp_path / "wallet", credential)
    wallet.escrow.protect(world.urls, PASSWORD, profile=CHEAPEST)
    before = dict(wallet.escrow.protection.log_heads)
    logs, findings = wallet.escrow.read_logs()
    assert (len(logs), findings) == (3, ())
    assert wallet.escrow.protection.log_heads == {log.url: log.head for log in logs} != before


@pytest.mark.parametrize("contents", [{}, {"trust_anchors": ""}, {"credentials": 1}])
def test_a_backup_of_something_else_makes_no_wallet(
    world: EscrowWorld, tmp_path: Path, credential: StoredCredential, contents: dict[str, Any]
) -> None:
    wallet = _wallet(world, tmp_path / "old", credential)
    wallet.escrow.protect(world.urls, PASSWORD, profile=CHEAPEST)
    recovered = RecoveredBackup(
        contents=contents, version=1, protection=wallet.escrow.protection, findings=()
    )
    with pytest.raises(VaultFormatError):
        Wallet.recover(tmp_path / "new", PASSPHRASE, recovered, profile=CHEAPEST)
    assert not (tmp_path / "new").exists()

"""A wallet's credentials anew: after a recovery to another key, and by refresh tokens."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.issuer_world import ISSUER
from support.issuing_town import DEMAND, HolderAtPage, Town, provider, town_of
from support.resident_wallet import HOLDER

from client_sdk.credentials.jose import export_public_jwk, key_from_seed
from client_sdk.errors import IssuerRefusedError, OfferError, TransportError, VaultFormatError
from client_sdk.formats import FORMATS
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import add_signatory, remove_signatory
from client_sdk.wallet import Wallet
from client_sdk.wallet.contents import WalletContents

DAY_S = 86_400


def change_key(town: Town, wallet: Wallet) -> AccountKey:
    """Give the account another key, as a recovery does; return the wallet's new one."""
    lost, new = AccountKey(wallet._session.contents.seed), AccountKey.generate()
    town.world.ledger.submit(
        HOLDER,
        add_signatory(HOLDER, new.public_key),
        remove_signatory(HOLDER, lost.public_key),
        keys=(lost,),
    )
    wallet._session.update(lambda contents: replace(contents, seed=new.seed))
    return new


@pytest.mark.parametrize("name", FORMATS)
def test_a_credential_of_each_format_follows_the_account_to_its_new_key(
    tmp_path: Path, name: str
) -> None:
    with town_of(tmp_path) as town:
        offer = town.world.make_offer()
        with town.open(None) as wallet:
            old = wallet.issuance.receive(
                offer["link"], tx_code=offer["tx_code"], credential_format=name
            )
            new = change_key(town, wallet)
        with town.open(None) as wallet:
            (renewal,) = wallet.recovery.renew_credentials()
            assert (renewal.replaced, renewal.problem) == (old.record_id, "")
            (kept,) = wallet.credentials
            assert renewal.credential == kept
            assert kept.format == name
            assert kept.read().holder_key == export_public_jwk(key_from_seed(new.seed))
            assert wallet.attributes(kept.record_id)["name"] == "青葉 花子"
            # Done: there is nothing to renew any more.
            assert wallet.recovery.renew_credentials() == ()
        listed = town.world.operator("/credentials", method="GET").get_json()["credentials"]
        assert [one["state"] for one in listed] == ["revoked", "active"]


def test_haip_4_a_renewal_shows_attestations_and_binds_its_token(tmp_path: Path) -> None:
    with town_of(tmp_path, haip=True, key_attestations=DEMAND) as town:
        offer = town.world.make_offer()
        made_by = provider(town.world)
        with town.open(made_by) as wallet:
            holder = HolderAtPage(tx_code=offer["tx_code"])
            old = wallet.issuance.receive(offer["link"], browser=holder)
            change_key(town, wallet)
        with town.open(None) as wallet:
            (renewal,) = wallet.recovery.renew_credentials()
            assert "invalid_client" in renewal.problem
        with town.open(made_by) as wallet:
            (renewal,) = wallet.recovery.renew_credentials()
            assert renewal.credential is not None
            assert renewal.replaced == old.record_id


def test_haip_4_a_refresh_token_keeps_the_key_that_was_attested(tmp_path: Path) -> None:
    with town_of(tmp_path, haip=True, key_attestations=DEMAND, refresh_days=30) as town:
        offer = town.world.make_offer()
        made_by = provider(town.world)
        with town.open(made_by) as wallet:
            wallet.issuance.receive_one_time(offer["link"], tx_code=offer["tx_code"], count=1)
            (kept,) = wallet.issuance.refreshes
        with town.open(made_by) as wallet:
            assert len(wallet.issuance.refresh(kept.refresh_id, count=2)) == 2
        with town.open(None) as wallet, pytest.raises(IssuerRefusedError, match="invalid_client"):
            wallet.issuance.refresh(kept.refresh_id)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with town_of(tmp_path, refresh_days=30) as made:
        yield made


def test_one_time_credentials_are_topped_up(town: Town) -> None:
    offer = town.world.make_offer()
    with town.open(None) as wallet:
        wallet.issuance.receive_one_time(offer["link"], tx_code=offer["tx_code"], count=2)
        (kept,) = wallet.issuance.refreshes
        assert kept.is_one_time
        assert kept.token not in repr(kept)
    town.world.clock.advance(seconds=10 * DAY_S)
    # Another day: the wallet was closed.
    with town.open(None) as wallet:
        made = wallet.issuance.refresh(kept.refresh_id, count=3)
        assert wallet.one_time_left == 5
        assert len({str(one.read().holder_key) for one in wallet.credentials}) == 5
        assert all(one.issuer == ISSUER for one in made)
        assert len(wallet.issuance.refresh(kept.refresh_id)) == town.world.config.batch_size
        assert wallet.issuance.pending == ()


def test_a_credential_is_had_anew_before_it_ends(town: Town) -> None:
    offer = town.world.make_offer()
    with town.open(None) as wallet:
        old = wallet.issuance.receive(offer["link"], tx_code=offer["tx_code"])
        (kept,) = wallet.issuance.refreshes
        town.world.clock.advance(seconds=20 * DAY_S)
        (new,) = wallet.issuance.refresh(kept.refresh_id)
        assert new.expires_at_ms - old.expires_at_ms == 20 * DAY_S * 1000
        assert new.read().holder_key == old.read().holder_key


def test_what_breaks_off_is_gone_on_with(town: Town) -> None:
    offer = town.world.make_offer()
    with town.open(None) as wallet:
        wallet.issuance.receive_one_time(offer["link"], tx_code=offer["tx_code"], count=1)
        (kept,) = wallet.issuance.refreshes
        town.world.ledger.reachable = False
        with pytest.raises(TransportError):
            wallet.issuance.refresh(kept.refresh_id, count=2)
        town.world.ledger.reachable = True
    with town.open(None) as wallet:
        (waiting,) = wallet.issuance.pending
        wallet.issuance.resume(waiting.issuance_id)
        assert wallet.one_time_left == 3
        (still,) = wallet.issuance.refreshes
        assert still == kept


def test_a_token_that_the_issuer_takes_no_more_is_forgotten(town: Town) -> None:
    offer = town.world.make_offer()
    with town.open(None) as wallet:
        wallet.issuance.receive(offer["link"], tx_code=offer["tx_code"])
        (kept,) = wallet.issuance.refreshes
        (listed,) = town.world.operator("/credentials", method="GET").get_json()["credentials"]
        town.world.operator(f"/credentials/{listed['record']}/revoke")
        with pytest.raises(IssuerRefusedError, match="invalid_grant"):
            wallet.issuance.refresh(kept.refresh_id)
        assert wallet.issuance.refreshes == ()
        with pytest.raises(OfferError, match="no refresh token"):
            wallet.issuance.refresh(kept.refresh_id)


def test_a_refresh_token_is_no_part_of_a_backup(town: Town) -> None:
    """It is bound to a key of this phone: who has the backup must not get more by it."""
    offer = town.world.make_offer()
    with town.open(None) as wallet:
        wallet.issuance.receive(offer["link"], tx_code=offer["tx_code"])
        (kept,) = wallet.issuance.refreshes
        backup = wallet._session.contents.to_backup()
        assert "refreshes" not in backup
        assert kept.token not in str(backup)


def test_a_damaged_refresh_token_is_told(town: Town) -> None:
    offer = town.world.make_offer()
    with town.open(None) as wallet:
        wallet.issuance.receive(offer["link"], tx_code=offer["tx_code"])
        fields: Any = wallet._session.contents.to_fields()
    (whole,) = fields["refreshes"]
    changes: list[Any] = [
        {"token": 1},
        {"dpop_jwk": {"kty": "EC"}},
        {"is_one_time": None},
        {"issuer_url": None},
    ]
    for change in changes:
        with pytest.raises(VaultFormatError):
            WalletContents.from_fields({**fields, "refreshes": [{**whole, **change}]})

"""A wallet on its way to a credential: what breaks off goes on, and what waits is collected."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.card_world import CardWorld
from support.issuer_world import ISSUER, RESIDENT, IssuerWorld
from support.resident_wallet import make_wallet_at, served_issuer
from support.virtual_card import ADDRESS, PASSWORD, Authority, VirtualCard

from chaincode.encoding import encode_base64url
from client_sdk.card.card_proof import CardProof, prove_card
from client_sdk.card.my_number_card import MyNumberCard
from client_sdk.errors import (
    IssuanceDeferredError,
    IssuerRefusedError,
    OfferError,
    TransportError,
    VaultFormatError,
)
from client_sdk.sealing.vault import Vault
from client_sdk.wallet import Wallet, WalletSession
from client_sdk.wallet.contents import WalletContents
from client_sdk.wallet.records import StoredCredential, StoredIssuance

AUTHORITY = Authority()


class Town:
    """A city's service, and a resident's wallet at it."""

    def __init__(self, world: IssuerWorld, folder: Path) -> None:
        self.world = world
        self.path = folder / "wallet"
        make_wallet_at(world, self.path)

    def open(self) -> Wallet:
        return Wallet(WalletSession(Vault.open(self.path, "pass"), now_ms=self.world.clock))

    def offer(self, **more: Any) -> dict[str, Any]:
        made: dict[str, Any] = self.world.operator(
            "/offers", {"attributes": RESIDENT, **more}
        ).get_json()
        return made


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with served_issuer(
        lambda url: CardWorld(tmp_path, AUTHORITY, self_service="reviewed", public_url=url)
    ) as world:
        yield Town(world, tmp_path)


def sign_with_card(audience: str, nonce: str) -> CardProof:
    card = MyNumberCard(VirtualCard(AUTHORITY))
    return prove_card(card, password=PASSWORD, audience=audience, nonce=nonce)


def test_offer_that_was_accepted_needs_no_new_one(town: Town) -> None:
    offer = town.offer()
    with town.open() as wallet:
        town.world.ledger.reachable = False
        with pytest.raises(TransportError):
            wallet.issuance.receive(offer["link"], tx_code=offer["tx_code"])
        (waiting,) = wallet.issuance.pending
        assert waiting.token not in repr(waiting)
    town.world.ledger.reachable = True
    # Another day: the wallet was closed, and the offer's link no longer leads anywhere.
    with town.open() as wallet:
        assert wallet.issuance.resume(wallet.issuance.pending[0].issuance_id).credential_type
        assert wallet.issuance.pending == ()
        assert len(wallet.credentials) == 1
    (listed,) = town.world.operator("/credentials", method="GET").get_json()["credentials"]
    assert listed["event"] == "credential_accepted"


def test_same_link_goes_on_where_it_broke_off(town: Town) -> None:
    offer = town.offer()
    with town.open() as wallet:
        town.world.ledger.reachable = False
        with pytest.raises(TransportError):
            wallet.issuance.receive(offer["link"], tx_code=offer["tx_code"])
        town.world.ledger.reachable = True
        assert wallet.issuance.receive(offer["link"]).record_id == wallet.credentials[0].record_id


def test_token_is_kept_no_longer_than_it_is_good(town: Town) -> None:
    offer = town.offer()
    with town.open() as wallet:
        town.world.ledger.reachable = False
        with pytest.raises(TransportError):
            wallet.issuance.receive(offer["link"], tx_code=offer["tx_code"])
        town.world.ledger.reachable = True
        town.world.clock.advance(seconds=3600)
        with pytest.raises(IssuerRefusedError, match="new one"):
            wallet.issuance.receive(offer["link"])
        assert wallet.issuance.pending == ()
        with pytest.raises(OfferError, match="not on its way"):
            wallet.issuance.resume("00" * 32)


def test_one_time_credentials_go_on_where_they_broke_off(town: Town) -> None:
    offer = town.offer()
    with town.open() as wallet:
        town.world.ledger.reachable = False
        with pytest.raises(TransportError):
            wallet.issuance.receive_one_time(offer["link"], tx_code=offer["tx_code"], count=3)
    town.world.ledger.reachable = True
    with town.open() as wallet:
        first = wallet.issuance.resume(wallet.issuance.pending[0].issuance_id)
        assert first.is_one_time
        assert wallet.one_time_left == 3
        assert wallet.issuance.pending == ()
        # The same link goes on as well.
        other = town.offer()
        town.world.ledger.reachable = False
        with pytest.raises(TransportError):
            wallet.issuance.receive_one_time(other["link"], tx_code=other["tx_code"], count=2)
        town.world.ledger.reachable = True
        assert len(wallet.issuance.receive_one_time(other["link"])) == 2
        assert wallet.one_time_left == 5


def test_more_at_once_than_the_issuer_gives_uses_nothing_up(town: Town) -> None:
    offer, most = town.offer(), town.world.config.batch_size
    with town.open() as wallet:
        with pytest.raises(OfferError, match=f"1 to {most} credentials"):
            wallet.issuance.receive_one_time(
                offer["link"], tx_code=offer["tx_code"], count=most + 1
            )
        assert wallet.issuance.receive_one_time(offer["link"], tx_code=offer["tx_code"], count=1)


def test_deferred_credential_waits_in_the_wallet(town: Town) -> None:
    offer = town.offer(review=True)
    with town.open() as wallet:
        for _ in range(2):
            with pytest.raises(IssuanceDeferredError):
                wallet.issuance.receive(offer["link"], tx_code=offer["tx_code"])
    town.world.operator("/reviews/decide", {"code": offer["review_code"], "decision": "approve"})
    with town.open() as wallet:
        assert wallet.issuance.resume(wallet.issuance.pending[0].issuance_id)


def test_refused_review_ends_the_waiting(town: Town) -> None:
    offer = town.offer(review=True)
    with town.open() as wallet:
        with pytest.raises(IssuanceDeferredError):
            wallet.issuance.receive(offer["link"], tx_code=offer["tx_code"])
        body = {"code": offer["review_code"], "decision": "refuse"}
        town.world.operator("/reviews/decide", body)
        with pytest.raises(IssuerRefusedError, match="will not give"):
            wallet.issuance.resume(wallet.issuance.pending[0].issuance_id)
        assert wallet.issuance.pending == ()


def test_card_proves_what_the_offer_attests(town: Town) -> None:
    offer = town.world.operator("/offers", {"card": {}}).get_json()
    with town.open() as wallet:
        with pytest.raises(IssuerRefusedError):
            wallet.issuance.receive(offer["link"], tx_code=offer["tx_code"])
        credential = wallet.issuance.receive(
            offer["link"], tx_code=offer["tx_code"], card=sign_with_card
        )
        assert wallet.attributes(credential.record_id)["address"] == ADDRESS


def test_card_alone_asks_and_the_counter_approves(town: Town) -> None:
    with town.open() as wallet:
        with pytest.raises(IssuanceDeferredError):
            wallet.issuance.receive_by_card(sign_with_card)
        assert len(wallet.issuance.pending) == 1


def test_backup_holds_no_token(town: Town) -> None:
    issuance = StoredIssuance(
        issuance_id="ab" * 32,
        issuer_url="https://issuer.example",
        credential_format="dc+sd-jwt",
        credential_type="urn:x",
        trusted_issuer=None,
        token="t0ken",
        wanted={},
    )
    contents = WalletContents(seed=bytes(32), trust_anchors="").with_issuance(issuance)
    assert WalletContents.from_fields(contents.to_fields()) == contents
    assert "issuances" not in contents.to_backup()
    one_time = StoredCredential(
        record_id="cd" * 16,
        credential_type="urn:x",
        issuer=ISSUER,
        expires_at_ms=1,
        text="a credential",
        seed=b"s" * 32,
    )
    # Nor is there one of a part, whose key is.
    whole = contents.with_part("x509_hash:v", contents.with_credential(one_time))
    backup = json.dumps(whole.to_backup())
    assert "t0ken" not in backup
    assert one_time.record_id not in backup
    assert encode_base64url(bytes(32)) in backup
    protection: Any = None
    restored = WalletContents.from_backup(whole.to_backup(), seed=bytes(32), protection=protection)
    assert restored.parts["x509_hash:v"].credentials == {}


@pytest.mark.parametrize(
    "change",
    [
        {"token": None},
        {"dpop_jwk": {"kty": "EC"}},
        {"wanted": []},
        {"seeds": ["AA"]},
        {"seeds": ["%"]},
        {"seeds": None},
        {"refresh_token": 1},
        {"server_url": None},
    ],
)
def test_damaged_issuance_is_refused(change: dict[str, Any]) -> None:
    fields = {
        "issuance_id": "ab" * 32,
        "issuer_url": "https://issuer.example",
        "credential_format": "dc+sd-jwt",
        "credential_type": "urn:x",
        "trusted_issuer": None,
        "transaction_id": None,
        "token": "t",
        "wanted": {},
        "dpop_jwk": None,
        "configuration_id": None,
        "seeds": [],
        "refresh_token": "r",
        "server_url": "https://issuer.example",
    }
    kept = WalletContents(seed=bytes(32), trust_anchors="").to_fields()
    kept["issuances"] = [fields]
    assert WalletContents.from_fields(kept).to_fields() == kept
    fields |= change
    with pytest.raises(VaultFormatError):
        WalletContents.from_fields(kept)

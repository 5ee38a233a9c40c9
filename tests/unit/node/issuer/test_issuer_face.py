"""An issuer that has the holder's face tested before it issues: wallet, issuer and face service."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.face_world import URL, FaceWorld
from support.issuer_world import RESIDENT, Clock, IssuerWorld
from support.resident_wallet import make_wallet_at, served_issuer

from client_sdk.credentials.jose import generate_key
from client_sdk.errors import IssuanceDeferredError, IssuerRefusedError, TransportError
from client_sdk.face.portrait import PortraitOpening, portrait_commitments
from client_sdk.sealing.vault import Vault
from client_sdk.wallet import Wallet, WalletSession
from node.issuer.config import FaceTestConfig


class Town:
    """A city that wants to see faces, a face service, and a resident's wallet."""

    def __init__(self, issuer: IssuerWorld, face: FaceWorld, folder: Path) -> None:
        self.clock, self.issuer, self.face = issuer.clock, issuer, face
        self.path = folder / "wallet"
        make_wallet_at(issuer, self.path)

    def open(self) -> Wallet:
        return Wallet(WalletSession(Vault.open(self.path, "pass"), now_ms=self.clock))

    def offer(self, **changes: Any) -> dict[str, Any]:
        return self.issuer.make_offer(**changes)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    clock = Clock()
    face = FaceWorld(clock=clock, test_rate="10/hour")
    config = FaceTestConfig.model_validate({**face.trust(tmp_path), "url": URL})
    with served_issuer(
        lambda url: IssuerWorld(
            tmp_path, public_url=url, face_http=face.http, face=config, clock=clock
        )
    ) as issuer:
        yield Town(issuer, face, tmp_path)


def face_page(wallet: Wallet, offer: dict[str, Any]) -> str:
    with pytest.raises(IssuanceDeferredError, match="face was tested") as deferred:
        wallet.issuance.receive(offer["link"], tx_code=offer["tx_code"])
    assert deferred.value.interval_s == 2
    assert deferred.value.face_page is not None
    return deferred.value.face_page


def test_the_credential_comes_once_the_face_was_tested(town: Town) -> None:
    offer = town.offer()
    with town.open() as wallet:
        page = face_page(wallet, offer)
        # Not decided: nothing is issued, and it is the same test.
        assert face_page(wallet, offer) == page
        assert wallet.credentials == ()
        assert town.face.follow(page).state == "passed"
        credential = wallet.issuance.receive(offer["link"], tx_code=offer["tx_code"])
        # What the issuer signed is what others compare faces with.
        portrait = PortraitOpening.of_credential(credential.text)
        assert portrait.commitment in portrait_commitments(credential.text)
        assert wallet.attributes(credential.record_id)["name"] == RESIDENT["name"]


def test_who_does_not_pass_gets_nothing_and_may_try_again(town: Town) -> None:
    offer = town.offer()
    with town.open() as wallet:
        page = face_page(wallet, offer)
        town.face.vision.conclusion = "wrong_person"
        assert town.face.follow(page).state == "refused"
        other = face_page(wallet, offer)
        assert other != page
        town.face.vision.conclusion = None
        assert town.face.follow(other).state == "passed"
        wallet.issuance.receive(offer["link"], tx_code=offer["tx_code"])
        assert len(wallet.credentials) == 1


def test_a_test_that_nobody_made_begins_anew(town: Town) -> None:
    offer = town.offer()
    with town.open() as wallet:
        page = face_page(wallet, offer)
        # The face service was started anew, and knows nothing of it.
        town.face.challenges._tests.clear()
        assert face_page(wallet, offer) != page


def test_one_offers_portrait_is_tried_so_often(town: Town) -> None:
    offer = town.offer()
    town.face.vision.conclusion = "wrong_person"
    with town.open() as wallet:
        for _ in range(10):
            town.face.follow(face_page(wallet, offer))
        with pytest.raises(IssuerRefusedError, match="will not give"):
            wallet.issuance.receive(offer["link"], tx_code=offer["tx_code"])


def test_an_offer_without_portrait_is_refused(town: Town) -> None:
    offer = town.offer(portrait=None)
    with town.open() as wallet, pytest.raises(IssuerRefusedError, match="will not give"):
        wallet.issuance.receive(offer["link"], tx_code=offer["tx_code"])


def test_a_face_service_that_is_away_uses_nothing_up(town: Town) -> None:
    offer = town.offer()
    with town.open() as wallet:
        town.face.http.lost = 1
        with pytest.raises((TransportError, IssuerRefusedError)):
            wallet.issuance.receive(offer["link"], tx_code=offer["tx_code"])
        page = face_page(wallet, offer)
        town.face.follow(page)
        town.face.http.lost = 1
        with pytest.raises((TransportError, IssuerRefusedError)):
            wallet.issuance.receive(offer["link"], tx_code=offer["tx_code"])
        assert wallet.issuance.receive(offer["link"], tx_code=offer["tx_code"]).record_id


def test_the_word_of_another_service_does_not_do(town: Town) -> None:
    offer = town.offer()
    with town.open() as wallet:
        page = face_page(wallet, offer)
        town.face.challenges._signing_key = generate_key()
        town.face.follow(page)
        with pytest.raises(IssuerRefusedError, match="will not give"):
            wallet.issuance.receive(offer["link"], tx_code=offer["tx_code"])

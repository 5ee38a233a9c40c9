"""The wallet's page and a My Number card on the computer's reader: with an offer, and without."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from support.browser import check_page, check_view, person
from support.virtual_card import ADDRESS, JPKI, PASSWORD, VirtualCard
from support.wallet_stand import PASSPHRASE, pair, paste, serve_wallet
from support.wallet_town import WalletTown

from client_sdk.issuer.client import IssuerClient
from client_sdk.sealing.vault import CHEAPEST
from client_sdk.wallet import Wallet

pytestmark = pytest.mark.xdist_group("wallet_page")


@pytest.fixture(scope="module")
def card(wallet_town: WalletTown) -> VirtualCard:
    """The card that lies on the reader."""
    return wallet_town.new_card()


@pytest.fixture(scope="module")
def page(
    browser: Browser,
    wallet_town: WalletTown,
    city: IssuerClient,
    card: VirtualCard,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Page]:
    """The page of a wallet that has an account and nothing else, on a computer with a reader."""
    path: Path = tmp_path_factory.mktemp("home") / "wallet"
    with Wallet.create(path, PASSPHRASE, profile=CHEAPEST) as wallet:
        wallet.register(
            wallet_town.issuer_url,
            city.enrol(),
            torii=wallet_town.torii_tls,
            root_certificates=wallet_town.root_certificates,
        )
    with (
        serve_wallet(path, card_reader=lambda: nullcontext(card)) as stand,
        person(browser) as page,
    ):
        stand.desk.keeper.unlock(PASSPHRASE)
        pair(page, stand.link)
        yield page


def test_a_card_alone_gets_a_credential(page: Page, card: VirtualCard) -> None:
    page.get_by_role("link", name="Get a credential by your My Number card").click()
    check_page(page, "wallet-card")
    page.get_by_label("Password of the card").fill("WRONG1")
    page.get_by_role("button", name="Let the card sign").click()
    expect(page.get_by_role("alert")).to_contain_text("4 tries are left")
    check_view(page, "wallet-card-refused")
    page.get_by_role("link", name="Back").click()
    page.get_by_label("Password of the card").fill(PASSWORD)
    page.get_by_role("button", name="Let the card sign").click()
    expect(page.get_by_role("heading", name="Residence credential")).to_be_visible()
    expect(page.get_by_text(ADDRESS)).to_be_visible()
    pin = card.pins[JPKI, 0x001B]
    assert pin.tries == pin.most_tries


def test_an_offer_that_wants_a_card_is_taken_with_it_and_refused_without(
    page: Page, city: IssuerClient
) -> None:
    offer = city.offer_to_card()
    page.get_by_role("link", name="Credentials", exact=True).click()
    paste(page, offer.link)
    page.get_by_label("Code that you were given").fill(offer.tx_code)
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_role("link", name="Back").click()
    page.get_by_label("Code that you were given").fill(offer.tx_code)
    page.get_by_text("The issuer wants to see my My Number card").click()
    check_view(page, "wallet-offer-card")
    page.get_by_label("Password of the card").fill(PASSWORD)
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_role("heading", name="Residence credential")).to_be_visible()


def test_the_last_try_of_a_card_is_not_used(page: Page, card: VirtualCard) -> None:
    pin = card.pins[JPKI, 0x001B]
    pin.tries = 1
    page.get_by_role("link", name="Scan", exact=True).click()
    page.get_by_role("link", name="Get a credential by your My Number card").click()
    page.get_by_label("Password of the card").fill(PASSWORD)
    page.get_by_role("button", name="Let the card sign").click()
    expect(page.get_by_role("alert")).to_contain_text("One try is left")
    assert pin.tries == 1

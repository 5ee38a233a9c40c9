"""The wallet's pages in a real browser, one at a time, with real services."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect
from support.browser import (
    MAX_FIRST_VIEW_BYTES,
    check_page,
    check_view,
    first_view_bytes,
    person,
)
from support.wallet_stand import PASSPHRASE, WalletStand, paste, shown_rows
from support.wallet_town import WalletTown

from client_sdk.issuer.client import IssuerClient
from client_sdk.openid4vp.dcql import parse_query
from client_sdk.purposes import find_term
from client_sdk.verifier.gateway_client import FaceTestDemand, GatewayClient
from node.cli.demo.cast import example_resident

pytestmark = pytest.mark.xdist_group("wallet_page")

PURPOSE = "Certificate of residence"
WAIT_MS = 90_000
ADDRESS = "青葉県青葉市緑町三丁目14番15号"
_OPTIONAL = {
    "credentials": [
        {
            "id": name,
            "format": "dc+sd-jwt",
            "meta": {"vct_values": ["urn:tegata:credential:resident:1"]},
            "claims": [{"path": [path]}],
        }
        for name, path in (("home", "address"), ("town", "municipality"))
    ],
    "credential_sets": [
        {"options": [["home"]]},
        {"options": [["town"]], "required": False},
    ],
}


def test_a_face_is_tested_with_the_camera_where_they_ask_for_it(
    page: Page, office: GatewayClient
) -> None:
    request = office.ask(["address"], purpose=PURPOSE, face=FaceTestDemand())
    paste(page, request.link)
    expect(page.get_by_text("Your face is compared with the portrait")).to_be_visible()
    page.get_by_role("button", name="Show this").click()
    expect(page.get_by_role("status")).to_contain_text("Your face is tested", timeout=WAIT_MS)
    check_view(page, "wallet-face-test")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Open the page with the camera").click()
    camera_page = opened.value
    camera_page.get_by_role("button").filter(has_text=re.compile("start the camera")).click()
    expect(camera_page.get_by_role("heading", name="You passed")).to_be_visible(timeout=WAIT_MS)
    camera_page.close()
    expect(page.get_by_role("status")).to_contain_text(
        "seen exactly what was listed", timeout=WAIT_MS
    )
    result = office.wait(request.request_id)
    assert result.attributes == {"address": ADDRESS}
    assert {check.name: check.passed for check in result.checks}["face"] is True


def test_what_is_optional_has_a_switch(page: Page, office: GatewayClient) -> None:
    query = parse_query(_OPTIONAL)
    for is_on in (False, True):
        request = office.ask_query(query, purpose=PURPOSE)
        paste(page, request.link)
        assert shown_rows(page) == {"Address": ADDRESS}
        if is_on:
            page.get_by_role("switch", name="Show also: Municipality").check()
            expect(page.locator("dl.shown > div")).to_have_count(2)
            check_view(page, "wallet-choices")
        listed = shown_rows(page)
        page.get_by_role("button", name="Show this").click()
        expect(page.get_by_role("status")).to_contain_text("seen exactly what was listed")
        assert office.wait(request.request_id).state == "accepted"
        assert ("Municipality" in listed) is is_on


def test_a_page_that_is_out_of_date_sends_nothing(page: Page, office: GatewayClient) -> None:
    """The choices are changed behind the page's back: what it lists is not what would be shown."""
    request = office.ask_query(parse_query(_OPTIONAL), purpose=PURPOSE)
    paste(page, request.link)
    page.evaluate("document.querySelector('[role=switch]').checked = true")
    page.get_by_role("button", name="Show this").click()
    expect(page.get_by_role("alert")).to_contain_text("What would be shown has changed")
    assert set(shown_rows(page)) == {"Address", "Municipality"}
    assert office.result(request.request_id).state == "fetched"
    page.get_by_role("button", name="Decline").click()
    expect(page.get_by_role("status")).to_contain_text("Nothing was shown")


def test_who_asks_too_much_is_named_and_declined(page: Page, wallet_town: WalletTown) -> None:
    with GatewayClient(wallet_town.gateway_url, wallet_town.shop_api_key) as shop:
        request = shop.ask(
            ["birth_date", "address"],
            purpose="To sell sake",
            purpose_term=find_term("AgeVerification"),
        )
        paste(page, request.link)
        warning = page.get_by_role("alert")
        expect(warning).to_contain_text("more than they are registered for: Address")
        check_page(page, "wallet-over-asking")
        page.get_by_role("button", name="Show this").click()
        expect(page.locator("#beyond-error")).to_be_visible()
        page.get_by_role("button", name="Decline").click()
        expect(page.get_by_role("status")).to_contain_text("Nothing was shown")
        assert shop.wait(request.request_id).state == "declined"


def test_a_verifier_meets_an_account_of_its_own(
    page: Page, wallet_town: WalletTown, city: IssuerClient, stand: WalletStand
) -> None:
    with GatewayClient(wallet_town.gateway_url, wallet_town.shop_api_key) as shop:
        request = shop.ask(
            ["birth_date"], purpose="To sell sake", purpose_term=find_term("AgeVerification")
        )
        paste(page, request.link)
        page.get_by_role("link", name="Nobody else should know you again").click()
        check_page(page, "wallet-part")
        offer = city.offer(example_resident())
        page.get_by_label("Code from the counter").fill(city.enrol())
        page.get_by_label("Link of the offer").fill(offer.link)
        page.get_by_label("Code that you were given").fill("000000")
        page.get_by_role("button", name="Make the account").click()
        expect(page.get_by_role("alert")).to_contain_text("the code or the offer is wrong")
        with stand.desk.keeper.use() as wallet:
            (verifier,) = wallet.separated
            assert not wallet.meets_part(verifier)
        page.get_by_role("link", name="Back").click()
        expect(page.get_by_label("Code from the counter")).to_have_count(0)
        page.get_by_label("Link of the offer").fill(offer.link)
        page.get_by_label("Code that you were given").fill(offer.tx_code)
        page.get_by_role("button", name="Make the account").click()
        expect(page.get_by_text("They meet an account of their own")).to_be_visible()
        check_view(page, "wallet-consent-part")
        page.get_by_role("button", name="Show this").click()
        expect(page.get_by_role("status")).to_contain_text("seen exactly what was listed")
        assert shop.wait(request.request_id).state == "accepted"
    with stand.desk.keeper.use() as wallet:
        part = wallet.part_for(verifier)
        (grant,) = part.grants.made
        account = part.account.account_id
        assert account != wallet.account.account_id
    page.get_by_role("link", name="Settings").click()
    expect(page.get_by_text(account)).to_be_visible()
    expect(page.get_by_role("strong").filter(has_text=grant.verifier_name)).to_be_visible()
    check_view(page, "wallet-settings-parts")


def test_who_comes_first_loads_little(browser: Browser, page: Page, stand: WalletStand) -> None:
    size = first_view_bytes(browser, stand.origin, page.context.cookies())
    assert 0 < size < MAX_FIRST_VIEW_BYTES


def test_without_its_computer_the_app_says_so_and_comes_back(
    page: Page, stand: WalletStand
) -> None:
    page.goto(stand.origin)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.wait_for_function("caches.match('/offline').then((found) => Boolean(found))")
    page.context.set_offline(True)
    page.goto(stand.origin)
    expect(page.get_by_text("Your wallet is not reached")).to_be_visible()
    assert ADDRESS not in page.content()
    kept = page.evaluate(
        "caches.keys().then((names) => Promise.all(names.map(async (name) =>"
        " (await (await caches.open(name)).keys()).map((kept) => new URL(kept.url).pathname))))"
    )
    assert {path for paths in kept for path in paths if not path.startswith("/assets/")} == {
        "/offline"
    }
    check_view(page, "wallet-offline")
    page.context.set_offline(False)
    expect(page.get_by_role("heading", name="Your credentials")).to_be_visible()


def test_settings_and_lock(page: Page, stand: WalletStand) -> None:
    page.goto(f"{stand.origin}/settings")
    check_page(page, "wallet-settings")
    expect(page.get_by_text("over TLS", exact=False).first).to_be_visible()
    page.get_by_text("Use another ledger node").click()
    certificates = page.get_by_label("Certificates of the node")
    known = certificates.input_value()
    assert known == stand.desk.suggestions.root_certificates
    certificates.fill("nonsense")
    page.get_by_role("button", name="Use this node").click()
    expect(page.get_by_role("alert")).to_contain_text("no certificates")
    page.get_by_role("link", name="Back").click()
    page.get_by_text("Use another ledger node").click()
    page.get_by_role("button", name="Use this node").click()
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    page.get_by_role("button", name="Lock the wallet").click()
    check_page(page, "wallet-unlock")
    page.get_by_label("Passphrase").fill("another one")
    page.get_by_role("button", name="Unlock").click()
    expect(page.get_by_role("alert")).to_contain_text("does not open")
    page.goto(f"{stand.origin}/history")
    page.get_by_label("Passphrase").fill(PASSPHRASE)
    page.get_by_role("button", name="Unlock").click()
    page.wait_for_url("**/history")


def test_whoever_is_not_paired_is_told_how(browser: Browser, stand: WalletStand) -> None:
    with person(browser) as stranger:
        stranger.goto(stand.origin)
        expect(stranger.get_by_role("heading", name="This browser is not paired")).to_be_visible()
        check_page(stranger, "wallet-unpaired")
        stranger.goto(stand.link)
        check_page(stranger, "wallet-pair")

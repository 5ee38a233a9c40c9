"""The whole story over the wallet's page, in Chromium, with real services.

Offer, consent, address only, history, revocation, refusal, loss, recovery: at a computer, and on a
phone that is paired over TLS and brings the lost wallet back.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from support.browser import (
    MAX_FIRST_VIEW_BYTES,
    check_page,
    check_view,
    chromium,
    first_view_bytes,
    person,
)
from support.face_stand import serve_faces
from support.fake_camera import show_qr_code
from support.wallet_stand import PASSPHRASE, WalletStand, make_wallet, pair, paste, serve_wallet
from support.wallet_town import WalletTown

from client_sdk.errors import ServiceRefusedError
from client_sdk.escrow.recovery import recover
from client_sdk.escrow.recovery_card import parse_recovery_card
from client_sdk.gateway_client import FaceTestDemand, GatewayClient
from client_sdk.http_client import HttpClient
from client_sdk.issuer_client import IssuerClient
from client_sdk.openid4vp.dcql import parse_query
from client_sdk.purposes import find_term
from client_sdk.sealing import SealingKey
from client_sdk.standing_client import StandingClient
from client_sdk.vault import CHEAPEST
from client_sdk.wallet import Wallet
from node.cli.demo.cast import example_resident
from node.cli.demo.town import free_addresses

pytestmark = pytest.mark.xdist_group("wallet_page")

PURPOSE = "Certificate of residence"
PASSWORD = "Tsubaki-hinode-4821-kawara"
WAIT_MS = 90_000
PHONE = {"width": 390, "height": 844}
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


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WalletTown]:
    with serve_faces() as faces:
        trusted = faces.trust(tmp_path_factory.mktemp("faces"))
        with WalletTown(tmp_path_factory.mktemp("town"), gateway_settings=trusted) as town:
            yield town


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the browser's camera sees; it is read when a page starts the camera."""
    return tmp_path_factory.mktemp("camera") / "seen.y4m"


@pytest.fixture(scope="module")
def browser(camera: Path) -> Iterator[Browser]:
    show_qr_code(camera, "nothing yet")
    with chromium(
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera}",
    ) as browser:
        yield browser


@pytest.fixture(scope="module")
def stand(town: WalletTown, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WalletStand]:
    """The resident's wallet at home; it does not exist yet."""
    with serve_wallet(
        tmp_path_factory.mktemp("home") / "wallet",
        trust_anchors=town.trust_anchors,
        suggestions=town.suggestions,
    ) as stand:
        yield stand


@pytest.fixture(scope="module")
def page(browser: Browser, stand: WalletStand) -> Iterator[Page]:
    """The resident's browser, paired."""
    with person(browser) as page:
        pair(page, stand.link)
        yield page


@pytest.fixture(scope="module")
def city(town: WalletTown) -> Iterator[IssuerClient]:
    with IssuerClient(town.issuer_url, town.operator_token) as city:
        yield city


@pytest.fixture(scope="module")
def office(town: WalletTown) -> Iterator[GatewayClient]:
    with GatewayClient(town.gateway_url, town.api_key) as office:
        yield office


def shown_rows(page: Page) -> dict[str, str]:
    """Return what a consent page says that it shows."""
    rows = page.locator("dl.shown > div")
    return {row.locator("dt").inner_text(): row.locator("dd").inner_text() for row in rows.all()}


# The tests below tell one story, in this order.


def test_a_wallet_is_made_and_gets_an_account(
    page: Page, stand: WalletStand, city: IssuerClient
) -> None:
    check_page(page, "wallet-welcome")
    make_wallet(page)
    page.get_by_role("link", name="Get one with a code").click()
    check_page(page, "wallet-account")
    page.get_by_label("Code from the counter").fill(city.enrol())
    page.get_by_role("button", name="Get the account").click()
    expect(page.get_by_text("Nothing is in your wallet yet.")).to_be_visible()


def test_an_offer_is_scanned_and_accepted(page: Page, city: IssuerClient, camera: Path) -> None:
    offer = city.offer(example_resident())
    show_qr_code(camera, offer.link)
    page.get_by_role("link", name="Scan an offer").click()
    check_page(page, "wallet-scan")
    page.get_by_role("button", name="Start the camera").click()
    expect(page.get_by_role("heading", name="A credential is offered")).to_be_visible()
    check_page(page, "wallet-offer")
    page.get_by_label("Code that you were given").fill("000000")
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_role("alert")).to_contain_text("the code or the offer is wrong")
    check_view(page, "wallet-refused")
    page.get_by_role("link", name="Back").click()
    page.get_by_label("Code that you were given").fill(offer.tx_code)
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_role("heading", name="Residence credential")).to_be_visible()
    expect(page.get_by_text(ADDRESS)).to_be_visible()
    expect(page.get_by_role("img", name="Portrait")).to_be_visible()
    check_page(page, "wallet-credential")
    page.get_by_role("link", name="Credentials", exact=True).click()
    expect(page.get_by_text("手形 花子")).to_be_visible()
    check_page(page, "wallet-home")


def test_the_address_is_shown_and_nothing_else(page: Page, office: GatewayClient) -> None:
    request = office.ask(["address"], purpose=PURPOSE)
    paste(page, request.link)
    expect(page.get_by_role("heading", name="Aoba Ward Office asks")).to_be_visible()
    expect(page.get_by_text("Certified.")).to_be_visible()
    expect(page.get_by_text(PURPOSE)).to_be_visible()
    assert shown_rows(page) == {"Address": ADDRESS}
    check_page(page, "wallet-consent")
    page.get_by_role("button", name="Show this").click()
    expect(page.get_by_role("status")).to_contain_text("seen exactly what was listed")
    assert office.wait(request.request_id).attributes == {"address": ADDRESS}
    check_view(page, "wallet-outcome")


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


def test_who_asks_too_much_is_named_and_declined(page: Page, town: WalletTown) -> None:
    with GatewayClient(town.gateway_url, town.shop_api_key) as shop:
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


def test_a_standing_permission_is_used_told_revoked_and_refused(
    page: Page, town: WalletTown
) -> None:
    key = SealingKey.generate()
    with StandingClient(town.gateway_url, town.api_key) as office:
        request = office.ask(
            ["address"],
            purpose="Yearly notice to residents",
            uses=12,
            days=365,
            deposit_key=key.public_bytes,
        )
        paste(page, request.link)
        expect(page.get_by_text("Also while you are away")).to_be_visible()
        page.get_by_role("button", name="Show this").click()
        expect(page.get_by_role("status")).to_contain_text("seen exactly what was listed")
        page.get_by_role("link", name="Permissions", exact=True).click()
        newest = page.get_by_role("main").get_by_role("listitem").first
        href = newest.get_by_role("link", name="Record of your consent").get_attribute("href")
        assert href is not None
        grant = href.split("/")[2]
        assert office.look_up(grant, key).attributes == {"address": ADDRESS}
        page.get_by_role("link", name="History", exact=True).click()
        entry = page.get_by_role("main").get_by_role("listitem").first
        expect(entry).to_contain_text("Yearly notice to residents")
        expect(entry).to_contain_text("On the ledger, use 1")
        expect(page.get_by_text("does not agree")).to_have_count(0)
        check_page(page, "wallet-history")
        page.get_by_role("link", name="Permissions", exact=True).click()
        newest.get_by_text("Take it back", exact=True).click()
        check_view(page, "wallet-permissions")
        newest.get_by_role("button", name="Take it back for good").click()
        expect(newest).to_contain_text("taken back")
        with pytest.raises(ServiceRefusedError):
            office.look_up(grant, key)


def test_an_issuer_that_restarts_is_a_wait_and_no_error(
    page: Page, town: WalletTown, city: IssuerClient
) -> None:
    offer = city.offer(example_resident())
    paste(page, offer.link)
    page.get_by_label("Code that you were given").fill(offer.tx_code)
    town.stop("issuer")
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_role("status")).to_contain_text(
        "cannot be reached just now", timeout=WAIT_MS
    )
    town.start("issuer")
    expect(page.get_by_role("heading", name="Residence credential")).to_be_visible(timeout=WAIT_MS)


@pytest.mark.parametrize("service", ["gateway", "node"])
def test_a_service_that_restarts_is_a_wait_and_no_error(
    page: Page, town: WalletTown, office: GatewayClient, service: str
) -> None:
    request = office.ask(["address"], purpose=PURPOSE)
    paste(page, request.link)
    town.stop(service)
    page.get_by_role("button", name="Show this").click()
    expect(page.get_by_role("status")).to_contain_text(
        "cannot be reached just now", timeout=WAIT_MS
    )
    check_view(page, "wallet-waiting")
    if service == "node":
        with person(page.context.browser, storage_state=page.context.storage_state()) as other:
            other.goto(page.url.partition("/jobs")[0] + "/history")
            expect(other.get_by_role("heading", name="Please wait a moment")).to_be_visible()
            check_view(other, "wallet-page-waiting")
            town.start(service)
            expect(other.get_by_role("heading", name="Who saw what")).to_be_visible(timeout=WAIT_MS)
    else:
        town.start(service)
    expect(page.get_by_role("heading", name="Shown")).to_be_visible(timeout=WAIT_MS)
    assert office.wait(request.request_id).attributes == {"address": ADDRESS}


def test_the_first_view_is_small(browser: Browser, page: Page, stand: WalletStand) -> None:
    for path in ("/", "/scan", "/history"):
        size = first_view_bytes(browser, stand.origin + path, page.context.cookies())
        assert 0 < size < MAX_FIRST_VIEW_BYTES, path


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


def test_the_wallet_is_protected_lost_and_recovered_on_a_phone(
    *,
    page: Page,
    browser: Browser,
    stand: WalletStand,
    town: WalletTown,
    office: GatewayClient,
    camera: Path,
    tmp_path: Path,
) -> None:
    page.goto(f"{stand.origin}/protection")
    check_page(page, "wallet-protection")
    page.get_by_label("Recovery password", exact=True).fill(PASSWORD)
    page.get_by_label("recovery password once more").fill(PASSWORD)
    page.get_by_label("How long a change of keys").fill("0.004")
    page.get_by_role("button", name="Protect it now").click()
    expect(page.get_by_role("heading", name="Your recovery card")).to_be_visible()
    card = page.locator("#card-text").inner_text()
    check_page(page, "wallet-recovery-card")
    page.get_by_role("button", name="I have it on paper").click()
    expect(page.get_by_text("The guard stands.")).to_be_visible()
    stop_the_recovery_of_a_thief(page, card, tmp_path)

    (address,) = free_addresses(1)
    with (
        serve_wallet(
            tmp_path / "wallet",
            trust_anchors=town.trust_anchors,
            suggestions=town.suggestions,
            phone_address=address,
        ) as new,
        person(
            browser,
            viewport=PHONE,
            is_mobile=True,
            ignore_https_errors=True,
            # Browsers run none behind a certificate that nobody vouches for, and say so each time.
            service_workers="block",
        ) as phone,
    ):
        pair(phone, new.phone_link)
        phone.get_by_role("link", name="Bring it back").click()
        check_page(phone, "wallet-recover")
        show_qr_code(camera, card)
        phone.get_by_role("button", name="Start the camera").click()
        expect(phone.get_by_label("What the QR code of your recovery card")).to_have_value(card)
        phone.get_by_label("Recovery password").fill(PASSWORD)
        phone.get_by_label("New passphrase").fill(PASSPHRASE)
        phone.get_by_label("once more").fill(PASSPHRASE)
        phone.get_by_role("button", name="Bring it back").click()
        expect(phone.get_by_role("status")).to_contain_text("when the guard's time is over")
        check_view(phone, "wallet-recovering")
        page.goto(f"{stand.origin}/protection")
        expect(page.get_by_role("alert")).to_contain_text("another key in the place of yours")
        expect(phone.get_by_role("heading", name="Your credentials")).to_be_visible(timeout=WAIT_MS)
        expect(phone.get_by_text("手形 花子").first).to_be_visible()

        request = office.ask(["address"], purpose=PURPOSE)
        paste(phone, request.link)
        phone.get_by_role("button", name="Show this").click()
        expect(phone.get_by_role("status")).to_contain_text("seen exactly what was listed")
        assert office.wait(request.request_id).attributes == {"address": ADDRESS}
        phone.get_by_role("link", name="History", exact=True).click()
        expect(phone.get_by_role("main").get_by_role("listitem").first).to_contain_text(PURPOSE)
    with Wallet.open(tmp_path / "wallet", PASSPHRASE) as recovered:
        assert recovered.public_key != ""

    request = office.ask(["address"], purpose=PURPOSE)
    paste(page, request.link)
    page.get_by_role("button", name="Show this").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert re.fullmatch("pending|fetched", office.result(request.request_id).state)


def stop_the_recovery_of_a_thief(page: Page, card: str, folder: Path) -> None:
    """Somebody has card and password; the holder sees it at once, and stops it."""
    http = HttpClient()
    stolen = recover(parse_recovery_card(card), PASSWORD, http=http)
    with Wallet.recover(folder / "thief", PASSPHRASE, stolen, profile=CHEAPEST) as thief:
        agents = thief.escrow.signing_agents(stolen.success_key)
        opened = thief.recovery.open(agents)
        page.reload()
        expect(page.get_by_role("alert")).to_contain_text("another key in the place of yours")
        check_view(page, "wallet-threat")
        page.get_by_role("button", name="Stop it").click()
        expect(page.get_by_role("heading", name="Protection against loss")).to_be_visible()
        expect(page.get_by_role("alert")).to_have_count(0)
        state = agents.guard_state(thief.account.account_id)
        assert state.recovery is not None
        assert (state.recovery.record_id, state.recovery.state) == (opened.record_id, "vetoed")
    http.close()


def test_settings_and_lock(page: Page, stand: WalletStand) -> None:
    page.goto(f"{stand.origin}/settings")
    check_page(page, "wallet-settings")
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

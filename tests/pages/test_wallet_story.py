"""The whole story over the wallet's page, in Chromium, with real services.

Offer, consent, address only, history, revocation, refusal, loss, recovery: at a computer, and on a
phone that is paired over TLS and brings the lost wallet back. Services are started anew meanwhile.
"""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from support.browser import check_page, check_view, person
from support.fake_camera import show_qr_code
from support.wallet_stand import (
    PASSPHRASE,
    WalletStand,
    make_wallet,
    pair,
    paste,
    serve_wallet,
    shown_rows,
)
from support.wallet_town import WalletTown

from client_sdk.errors import ServiceRefusedError
from client_sdk.escrow.recovery import RecoveryFaceTest, recover
from client_sdk.escrow.recovery_card import parse_recovery_card
from client_sdk.face.portrait import PortraitOpening
from client_sdk.http.client import HttpClient
from client_sdk.issuer.client import IssuerClient
from client_sdk.sealing.hpke import SealingKey
from client_sdk.sealing.vault import CHEAPEST
from client_sdk.verifier.gateway_client import GatewayClient
from client_sdk.verifier.standing_client import StandingClient
from client_sdk.wallet import Wallet
from node.cli.demo.cast import example_resident
from node.cli.demo.free_ports import free_addresses

pytestmark = pytest.mark.xdist_group("wallet_page")

PURPOSE = "Certificate of residence"
PASSWORD = "Tsubaki-hinode-4821-kawara"
WAIT_MS = 90_000
PHONE = {"width": 390, "height": 844}
NAME, ADDRESS = "手形 花子", "青葉県青葉市緑町三丁目14番15号"


def test_the_whole_story(
    *,
    browser: Browser,
    wallet_town: WalletTown,
    city: IssuerClient,
    office: GatewayClient,
    camera: Path,
    tmp_path: Path,
) -> None:
    with (
        serve_wallet(
            tmp_path / "wallet",
            trust_anchors=wallet_town.trust_anchors,
            suggestions=wallet_town.suggestions,
        ) as stand,
        person(browser) as page,
    ):
        pair(page, stand.link)
        make_wallet_with_account(page, city)
        scan_and_accept_an_offer(page, city, camera)
        show_the_address_and_nothing_else(page, office)
        permit_for_a_year_look_and_revoke(page, wallet_town)
        card, portrait = protect(page, stand, wallet_town, tmp_path)
        sheets = back_up_on_paper(page, stand)
        bring_it_back_from_paper(browser, sheets, wallet_town, camera, tmp_path)
        stop_the_recovery_of_a_thief(page, card, portrait, wallet_town, tmp_path)
        recover_on_a_phone(
            page=page,
            stand=stand,
            browser=browser,
            town=wallet_town,
            office=office,
            camera=camera,
            card=card,
            portrait=portrait,
            folder=tmp_path,
        )
        # The wallet that was lost shows nothing any more.
        request = office.ask(["address"], purpose=PURPOSE)
        paste(page, request.link)
        page.get_by_role("button", name="Show this").click()
        expect(page.get_by_role("alert")).to_be_visible()
        assert re.fullmatch("pending|fetched", office.result(request.request_id).state)


def make_wallet_with_account(page: Page, city: IssuerClient) -> None:
    check_page(page, "wallet-welcome")
    make_wallet(page)
    page.get_by_role("link", name="Get one with a code").click()
    check_page(page, "wallet-account")
    page.get_by_label("Code from the counter").fill(city.enrol())
    page.get_by_role("button", name="Get the account").click()
    expect(page.get_by_text("Nothing is in your wallet yet.")).to_be_visible()


def scan_and_accept_an_offer(page: Page, city: IssuerClient, camera: Path) -> None:
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
    expect(page.get_by_text(NAME)).to_be_visible()
    check_page(page, "wallet-home")


def show_the_address_and_nothing_else(page: Page, office: GatewayClient) -> None:
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


def permit_for_a_year_look_and_revoke(page: Page, town: WalletTown) -> None:
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


def protect(page: Page, stand: WalletStand, town: WalletTown, folder: Path) -> tuple[str, Path]:
    """Protect the wallet; return the recovery card, and the file of the portrait kept with it."""
    page.goto(f"{stand.origin}/protection")
    check_page(page, "wallet-protection")
    page.get_by_label("Recovery password", exact=True).fill(PASSWORD)
    page.get_by_label("recovery password once more").fill(PASSWORD)
    page.get_by_label("How long a change of keys").fill("0.004")
    away = town.agents.names[0]
    town.agents.stop(away)
    page.get_by_role("button", name="Protect it now").click()
    expect(page.get_by_role("status")).to_contain_text(
        "cannot be reached just now", timeout=WAIT_MS
    )
    town.agents.start(away)
    expect(page.get_by_role("heading", name="Your recovery card")).to_be_visible(timeout=WAIT_MS)
    card = page.locator("#card-text").inner_text()
    check_page(page, "wallet-recovery-card")
    with page.expect_download() as download:
        page.get_by_role("link", name="Save the portrait for the face test").click()
    portrait = folder / "portrait.txt"
    download.value.save_as(portrait)
    page.get_by_role("button", name="I have it on paper").click()
    expect(page.get_by_text("The guard stands.")).to_be_visible()
    return card, portrait


def back_up_on_paper(page: Page, stand: WalletStand) -> list[str]:
    """Make two of three sheets; return what their QR codes hold."""
    page.get_by_role("link", name="Make a paper backup").click()
    check_page(page, "wallet-paper")
    page.get_by_label("Passphrase").fill("another one")
    page.get_by_role("button", name="Make the sheets").click()
    expect(page.get_by_role("alert")).to_contain_text("does not open this wallet")
    page.get_by_label("Passphrase").fill(PASSPHRASE)
    page.get_by_role("button", name="Make the sheets").click()
    expect(page.get_by_role("heading", name="Sheet 3 of 3")).to_be_visible()
    check_page(page, "wallet-paper-sheets")
    sheets = page.locator(".sheet-text").all_inner_texts()
    address = page.url
    page.get_by_role("button", name="I have them on paper").click()
    expect(page.get_by_text("The guard stands.")).to_be_visible()
    page.goto(address)
    expect(page.get_by_text("no longer kept")).to_be_visible()
    page.goto(f"{stand.origin}/protection")
    return sheets


def bring_it_back_from_paper(
    browser: Browser, sheets: list[str], town: WalletTown, camera: Path, folder: Path
) -> None:
    with (
        serve_wallet(folder / "paper", trust_anchors=town.trust_anchors) as stand,
        person(browser) as page,
    ):
        pair(page, stand.link)
        page.get_by_role("link", name="Bring it back").click()
        page.get_by_role("link", name="I have sheets of a paper backup").click()
        check_page(page, "wallet-recover-paper")
        field = page.get_by_label("What the QR codes of your sheets hold")
        for place, seen in ((2, sheets[2:]), (0, [sheets[2], sheets[0]])):
            show_qr_code(camera, sheets[place])
            page.get_by_role("button", name="Start the camera").click()
            expect(field).to_have_value("".join(f"{sheet}\n" for sheet in seen))
        page.get_by_label("New passphrase").fill(PASSPHRASE)
        page.get_by_label("once more").fill(PASSPHRASE)
        field.fill(sheets[1])
        page.get_by_role("button", name="Bring it back").click()
        expect(page.get_by_role("alert")).to_contain_text("These sheets are too few")
        field.fill(f"{sheets[2]} {sheets[0]}")
        page.get_by_label("New passphrase").fill(PASSPHRASE)
        page.get_by_label("once more").fill(PASSPHRASE)
        page.get_by_role("button", name="Bring it back").click()
        expect(page.get_by_text(NAME)).to_be_visible()
        expect(page.get_by_text("still bound to the key that was lost")).to_be_visible()


def stop_the_recovery_of_a_thief(
    page: Page, card: str, portrait: Path, town: WalletTown, folder: Path
) -> None:
    """Somebody has card, password and face; the holder sees it at once, and stops it."""
    opening = PortraitOpening.parse(portrait.read_text())

    def show_face(wanted: RecoveryFaceTest) -> str:
        return town.faces.have_tested(wanted.with_portrait(opening))

    http = HttpClient()
    stolen = recover(parse_recovery_card(card), PASSWORD, http=http, face_test=show_face)
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


def recover_on_a_phone(
    *,
    page: Page,
    stand: WalletStand,
    browser: Browser,
    town: WalletTown,
    office: GatewayClient,
    camera: Path,
    card: str,
    portrait: Path,
    folder: Path,
) -> None:
    (address,) = free_addresses(1)
    with (
        serve_wallet(
            folder / "recovered",
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
        phone.get_by_text("My agents want to see my face").click()
        phone.get_by_label("Portrait file").set_input_files(portrait)
        phone.get_by_role("button", name="Bring it back").click()
        away = show_the_face_while_agents_are_away(phone, town)
        # Two of three are enough; while a third one starts the guard's time could go by.
        town.agents.start(away[0])
        expect(phone.get_by_role("status")).to_contain_text(
            "when the guard's time is over", timeout=WAIT_MS
        )
        page.goto(f"{stand.origin}/protection")
        expect(page.get_by_role("alert")).to_contain_text("another key in the place of yours")
        check_view(phone, "wallet-recovering")
        expect(phone.get_by_role("heading", name="Your credentials")).to_be_visible(timeout=WAIT_MS)
        expect(phone.get_by_text(NAME).first).to_be_visible()
        town.agents.start(away[1])
        show_the_address_and_nothing_else_on_a_phone(phone, office)
    with Wallet.open(folder / "recovered", PASSPHRASE) as recovered:
        assert recovered.public_key != ""


def show_the_face_while_agents_are_away(phone: Page, town: WalletTown) -> tuple[str, ...]:
    """Stop two agents, pass the face test, see that they are waited for; return their names."""
    link = phone.get_by_role("link", name="Open the page with the camera")
    expect(link).to_be_visible(timeout=WAIT_MS)
    check_view(phone, "wallet-recovery-face")
    away = town.agents.names[1:]
    for name in away:
        town.agents.stop(name)
    with phone.context.expect_page() as opened:
        link.click()
    opened.value.get_by_role("button").filter(has_text=re.compile("start the camera")).click()
    expect(opened.value.get_by_role("heading", name="You passed")).to_be_visible(timeout=WAIT_MS)
    opened.value.close()
    expect(phone.get_by_role("status")).to_contain_text(
        "cannot be reached just now", timeout=WAIT_MS
    )
    return away


def show_the_address_and_nothing_else_on_a_phone(phone: Page, office: GatewayClient) -> None:
    request = office.ask(["address"], purpose=PURPOSE)
    paste(phone, request.link)
    assert shown_rows(phone) == {"Address": ADDRESS}
    phone.get_by_role("button", name="Show this").click()
    expect(phone.get_by_role("status")).to_contain_text("seen exactly what was listed")
    assert office.wait(request.request_id).attributes == {"address": ADDRESS}
    phone.get_by_role("link", name="History", exact=True).click()
    expect(phone.get_by_role("main").get_by_role("listitem").first).to_contain_text(PURPOSE)

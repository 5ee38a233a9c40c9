"""The counter's pages, and the one that lets a wallet in, in a real browser."""

import re
from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect
from support.authorizing import Authorizing, query_of
from support.browser import (
    MAX_FIRST_VIEW_BYTES,
    check_page,
    check_view,
    first_view_bytes,
    log_in,
    person,
    reset,
    serve_in_thread,
)
from support.card_world import CardWorld
from support.face_stand import FaceStand, RunningClock, serve_faces
from support.issuer_world import JPEG, RESIDENT
from support.logins import PASSWORD, PASSWORD_HASH
from support.virtual_card import ADDRESS, NAME, NUMBER_B, Authority, VirtualCard
from support.virtual_card import PASSWORD as CARD_PASSWORD

from client_sdk.http.client import HttpClient
from client_sdk.ledger.account_key import AccountKey
from node.card_reader.app import create_app as create_reader
from node.cli.demo.free_ports import free_addresses
from node.issuer.config import FaceTestConfig
from node.web.logins import LoginConfig

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

pytestmark = pytest.mark.xdist_group("browser")

CLOCK: Final = RunningClock()
PORTRAIT: Final = {"name": "portrait.jpg", "mimeType": "image/jpeg", "buffer": JPEG}


@pytest.fixture(scope="module")
def faces() -> Iterator[FaceStand]:
    with serve_faces(CLOCK) as faces:
        yield faces


@pytest.fixture(scope="module")
def address() -> str:
    """Where the issuer's service is."""
    return free_addresses(1)[0]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def reader(address: str, authority: Authority) -> Iterator[str]:
    """The card reader of the desk, on which a card lies; its URL."""
    card = VirtualCard(authority)
    with serve_in_thread(create_reader(f"http://{address}", lambda: nullcontext(card))) as url:
        yield url


@pytest.fixture(scope="module")
def world(
    *,
    tmp_path_factory: pytest.TempPathFactory,
    address: str,
    authority: Authority,
    reader: str,
    faces: FaceStand,
) -> Iterator[CardWorld]:
    """A city whose desks have card readers, and which tests faces before it offers anything."""
    folder = tmp_path_factory.mktemp("issuer")
    trusted = faces.world.trust(folder)
    made = CardWorld(
        folder,
        authority,
        public_url=f"http://{address}",
        reader=reader,
        face=FaceTestConfig.model_validate({**trusted, "url": faces.url, "at": "counter"}),
        face_http=HttpClient(),
        clock=CLOCK,
        logins=(LoginConfig(name="sato", password_hash=PASSWORD_HASH),),
    )
    made.issue()
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def url(world: CardWorld, address: str) -> Iterator[str]:
    with serve_in_thread(world.app, listen=address) as url:
        yield url


@pytest.fixture(scope="module")
def counter(browser: Browser, url: str) -> Iterator[Page]:
    with person(browser) as page:
        log_in(page, f"{url}/counter/", "sato", PASSWORD)
        yield page


@pytest.fixture
def page(counter: Page, url: str) -> Page:
    """The browser of somebody who is logged in, on the first page."""
    reset(counter)
    counter.goto(f"{url}/counter/")
    return counter


def come_back(_environ: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
    """Answer as a wallet does to which the browser comes back."""
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
    return [b"<!DOCTYPE html><title>Back</title>"]


def read_card(page: Page, password: str = CARD_PASSWORD) -> None:
    page.get_by_label("Password of the card's signing key").fill(password)
    page.get_by_label("Number B").fill(NUMBER_B)
    page.keyboard.press("Enter")


def test_a_card_is_read_and_a_face_tested_before_the_offer(page: Page) -> None:
    check_page(page, "issuer-offer")
    read_card(page)
    expect(page.get_by_role("heading", name="What the card proves")).to_be_visible()
    for text in (NAME, ADDRESS, "read from the card"):
        expect(page.get_by_text(text)).to_be_visible()
    check_view(page, "issuer-person")
    page.get_by_role("button", name="Test the face").press("Enter")
    expect(page.get_by_role("img", name="QR code of the face test")).to_be_visible()
    check_view(page, "issuer-face")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Open the page with the camera").press("Enter")
    opened.value.get_by_role("button").filter(has_text=re.compile("start the camera")).click()
    expect(opened.value.get_by_role("heading", name="You passed")).to_be_visible()
    opened.value.close()
    # The page goes on by itself.
    expect(page.get_by_role("img", name="QR code of the offer")).to_be_visible()
    check_view(page, "issuer-offer-made")


def test_a_person_is_tested_on_her_phone_and_reviewed(
    page: Page, browser: Browser, faces: FaceStand
) -> None:
    papers = page.get_by_role("region", name="By papers")
    papers.get_by_label("Name").fill(RESIDENT["name"])
    papers.get_by_label("Address").fill(RESIDENT["address"])
    papers.get_by_label("Municipality").fill(RESIDENT["municipality"])
    papers.get_by_label("Date of birth").fill(RESIDENT["birth_date"])
    papers.get_by_label("Portrait").set_input_files(PORTRAIT)
    papers.get_by_label("A colleague reviews it").check()
    papers.get_by_role("button", name="Test the face").click()
    link = page.get_by_role("link", name="Open the page with the camera").get_attribute("href")
    faces.follow(str(link))
    expect(page.get_by_role("img", name="QR code of the offer")).to_be_visible()
    code = page.locator("dd").nth(2).inner_text()
    page.get_by_role("link", name="Review").click()
    page.get_by_label("Review code").fill(code)
    page.keyboard.press("Enter")
    expect(page.get_by_text(RESIDENT["address"])).to_be_visible()
    check_view(page, "issuer-review")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("status")).to_contain_text("approved")


def test_a_wrong_password_is_told_and_stays_at_the_desk(page: Page, reader: str) -> None:
    sent: list[str] = []
    page.on("request", lambda request: sent.append(f"{request.url} {request.post_data}"))
    read_card(page, "WRONG1")
    refusal = page.get_by_role("alert")
    expect(refusal).to_contain_text("The password is wrong.")
    expect(refusal).to_contain_text("tries are left")
    check_view(page, "issuer-wrong-password")
    assert any("WRONG1" in text for text in sent)
    assert [text for text in sent if "WRONG1" in text and not text.startswith(reader)] == []
    page.route(f"{reader}/**", lambda route: route.abort())
    read_card(page)
    expect(refusal).to_contain_text("does not answer")
    page.unroute(f"{reader}/**")


def test_a_credential_is_suspended_and_revoked_by_keyboard(page: Page, world: CardWorld) -> None:
    page.get_by_role("link", name="Credentials").click()
    check_page(page, "issuer-credentials")
    row = page.get_by_role("row").filter(has_text="case-1")
    for word, button, state in (
        ("Suspend", "Suspend it", "suspended"),
        ("Revoke", "Revoke it for good", "revoked"),
    ):
        row.get_by_text(word, exact=True).press("Enter")
        row.get_by_role("button", name=button).press("Enter")
        expect(row).to_contain_text(state)
    (credential,) = world.store.credentials.page(reference="case-1", after=0, limit=2)
    assert credential.state == "revoked"
    page.get_by_role("link", name="Batches").click()
    check_page(page, "issuer-batches")


def test_an_enrolment_code_makes_an_account(page: Page, world: CardWorld) -> None:
    page.get_by_role("button", name="Make an enrolment code").click()
    code = page.locator("figcaption code").inner_text()
    check_view(page, "issuer-enrolment")
    assert world.enrol(code, AccountKey.generate()).status_code == 201


def test_a_resident_lets_a_wallet_have_the_credential(
    browser: Browser, world: CardWorld, url: str
) -> None:
    with serve_in_thread(come_back) as callback, person(browser) as page:
        wallet = Authorizing(world, redirect_uri=f"{callback}/callback")
        query = {"client_id": wallet.client_id, "request_uri": wallet.pushed()}
        page.goto(f"{url}/authorize?{urlencode(query)}")
        expect(page.get_by_text("The wallet “tegata-wallet” asks for this")).to_be_visible()
        check_page(page, "issuer-authorize")
        page.get_by_label("The six digits from the counter").fill("000000")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("The code is wrong")
        check_view(page, "issuer-authorize-refused")
        page.get_by_label("The six digits from the counter").fill(wallet.offer["tx_code"])
        page.get_by_role("button", name="Approve").press("Enter")
        page.wait_for_url(f"{callback}/callback?*")
        (code,) = query_of(page.url)["code"]
        assert wallet.token(code).status_code == 200
        page.goto(f"{url}/authorize?{urlencode(query)}")
        expect(page.get_by_role("alert")).to_contain_text("begin again in your wallet")
        query["request_uri"] = wallet.pushed()
        page.goto(f"{url}/authorize?{urlencode(query)}")
        page.get_by_role("button", name="Decline").press("Enter")
        page.wait_for_url(f"{callback}/callback?*error=access_denied*")


def test_who_comes_first_loads_little(browser: Browser, page: Page, url: str) -> None:
    cookies = page.context.cookies()
    assert first_view_bytes(browser, f"{url}/counter/", cookies) < MAX_FIRST_VIEW_BYTES

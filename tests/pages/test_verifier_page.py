"""The verifier's pages in a real browser: a whole request, live, and nobody shut out."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
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
from support.gateway_world import GatewayWorld
from support.logins import PASSWORD
from support.presentation_world import ATTRIBUTES

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    world = GatewayWorld(tmp_path_factory.mktemp("gateway"), logins={"aiko": "city"})
    yield world
    world.close()


@pytest.fixture(scope="module")
def url(gateway: GatewayWorld) -> Iterator[str]:
    with serve_in_thread(gateway.app, threads=16) as url:
        yield url
        gateway.events.feed.stop()


@pytest.fixture(scope="module")
def logged_in(browser: Browser, url: str) -> Iterator[Page]:
    with person(browser) as page:
        log_in(page, f"{url}/verifier/", "aiko", PASSWORD)
        yield page


@pytest.fixture
def page(logged_in: Page, url: str) -> Page:
    """The browser of somebody who is logged in, on the first page."""
    reset(logged_in)
    logged_in.goto(f"{url}/verifier/")
    return logged_in


def test_a_request_is_followed_live(page: Page, gateway: GatewayWorld) -> None:
    check_page(page, "verifier-ask")
    page.get_by_role("button", name="Ask", description="Certificate of residence").click()
    page.wait_for_url("**/verifier/requests/*")
    expect(page.get_by_role("img", name="QR code of the request")).to_be_visible()
    check_page(page, "verifier-request")
    # As a proxy answers while the gateway is started anew.
    answers = [503]
    page.route(
        re.compile("/events"),
        lambda route: route.fulfill(status=answers.pop()) if answers else route.continue_(),
    )
    page.reload()
    request_id = page.url.partition("?")[0].rpartition("/")[2]
    stored = gateway.store.find(request_id)
    assert stored is not None
    form = gateway.answer({"id": request_id, "link": gateway.presentations.link(stored)})
    expect(page.locator("[data-step=fetched]")).to_have_attribute("aria-current", "step")
    gateway.client.post(f"/oid4vp/responses/{request_id}", data=form)
    # The page loads itself again.
    expect(page.get_by_text(str(ATTRIBUTES["address"]))).to_be_visible()
    expect(
        page.get_by_role("listitem").filter(has_text="The holder's grant is in force")
    ).to_contain_text("passed")
    check_page(page, "verifier-result")
    page.get_by_role("link", name="History").click()
    check_page(page, "verifier-history")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export as CSV").click()
    assert request_id in Path(download.value.path()).read_text(encoding="utf-8-sig")


def test_a_key_is_made_and_revoked_by_keyboard(page: Page, url: str) -> None:
    page.goto(f"{url}/verifier/keys")
    page.get_by_label("Note").fill("Kiosk")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("tegata_")
    check_view(page, "verifier-key-made")
    page.goto(f"{url}/verifier/keys")
    check_page(page, "verifier-keys")
    row = page.get_by_role("row").filter(has_text="Kiosk")
    row.get_by_text("Revoke", exact=True).press("Enter")
    row.get_by_role("button", name="Revoke the key").press("Enter")
    expect(page.get_by_role("row").filter(has_text="Kiosk")).to_contain_text("revoked")


def test_the_interface_shuts_nobody_out(browser: Browser, url: str) -> None:
    with person(browser) as page:
        page.goto(f"{url}/docs")
        page.get_by_text("POST /requests").first.click()
        expect(page.get_by_role("heading", name="Body", exact=True)).to_be_visible()
        check_view(page, "interface")


def test_who_comes_first_loads_little(browser: Browser, page: Page, url: str) -> None:
    cookies = page.context.cookies()
    assert first_view_bytes(browser, f"{url}/verifier/", cookies) < MAX_FIRST_VIEW_BYTES


def test_the_login_page_shuts_nobody_out(browser: Browser, url: str) -> None:
    with person(browser) as page:
        page.goto(f"{url}/login")
        check_page(page, "login")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()

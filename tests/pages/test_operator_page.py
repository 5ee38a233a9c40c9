"""The operator's pages in a real browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from support.browser import (
    MAX_FIRST_VIEW_BYTES,
    check_page,
    first_view_bytes,
    log_in,
    person,
    reset,
    serve_in_thread,
)
from support.logins import PASSWORD
from support.observer_world import ObserverWorld

from client_sdk.ledger.account_key import AccountKey

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObserverWorld]:
    made = ObserverWorld(tmp_path_factory.mktemp("observer"))
    for number in range(12):
        holder = made.enrol(f"h{number:02}")
        made.pass_days(1)
        if number % 2 == 0:
            made.show(holder, "0" * 32)
    made.recover("h00@holder", AccountKey.generate().public_key)
    made.pass_days(1)
    made.reader.catch_up()
    yield made
    made.close()


@pytest.fixture(scope="module")
def url(world: ObserverWorld) -> Iterator[str]:
    with serve_in_thread(world.app) as url:
        yield url


@pytest.fixture(scope="module")
def logged_in(browser: Browser, url: str) -> Iterator[Page]:
    with person(browser) as page:
        log_in(page, f"{url}/", "ito", PASSWORD)
        yield page


@pytest.fixture
def page(logged_in: Page, url: str) -> Page:
    """The browser of somebody who is logged in, on the first page."""
    reset(logged_in)
    logged_in.goto(f"{url}/")
    return logged_in


def test_the_operator_looks_around(page: Page, world: ObserverWorld) -> None:
    expect(page.get_by_text("The node is healthy.")).to_be_visible()
    check_page(page, "operator-overview")
    page.get_by_label("Find").fill(str(world.ledger.height()))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Block")
    check_page(page, "operator-block")
    page.get_by_role("link", name="Adoption").click()
    expect(page.get_by_text("enrolled: 12")).to_be_visible()
    page.get_by_text("The numbers of").click()
    expect(page.get_by_role("table")).to_be_visible()
    check_page(page, "operator-adoption")
    page.get_by_role("link", name="Blocks").first.click()
    check_page(page, "operator-blocks")
    page.get_by_role("link", name="Accounts").first.click()
    check_page(page, "operator-accounts")
    page.get_by_role("link", name="h00@holder").click()
    expect(page.get_by_text("tg_seen_")).to_be_visible()
    check_page(page, "operator-account")


def test_who_comes_first_loads_little(browser: Browser, page: Page, url: str) -> None:
    cookies = page.context.cookies()
    assert first_view_bytes(browser, f"{url}/", cookies) < MAX_FIRST_VIEW_BYTES

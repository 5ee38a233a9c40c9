"""The counter's pages in a real browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from support.browser import (
    MAX_FIRST_VIEW_BYTES,
    check_page,
    check_view,
    first_view_bytes,
    log_in,
    person,
    serve_in_thread,
)
from support.issuer_world import RESIDENT, IssuerWorld
from support.logins import PASSWORD, PASSWORD_HASH

from client_sdk.ledger.account_key import AccountKey
from node.web.logins import LoginConfig

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IssuerWorld]:
    made = IssuerWorld(
        tmp_path_factory.mktemp("issuer"),
        public_url="http://127.0.0.1:8081",
        logins=(LoginConfig(name="sato", password_hash=PASSWORD_HASH),),
    )
    made.issue()
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def url(world: IssuerWorld) -> Iterator[str]:
    with serve_in_thread(world.app) as url:
        yield url


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    with person(browser) as page:
        log_in(page, f"{url}/counter/", "sato", PASSWORD)
        yield page


def test_a_person_is_offered_a_credential_and_reviewed(page: Page) -> None:
    check_page(page, "issuer-offer")
    main = page.get_by_role("main")
    main.get_by_label("Name").fill(RESIDENT["name"])
    main.get_by_label("Address").fill(RESIDENT["address"])
    main.get_by_label("Municipality").fill(RESIDENT["municipality"])
    main.get_by_label("Date of birth").fill(RESIDENT["birth_date"])
    main.get_by_label("A colleague reviews it").check()
    main.get_by_role("button", name="Offer", exact=True).click()
    expect(page.get_by_role("img", name="QR code of the offer")).to_be_visible()
    check_view(page, "issuer-offer-made")
    code = page.locator("dd").nth(2).inner_text()
    page.get_by_role("link", name="Review").click()
    page.get_by_label("Review code").fill(code)
    page.keyboard.press("Enter")
    expect(page.get_by_text(RESIDENT["address"])).to_be_visible()
    check_view(page, "issuer-review")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("status")).to_contain_text("approved")


def test_a_credential_is_suspended_and_revoked_by_keyboard(page: Page, world: IssuerWorld) -> None:
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


def test_an_enrolment_code_makes_an_account(page: Page, world: IssuerWorld) -> None:
    page.get_by_role("button", name="Make an enrolment code").click()
    code = page.locator("figcaption code").inner_text()
    check_view(page, "issuer-enrolment")
    assert world.enrol(code, AccountKey.generate()).status_code == 201


def test_who_comes_first_loads_little(browser: Browser, page: Page, url: str) -> None:
    cookies = page.context.cookies()
    assert first_view_bytes(browser, f"{url}/counter/", cookies) < MAX_FIRST_VIEW_BYTES

"""Services that are started anew while somebody uses the wallet's page: a wait, and no error."""

import pytest
from playwright.sync_api import Page, expect
from support.browser import check_view, person
from support.wallet_stand import paste
from support.wallet_town import WalletTown

from client_sdk.issuer.client import IssuerClient
from client_sdk.verifier.gateway_client import FaceTestDemand, GatewayClient
from node.cli.demo.cast import example_resident

pytestmark = pytest.mark.xdist_group("wallet_page")

PURPOSE = "Certificate of residence"
WAIT_MS = 90_000
ADDRESS = "青葉県青葉市緑町三丁目14番15号"


def test_an_issuer_that_restarts_is_a_wait_and_no_error(
    page: Page, wallet_town: WalletTown, city: IssuerClient
) -> None:
    offer = city.offer(example_resident())
    paste(page, offer.link)
    page.get_by_label("Code that you were given").fill(offer.tx_code)
    wallet_town.stop("issuer")
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_role("status")).to_contain_text(
        "cannot be reached just now", timeout=WAIT_MS
    )
    wallet_town.start("issuer")
    expect(page.get_by_role("heading", name="Residence credential")).to_be_visible(timeout=WAIT_MS)


@pytest.mark.parametrize("service", ["gateway", "node"])
def test_a_service_that_restarts_is_a_wait_and_no_error(
    page: Page, wallet_town: WalletTown, office: GatewayClient, service: str
) -> None:
    request = office.ask(["address"], purpose=PURPOSE)
    paste(page, request.link)
    wallet_town.stop(service)
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
            wallet_town.start(service)
            expect(other.get_by_role("heading", name="Who saw what")).to_be_visible(timeout=WAIT_MS)
    else:
        wallet_town.start(service)
    expect(page.get_by_role("heading", name="Shown")).to_be_visible(timeout=WAIT_MS)
    assert office.wait(request.request_id).attributes == {"address": ADDRESS}


def test_a_face_service_that_restarts_is_a_wait_and_a_new_link(
    page: Page, wallet_town: WalletTown, office: GatewayClient
) -> None:
    request = office.ask(["address"], purpose=PURPOSE, face=FaceTestDemand())
    paste(page, request.link)
    wallet_town.faces.stop()
    page.get_by_role("button", name="Show this").click()
    expect(page.get_by_role("status")).to_contain_text(
        "cannot be reached just now", timeout=WAIT_MS
    )
    wallet_town.faces.start()
    link = page.get_by_role("link", name="Open the page with the camera")
    expect(link).to_be_visible(timeout=WAIT_MS)
    forgotten = str(link.get_attribute("href"))
    wallet_town.faces.stop()
    wallet_town.faces.start()
    expect(link).not_to_have_attribute("href", forgotten, timeout=WAIT_MS)
    wallet_town.faces.follow(str(link.get_attribute("href")))
    expect(page.get_by_role("heading", name="Shown")).to_be_visible(timeout=WAIT_MS)
    assert office.wait(request.request_id).attributes == {"address": ADDRESS}

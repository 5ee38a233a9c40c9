"""One browser for all pages, and one town for the wallet's."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from support.browser import chromium, person, reset
from support.face_stand import FaceStand, serve_faces
from support.fake_camera import show_qr_code
from support.resident_wallet import resident_wallet
from support.wallet_stand import PASSPHRASE, WalletStand, pair, serve_wallet
from support.wallet_town import WalletTown

from client_sdk.issuer.client import IssuerClient
from client_sdk.verifier.gateway_client import GatewayClient
from node.cli.demo.cast import example_resident


@pytest.fixture(scope="session")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the browser's camera sees; it is read when a page starts the camera."""
    seen = tmp_path_factory.mktemp("camera") / "seen.y4m"
    show_qr_code(seen, "nothing yet")
    return seen


@pytest.fixture(scope="session")
def browser(camera: Path) -> Iterator[Browser]:
    """Debian's Chromium, with a camera."""
    with chromium(
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera}",
    ) as browser:
        yield browser


@pytest.fixture(scope="session")
def faces() -> Iterator[FaceStand]:
    """A face service that takes everybody for who they say they are."""
    with serve_faces() as faces:
        yield faces


# What follows is of the wallet's pages: they are of one group, so that one worker has the town.


@pytest.fixture(scope="session")
def wallet_town(tmp_path_factory: pytest.TempPathFactory, faces: FaceStand) -> Iterator[WalletTown]:
    with WalletTown(tmp_path_factory.mktemp("wallet_town"), faces) as town:
        yield town


@pytest.fixture(scope="session")
def city(wallet_town: WalletTown) -> Iterator[IssuerClient]:
    with IssuerClient(wallet_town.issuer_url, wallet_town.operator_token) as city:
        yield city


@pytest.fixture(scope="session")
def office(wallet_town: WalletTown) -> Iterator[GatewayClient]:
    with GatewayClient(wallet_town.gateway_url, wallet_town.api_key) as office:
        yield office


@pytest.fixture(scope="session")
def stand(
    wallet_town: WalletTown, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WalletStand]:
    """The page of a wallet with an account and a credential; it was not made by the page."""
    path = tmp_path_factory.mktemp("home") / "wallet"
    with resident_wallet(
        path,
        wallet_town,
        example_resident(),
        passphrase=PASSPHRASE,
        torii=wallet_town.torii_tls,
        root_certificates=wallet_town.root_certificates,
    ):
        pass
    with serve_wallet(path, suggestions=wallet_town.suggestions) as stand:
        yield stand


@pytest.fixture(scope="session")
def paired_page(browser: Browser, stand: WalletStand) -> Iterator[Page]:
    with person(browser) as page:
        pair(page, stand.link)
        yield page


@pytest.fixture
def page(paired_page: Page, stand: WalletStand) -> Page:
    """A browser that is paired with that wallet, which is unlocked, on its first page."""
    if not stand.desk.keeper.is_open:
        stand.desk.keeper.unlock(PASSPHRASE)
    paired_page.context.set_offline(False)
    reset(paired_page)
    paired_page.goto(stand.origin)
    return paired_page

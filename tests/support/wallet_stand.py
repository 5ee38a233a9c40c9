"""A wallet's page that is served for tests: in this process, with keys that are cheap to guess."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page

from client_sdk.sealing.vault import CHEAPEST
from node.wallet.app import create_app
from node.wallet.desk import Desk, Suggestions
from node.wallet.devices import Devices
from node.wallet.keeper import IDLE_S, WalletKeeper
from node.wallet.my_number_card import CardReader
from node.wallet.pairing import PhoneAccess, pairing_link, prepare_phone
from node.wallet.serving import PhoneServer
from node.web.server import WebServer, bind

PASSPHRASE = "three words for tests"


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletStand:
    """The page of one wallet.

    Attributes:
        desk: The wallet, and what is under way.
        origin: Where browsers of this machine reach it.
        address: `host:port` that it listens on.
        phone: How phones reach it; None where they do not.
    """

    desk: Desk
    origin: str
    address: str
    phone: PhoneAccess | None

    @property
    def link(self) -> str:
        """A new link that pairs a browser of this machine."""
        return f"{self.origin}/pair?code={self.desk.devices.new_code()}"

    @property
    def phone_link(self) -> str:
        """A new link that pairs a phone."""
        assert self.phone is not None
        return pairing_link(self.phone, self.desk.devices.new_code())


@contextmanager
def serve_wallet(
    path: Path,
    *,
    trust_anchors: str = "",
    suggestions: Suggestions | None = None,
    phone_address: str | None = None,
    idle_s: float = IDLE_S,
    card_reader: CardReader | None = None,
) -> Iterator[WalletStand]:
    """Serve the page of the wallet in a file, which need not exist."""
    keeper = WalletKeeper(
        path,
        trust_anchors=trust_anchors,
        profile=CHEAPEST,
        backup_profile=CHEAPEST,
        timeout_s=3,
        idle_s=idle_s,
    )
    devices = Devices(path.with_name(f"{path.name}.devices"))
    phone = None
    if phone_address is not None:
        host, port = phone_address.split(":")
        phone = prepare_phone(path, host, int(port))
    desk = Desk(
        keeper,
        devices,
        suggestions=suggestions or Suggestions(),
        phone=phone,
        card_reader=card_reader,
    )
    listener = bind("127.0.0.1:0")
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    origin = f"http://{devices.host}:{listener.getsockname()[1]}"
    server = WebServer(create_app(desk, origin=origin), address, listener=listener)
    runner = threading.Thread(target=server.run)
    runner.start()
    try:
        stand = WalletStand(desk=desk, origin=origin, address=address, phone=phone)
        if phone is None or phone_address is None:
            yield stand
            return
        with PhoneServer(create_app(desk, origin=phone.origin), phone, listen=phone_address):
            yield stand
    finally:
        desk.jobs.stop_all()
        server.stop()
        runner.join()
        keeper.lock()


def pair(page: Page, link: str) -> None:
    """Pair a browser, whose language is English."""
    page.goto(link)
    page.get_by_role("button", name="Pair this browser").click()
    page.wait_for_url(lambda at: "/pair" not in at)


def make_wallet(page: Page) -> None:
    """Make a wallet at the page that a paired browser is shown first."""
    page.get_by_label("Passphrase", exact=True).fill(PASSPHRASE)
    page.get_by_label("once more").fill(PASSPHRASE)
    page.get_by_role("button", name="Make the wallet").click()
    page.get_by_role("heading", name="Your credentials").wait_for()


def paste(page: Page, link: str) -> None:
    """Paste a link at the page that scans."""
    page.get_by_role("link", name="Scan", exact=True).click()
    page.get_by_label("Link of an offer").fill(link)
    page.get_by_role("button", name="Open").click()
    page.wait_for_url(lambda at: "/scan" not in at)


def shown_rows(page: Page) -> dict[str, str]:
    """Return what a consent page says that it shows."""
    rows = page.locator("dl.shown > div")
    return {row.locator("dt").inner_text(): row.locator("dd").inner_text() for row in rows.all()}

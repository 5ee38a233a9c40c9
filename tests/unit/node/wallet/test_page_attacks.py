"""What strangers try at a wallet's page: other users of the computer, other sites, other hosts."""

import re
import stat
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from support.wallet_stand import PASSPHRASE, WalletStand, serve_wallet

from node.cli.demo.free_ports import free_addresses

PAGES = ("/", "/unlock", "/welcome", "/history", "/grants", "/protection", "/settings", "/recovery")
ACTIONS = (
    "/unlock",
    "/lock",
    "/welcome",
    "/links",
    "/account",
    "/protection",
    "/protection/veto",
    "/recovery",
    "/settings/phone",
    "/settings/ledger",
    "/scan/picture",
)


@pytest.fixture(scope="module")
def phone_address() -> str:
    (address,) = free_addresses(1)
    return address


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory, phone_address: str) -> Iterator[WalletStand]:
    folder = tmp_path_factory.mktemp("wallet")
    with serve_wallet(folder / "wallet", phone_address=phone_address) as stand:
        stand.desk.keeper.create(PASSPHRASE)
        yield stand


class Pinned(HTTPAdapter):
    """Speaks TLS with the one certificate that a fingerprint names, whoever signed it."""

    def __init__(self, fingerprint: str) -> None:
        self._fingerprint = fingerprint
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the connections."""
        super().init_poolmanager(*args, **options, assert_fingerprint=self._fingerprint)

    def cert_verify(self, conn: Any, *_options: Any, **_more: Any) -> None:
        """Leave it to the fingerprint."""
        conn.cert_reqs = "CERT_NONE"


class Somebody:
    """A client of the page that says which host it means."""

    def __init__(self, stand: WalletStand, *, host: str | None = None) -> None:
        self.stand = stand
        self.session = requests.Session()
        self.session.headers["Host"] = host or stand.origin.removeprefix("http://")

    def get(self, path: str) -> requests.Response:
        return self.session.get(
            f"http://{self.stand.address}{path}", allow_redirects=False, timeout=10
        )

    def post(self, path: str, **form: str) -> requests.Response:
        return self.session.post(
            f"http://{self.stand.address}{path}", data=form, allow_redirects=False, timeout=10
        )

    def token(self, path: str = "/settings") -> str:
        """Return the token of the forms on a page."""
        found = re.search('name="csrf_token" value="([^"]+)"', self.get(path).text)
        assert found is not None
        return found[1]

    def pair(self) -> None:
        code = self.stand.desk.devices.new_code()
        token = self.token(f"/pair?code={code}")
        assert self.post("/pair", csrf_token=token, code=code).status_code == 303


@pytest.fixture
def stranger(stand: WalletStand) -> Somebody:
    """Another user of this computer, who knows the address and even the host name."""
    return Somebody(stand)


@pytest.fixture
def holder(stand: WalletStand) -> Somebody:
    paired = Somebody(stand)
    paired.pair()
    return paired


def test_the_holders_browser_sees_the_wallet(holder: Somebody) -> None:
    assert holder.get("/").status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_another_user_of_the_computer_sees_nothing(stranger: Somebody, path: str) -> None:
    answer = stranger.get(path)
    assert answer.status_code == 403
    assert "not paired" in answer.text


@pytest.mark.parametrize("path", ACTIONS)
def test_another_user_of_the_computer_does_nothing(stranger: Somebody, path: str) -> None:
    token = stranger.token("/pair")
    answer = stranger.post(path, csrf_token=token, passphrase=PASSPHRASE)
    assert answer.status_code == 403


@pytest.mark.parametrize("path", ACTIONS)
def test_another_site_does_nothing_with_the_holders_cookie(holder: Somebody, path: str) -> None:
    for token in ({}, {"csrf_token": "guessed"}):
        assert holder.post(path, **token).status_code == 400
    assert holder.stand.desk.keeper.is_open


def test_the_token_of_one_browser_is_nothing_in_another(
    holder: Somebody, stranger: Somebody
) -> None:
    token = stranger.token("/pair")
    assert holder.post("/lock", csrf_token=token).status_code == 400


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "evil.example", "tegata-0000000000000000.localhost"]
)
def test_a_name_of_others_that_leads_here_is_refused(stand: WalletStand, host: str) -> None:
    """DNS rebinding: the browser of a page of `evil.example` is led to this address."""
    port = stand.address.rpartition(":")[2]
    rebound = Somebody(stand, host=f"{host}:{port}")
    for path in ("/", "/pair", "/manifest.webmanifest", "/assets/wallet/wallet.css"):
        answer = rebound.get(path)
        assert answer.status_code == 400, path
        assert stand.desk.devices.host not in answer.text


def test_the_cookie_is_for_this_site_alone(stand: WalletStand) -> None:
    browser = Somebody(stand)
    code = stand.desk.devices.new_code()
    token = browser.token(f"/pair?code={code}")
    cookie = browser.post("/pair", csrf_token=token, code=code).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    # Without a domain it is sent to this host name alone, which no other server here has.
    assert "Domain" not in cookie


def test_a_link_that_was_only_previewed_still_pairs_its_holder(stand: WalletStand) -> None:
    code = stand.desk.devices.new_code()
    for _ in range(3):
        assert Somebody(stand).get(f"/pair?code={code}").status_code == 200
    browser = Somebody(stand)
    token = browser.token(f"/pair?code={code}")
    assert browser.post("/pair", csrf_token=token, code=code).status_code == 303
    second = Somebody(stand)
    token = second.token("/pair")
    assert second.post("/pair", csrf_token=token, code=code).status_code == 403


def test_a_removed_browser_is_out_at_once(stand: WalletStand, holder: Somebody) -> None:
    device = stand.desk.devices.all[-1]
    other = Somebody(stand)
    other.pair()
    token = other.token()
    other.post(f"/settings/devices/{device.device_id}/remove", csrf_token=token)
    assert holder.get("/").status_code == 403
    assert other.get("/").status_code == 200


@pytest.mark.parametrize("path", [*PAGES, "/pair", "/offline", "/scan"])
def test_no_other_page_frames_it_and_nothing_inline_runs(holder: Somebody, path: str) -> None:
    answer = holder.get(path)
    policy = dict(
        part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["base-uri"] == "'none'"
    assert "unsafe" not in str(policy)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_only_pages_that_scan_may_use_the_camera(holder: Somebody) -> None:
    allowed = {
        path
        for path in (*PAGES, "/scan")
        if "camera=(self)" in holder.get(path).headers.get("Permissions-Policy", "")
    }
    assert allowed == {"/scan", "/recovery"}


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "/\r\nX: y"]
)
def test_after_unlocking_nobody_is_sent_elsewhere(holder: Somebody, target: str) -> None:
    holder.post("/lock", csrf_token=holder.token())
    answer = holder.session.post(
        f"http://{holder.stand.address}/unlock",
        params={"then": target},
        data={"csrf_token": holder.token("/unlock"), "passphrase": PASSPHRASE},
        allow_redirects=False,
        timeout=60,
    )
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/"


def test_a_locked_wallet_shows_nothing_and_a_wrong_passphrase_opens_nothing(
    holder: Somebody,
) -> None:
    holder.post("/lock", csrf_token=holder.token())
    for path in ("/", "/history", "/settings", "/credentials/" + "ab" * 16):
        answer = holder.get(path)
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/unlock?then={path}")
    token = holder.token("/unlock")
    assert holder.post("/unlock", csrf_token=token, passphrase="another").status_code == 403
    assert not holder.stand.desk.keeper.is_open
    assert holder.post("/unlock", csrf_token=token, passphrase=PASSPHRASE).status_code == 303


def test_an_idle_wallet_locks_itself(tmp_path: Path) -> None:
    locked = threading.Event()
    with serve_wallet(tmp_path / "wallet", idle_s=0.05) as stand:
        keeper = stand.desk.keeper
        keeper.on_lock = locked.set
        keeper.create(PASSPHRASE)
        assert locked.wait(60)
        assert not keeper.is_open


def test_what_the_wallet_is_used_for_is_ended_before_it_is_locked(tmp_path: Path) -> None:
    with serve_wallet(tmp_path / "wallet") as stand:
        keeper = stand.desk.keeper
        keeper.create(PASSPHRASE)
        with keeper.use() as wallet:
            keeper.lock()
            assert not keeper.is_open
            assert wallet.public_key != ""


@pytest.mark.parametrize("body", [b"", b"\x00" * 99, b"\xff" * 640 * 480])
def test_a_picture_without_a_code_is_no_error(holder: Somebody, body: bytes) -> None:
    answer = holder.session.post(
        f"http://{holder.stand.address}/scan/picture?width=640",
        data=body,
        headers={"X-CSRFToken": holder.token(), "Content-Type": "application/octet-stream"},
        timeout=60,
    )
    assert (answer.status_code, answer.json()) == (200, {"text": None})


@pytest.mark.parametrize(
    "link", ["", "https://evil.example", "openid4vp://", "javascript:alert(1)", "x" * 20_000]
)
def test_a_link_of_no_known_kind_is_refused(holder: Somebody, link: str) -> None:
    answer = holder.post("/links", csrf_token=holder.token(), link=link)
    assert answer.status_code == 400
    assert "javascript:" not in answer.text


def test_a_phone_is_paired_over_tls(stand: WalletStand, phone_address: str) -> None:
    phone = stand.phone
    assert phone is not None
    link = stand.phone_link
    assert link.startswith(f"https://{phone_address}/pair?code=")
    assert link.endswith(f"#sha256={phone.fingerprint}")
    assert stat.S_IMODE(phone.private_key.stat().st_mode) == 0o600
    with requests.Session() as session:
        session.mount("https://", Pinned(phone.fingerprint))
        page = session.get(link, timeout=60)
        assert page.headers["Strict-Transport-Security"]
        token = re.search('name="csrf_token" value="([^"]+)"', page.text)
        code = re.search('name="code" value="([^"]+)"', page.text)
        assert token is not None
        assert code is not None
        answer = session.post(
            f"https://{phone_address}/pair",
            data={"csrf_token": token[1], "code": code[1]},
            headers={"Referer": f"https://{phone_address}/pair"},
            allow_redirects=False,
            timeout=60,
        )
        assert answer.status_code == 303
        assert "__Host-tegata-wallet=" in answer.headers["Set-Cookie"]
        assert "Secure" in answer.headers["Set-Cookie"]
        assert session.get(f"https://{phone_address}/settings", timeout=60).status_code == 200
    with suppress(requests.ConnectionError):
        assert requests.get(f"http://{phone_address}/pair", timeout=60).status_code == 400

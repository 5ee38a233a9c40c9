"""At the counter, before an offer is made: the card at the desk's reader, and the face test."""

import json
import re
from collections.abc import Iterator
from contextlib import nullcontext
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from structlog.testing import capture_logs
from support.card_world import CardWorld
from support.face_world import URL, FaceWorld
from support.issuer_world import JPEG, RESIDENT, Clock
from support.logins import PASSWORD_HASH, browser_of, log_in, token_of
from support.virtual_card import ADDRESS, NAME, NUMBER_B, PASSWORD, Authority, VirtualCard
from werkzeug.test import TestResponse

from client_sdk.credentials.jose import generate_key
from client_sdk.credentials.sd_jwt_vc import parse_credential
from node.card_reader.app import create_app as create_reader
from node.issuer.cases import CASE_SECONDS
from node.issuer.config import FaceTestConfig
from node.web.logins import LoginConfig

PERSON = {name: RESIDENT[name] for name in ("name", "address", "municipality", "birth_date", "sex")}
READER = "http://127.0.0.1:8085"
ISSUER = "http://127.0.0.1:8081"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def card(authority: Authority) -> VirtualCard:
    return VirtualCard(authority)


class City(CardWorld):
    """A city whose desks have card readers, and where two people work."""

    def __init__(self, folder: Path, authority: Authority, *, tests_faces: bool) -> None:
        clock = Clock()
        self.face = FaceWorld(clock=clock)
        face = FaceTestConfig.model_validate(
            {**self.face.trust(folder), "url": URL, "at": "counter"}
        )
        super().__init__(
            folder,
            authority,
            reader=READER,
            public_url=ISSUER,
            face=face if tests_faces else None,
            face_http=self.face.http,
            clock=clock,
            logins=tuple(
                LoginConfig(name=name, password_hash=PASSWORD_HASH) for name in ("sato", "ito")
            ),
        )

    def read_at_desk(self, card: VirtualCard, **asked: str) -> dict[str, str]:
        """Return the form that the page sends once the reader at the desk has read the card."""
        nonce = self.nonce()
        reader = create_reader(ISSUER, lambda: nullcontext(card)).test_client()
        body = {"nonce": nonce, "password": PASSWORD, **asked}
        answer = reader.post("/cards", json=body, headers={"Origin": ISSUER}).get_json()
        return {
            "proof": json.dumps(answer["proof"]),
            "nonce": nonce,
            "portrait": answer["portrait"] or "",
        }

    def claims(self, page: TestResponse) -> dict[str, Any]:
        """Take the offer that a page shows as a wallet does; return what the credential says."""
        token = self.redeem(
            self.code_of({"link": found(page, r'href="(openid-credential-offer://[^"]+)"')}),
            found(page, r"<strong>([0-9]{6})</strong>"),
        ).get_json()["access_token"]
        answer = self.request_credential(token, self.proof(generate_key(), self.nonce()))
        assert answer.status_code == 200, answer.text
        held = parse_credential(answer.get_json()["credentials"][0]["credential"])
        return held.unverified_claims


@pytest.fixture
def city(tmp_path: Path, authority: Authority) -> Iterator[City]:
    made = City(tmp_path, authority, tests_faces=True)
    yield made
    made.store.close()


@pytest.fixture
def quick_city(tmp_path: Path, authority: Authority) -> Iterator[City]:
    """One that tests no faces."""
    made = City(tmp_path, authority, tests_faces=False)
    yield made
    made.store.close()


def at_counter(city: City, name: str = "sato") -> FlaskClient:
    browser = browser_of(city.http)
    assert log_in(browser, name).status_code == 303
    return browser


def post(browser: FlaskClient, path: str, **fields: Any) -> TestResponse:
    form = {"csrf_token": token_of(browser.get("/counter/")), **fields}
    return browser.post(f"/counter/{path}", data=form)


def found(page: TestResponse, pattern: str) -> str:
    match = re.search(pattern, page.text)
    assert match, page.text
    return unescape(match[1])


def carried(page: TestResponse) -> dict[str, str]:
    """Return what a page carries to the next one."""
    fields = re.findall(r'name="(case|face)" value="([^"]+)"', page.text)
    return {name: unescape(value) for name, value in fields}


def camera_link(page: TestResponse) -> str:
    return found(page, r'href="([^"]+/test#[^"]+)"')


def begin_test(browser: FlaskClient, **changes: Any) -> TestResponse:
    page = post(browser, "offers", **PERSON, portrait=(BytesIO(JPEG), "face.jpg"), **changes)
    assert page.status_code == 201, page.text
    return page


# The card


def test_what_the_card_proves_is_offered(quick_city: City, card: VirtualCard) -> None:
    browser = at_counter(quick_city)
    form = browser.get("/counter/")
    assert f"connect-src 'self' {READER}" in form.headers["Content-Security-Policy"]
    with capture_logs() as logs:
        proven = quick_city.read_at_desk(card, number_b=NUMBER_B)
        person = post(browser, "cards", **proven, reference="case-9")
        assert person.status_code == 200, person.text
        for shown in (NAME, ADDRESS, "1980-01-31", "read from the card", "case-9"):
            assert shown in person.text
        page = post(browser, "cases", **carried(person))
    assert page.status_code == 201, page.text
    claims = quick_city.claims(page)
    assert (claims["name"], claims["address"]) == (NAME, ADDRESS)
    assert claims["portrait"].startswith("data:image/jp2;base64,")
    assert [entry["did"] for entry in logs if entry["event"] == "counter"] == ["card", "offer"]
    assert NAME not in str(logs)
    assert ADDRESS not in str(logs)


def test_a_proof_is_good_once_and_a_revoked_card_for_nothing(
    quick_city: City, card: VirtualCard
) -> None:
    browser = at_counter(quick_city)
    proven = quick_city.read_at_desk(card)
    assert post(browser, "cards", **proven).status_code == 200
    again = post(browser, "cards", **proven)
    assert (again.status_code, "used before" in again.text) == (422, True)
    quick_city.revoke(card.certificate)
    refused = post(browser, "cards", **quick_city.read_at_desk(card))
    assert (refused.status_code, "revoked" in refused.text) == (422, True)
    quick_city.list_file.unlink()
    assert post(browser, "cards", **quick_city.read_at_desk(card)).status_code == 503
    assert post(browser, "cards", proof="{}", nonce="x").status_code == 422


def test_nothing_of_a_person_is_kept_before_the_offer(quick_city: City, card: VirtualCard) -> None:
    browser = at_counter(quick_city)
    person = post(browser, "cards", **quick_city.read_at_desk(card))
    at_rest = quick_city.bytes_at_rest()
    assert NAME.encode() not in at_rest
    assert carried(person)["case"].encode() not in at_rest


def test_what_a_page_carries_is_its_clerks_and_grows_old(
    quick_city: City, card: VirtualCard
) -> None:
    sato, ito = at_counter(quick_city), at_counter(quick_city, "ito")
    case = carried(post(sato, "cards", **quick_city.read_at_desk(card)))["case"]
    for browser, sent in ((ito, case), (sato, case[:-2] + "AA"), (sato, ""), (sato, "né")):
        refused = post(browser, "cases", case=sent)
        assert (refused.status_code, "Begin again" in refused.text) == (409, True)
    quick_city.clock.advance(seconds=CASE_SECONDS)
    sato = at_counter(quick_city)
    assert post(sato, "cases", case=case).status_code == 409


# The face test before an offer


def test_the_offer_is_made_once_the_person_has_passed(city: City) -> None:
    browser = at_counter(city)
    page = begin_test(browser)
    assert "QR code of the face test" in page.text
    assert "openid-credential-offer" not in page.text
    state = post(browser, "faces/state", face=carried(page)["face"])
    assert state.get_json() == {"is_decided": False}
    waiting = post(browser, "faces/result", **carried(page))
    assert (waiting.status_code, camera_link(waiting)) == (200, camera_link(page))
    assert city.face.follow(camera_link(page)).state == "passed"
    state = post(browser, "faces/state", face=carried(page)["face"])
    assert state.get_json() == {"is_decided": True}
    made = post(browser, "faces/result", **carried(page))
    assert made.status_code == 201
    # The wallet's holder is not tested again.
    assert city.claims(made)["name"] == RESIDENT["name"]


def test_a_card_read_at_the_desk_leads_to_the_face_test(city: City, card: VirtualCard) -> None:
    browser = at_counter(city)
    proven = city.read_at_desk(card)
    person = post(browser, "cards", **{**proven, "portrait": RESIDENT["portrait"]})
    page = post(browser, "cases", **carried(person))
    assert city.face.follow(camera_link(page)).state == "passed"
    claims = city.claims(post(browser, "faces/result", **carried(page)))
    assert (claims["name"], claims["address"]) == (NAME, ADDRESS)
    without = post(browser, "cards", **city.read_at_desk(card))
    refused = post(browser, "cases", **carried(without))
    assert (refused.status_code, "to compare the face with" in refused.text) == (422, True)


def test_a_wallet_that_reads_the_card_itself_comes_after_the_test(
    city: City, card: VirtualCard
) -> None:
    browser = at_counter(city)
    page = post(browser, "offers", card="1", portrait=(BytesIO(JPEG), "face.jpg"))
    city.face.follow(camera_link(page))
    made = post(browser, "faces/result", **carried(page))
    assert "The wallet will ask for the card." in made.text
    assert post(browser, "offers", card="1").status_code == 422


def test_who_does_not_pass_gets_another_test_and_no_offer(city: City) -> None:
    browser = at_counter(city)
    page = begin_test(browser)
    city.face.vision.conclusion = "wrong_person"
    assert city.face.follow(camera_link(page)).state == "refused"
    again = post(browser, "faces/result", **carried(page))
    assert "was not passed" in again.text
    assert camera_link(again) != camera_link(page)
    city.face.vision.conclusion = None
    city.face.follow(camera_link(again))
    assert post(browser, "faces/result", **carried(again)).status_code == 201


def test_a_face_service_that_is_away_loses_nothing(city: City) -> None:
    browser = at_counter(city)
    city.face.http.lost = 1
    form = {**PERSON, "portrait": (BytesIO(JPEG), "face.jpg")}
    away = post(browser, "offers", **form)
    assert (away.status_code, "Nothing is lost" in away.text) == (503, True)
    page = post(browser, "faces", **carried(away))
    assert page.status_code == 201
    city.face.http.lost = 1
    state = post(browser, "faces/state", face=carried(page)["face"])
    assert state.get_json() == {"is_decided": False}
    city.face.follow(camera_link(page))
    city.face.http.lost = 1
    away = post(browser, "faces/result", **carried(page))
    assert (away.status_code, "Nothing is lost" in away.text) == (503, True)
    assert post(browser, "faces/result", **carried(away)).status_code == 201


def test_a_face_service_that_was_started_anew_tests_again(city: City) -> None:
    browser = at_counter(city)
    page = begin_test(browser)
    city.face.challenges._tests.clear()
    state = post(browser, "faces/state", face=carried(page)["face"])
    assert state.get_json() == {"is_decided": True}
    again = post(browser, "faces/result", **carried(page))
    assert (again.status_code, camera_link(again) != camera_link(page)) == (201, True)


def test_a_test_counts_for_its_own_person(city: City) -> None:
    browser = at_counter(city)
    passed, other = begin_test(browser), begin_test(browser, reference="case-2")
    city.face.follow(camera_link(passed))
    mixed = {"case": carried(other)["case"], "face": carried(passed)["face"]}
    refused = post(browser, "faces/result", **mixed)
    assert (refused.status_code, "does not take this test" in refused.text) == (400, True)
    # What was sealed as one thing is not opened as another.
    swapped = {"case": carried(passed)["face"], "face": carried(passed)["case"]}
    assert post(browser, "faces/result", **swapped).status_code == 409


def test_without_a_portrait_nobody_is_tested(city: City) -> None:
    page = post(at_counter(city), "offers", **PERSON)
    assert (page.status_code, "to compare the face with" in page.text) == (422, True)
    assert RESIDENT["address"] in page.text
    wrong = {**PERSON, "birth_date": "2090-01-01", "portrait": (BytesIO(JPEG), "face.jpg")}
    assert post(at_counter(city), "offers", **wrong).status_code == 422


def test_nobody_is_tested_without_a_login(city: City) -> None:
    stranger = browser_of(city.http)
    token = token_of(stranger.get("/login"))
    for path in ("cards", "cases", "faces", "faces/state", "faces/result"):
        answer = stranger.post(f"/counter/{path}", data={"csrf_token": token})
        assert (answer.status_code, answer.headers["Location"]) == (303, "/login")

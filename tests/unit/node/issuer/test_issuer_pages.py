"""The counter's pages: offers, reviews, enrolment codes, credentials; each only behind a login."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from structlog.testing import capture_logs
from support.issuer_world import RESIDENT, IssuerWorld
from support.logins import PASSWORD_HASH, browser_of, log_in, token_of
from werkzeug.test import TestResponse

from client_sdk.credentials.jose import generate_key
from client_sdk.ledger.account_key import AccountKey
from node.web.logins import LoginConfig

PERSON = {name: RESIDENT[name] for name in ("name", "address", "municipality", "birth_date", "sex")}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[IssuerWorld]:
    made = IssuerWorld(
        tmp_path,
        public_url="http://127.0.0.1:8081",
        logins=(LoginConfig(name="sato", password_hash=PASSWORD_HASH),),
    )
    yield made
    made.store.close()


@pytest.fixture
def counter(world: IssuerWorld) -> FlaskClient:
    browser = browser_of(world.http)
    assert log_in(browser, "sato").status_code == 303
    return browser


def post(browser: FlaskClient, path: str, **fields: Any) -> TestResponse:
    form = {"csrf_token": token_of(browser.get("/counter/")), **fields}
    return browser.post(path, data=form)


def link_of(page: TestResponse) -> str:
    found = re.search(r'href="(openid-credential-offer://[^"]+)"', page.text)
    assert found, page.text
    return found[1].replace("&amp;", "&")


def code_of(page: TestResponse, pattern: str) -> str:
    found = re.search(pattern, page.text)
    assert found, page.text
    return found[1]


def issue(world: IssuerWorld, counter: FlaskClient) -> str:
    """Offer a credential at the counter and take it as a wallet does; return its record's id."""
    page = post(counter, "/counter/offers", **PERSON, reference="case-7")
    assert page.status_code == 201, page.text
    tx_code = code_of(page, r"<strong>([0-9]{6})</strong>")
    code = world.code_of({"link": link_of(page)})
    token = world.redeem(code, tx_code).get_json()["access_token"]
    proof = world.proof(generate_key(), world.nonce())
    assert world.request_credential(token, proof).status_code == 200
    (credential,) = world.store.credentials.page(reference="case-7", after=0, limit=10)
    return credential.record_id


def test_nothing_without_a_login(world: IssuerWorld) -> None:
    stranger = browser_of(world.http)
    for path in ("", "reviews", "credentials", "batches"):
        assert stranger.get(f"/counter/{path}").status_code == 302
    token = token_of(stranger.get("/login"))
    for path in ("offers", "enrolments", "reviews", f"credentials/{'0' * 32}/revoke"):
        answer = stranger.post(f"/counter/{path}", data={"csrf_token": token, **PERSON})
        assert answer.headers["Location"] == "/login"
    assert not world.store.credentials.page(reference=None, after=0, limit=1)


def test_an_offer_is_taken_suspended_and_revoked(world: IssuerWorld, counter: FlaskClient) -> None:
    record = issue(world, counter)
    listed = counter.get("/counter/credentials?reference=case-7").text
    assert "in force" in listed
    assert RESIDENT["name"] not in listed
    for change, state in (("suspend", "suspended"), ("reinstate", "active"), ("revoke", "revoked")):
        answer = post(counter, f"/counter/credentials/{record}/{change}")
        assert answer.status_code == 303, answer.text
        (found,) = world.store.credentials.page(reference="case-7", after=0, limit=10)
        assert found.state == state
    assert post(counter, f"/counter/credentials/{record}/reinstate").status_code == 409
    assert post(counter, f"/counter/credentials/{record}/forget").status_code == 404
    assert post(counter, f"/counter/credentials/{'0' * 32}/revoke").status_code == 404


def test_an_offer_is_shown_once_and_its_person_never_logged(
    world: IssuerWorld, counter: FlaskClient
) -> None:
    with capture_logs() as logs:
        page = post(counter, "/counter/offers", **PERSON)
    assert page.status_code == 201
    assert page.headers["Cache-Control"] == "no-store"
    assert not any(value in str(logs) for value in PERSON.values() if len(value) > 2)
    assert link_of(page) not in counter.get("/counter/credentials").text


def test_what_cannot_be_attested_is_refused_with_the_form_kept(counter: FlaskClient) -> None:
    for field, wrong in (
        ("birth_date", "2090-01-01"),
        ("birth_date", "yesterday"),
        ("name", ""),
        ("sex", "7"),
        ("reference", "Tanaka Aiko 1990"),
    ):
        page = post(counter, "/counter/offers", **{**PERSON, field: wrong})
        assert page.status_code == 422, field
        assert "not acceptable" in page.text
        assert RESIDENT["address"] in page.text
    page = post(counter, "/counter/offers", **PERSON, portrait=(io.BytesIO(b"no image"), "a.jpg"))
    assert page.status_code == 422
    # This issuer takes no cards.
    assert post(counter, "/counter/offers", card="1").status_code == 409


def test_a_number_beyond_all_bounds_is_no_failure(counter: FlaskClient) -> None:
    assert counter.get(f"/counter/credentials?after={'9' * 30}").status_code == 200


def test_a_reviewed_offer_waits_for_a_colleague(world: IssuerWorld, counter: FlaskClient) -> None:
    page = post(counter, "/counter/offers", **PERSON, review="1")
    code = re.findall(r"<code>([0-9A-Z-]{23})</code>", page.text)[-1]
    found = post(counter, "/counter/reviews", code=code)
    assert RESIDENT["address"] in found.text
    assert "waiting for a decision" in found.text
    assert "approved" in post(counter, "/counter/reviews", code=code, decision="approve").text
    assert post(counter, "/counter/reviews", code=code, decision="refuse").status_code == 409
    assert post(counter, "/counter/reviews", code="AAAAA-AAAAA-AAAAA-AAAAA").status_code == 404


def test_an_enrolment_code_is_good_for_an_account(world: IssuerWorld, counter: FlaskClient) -> None:
    page = post(counter, "/counter/enrolments")
    assert page.status_code == 201
    code = code_of(page, r"<code>([0-9A-Z-]{20,30})</code>")
    assert world.enrol(code, AccountKey.generate()).status_code == 201


def test_wallets_and_programs_are_served_as_before(world: IssuerWorld) -> None:
    assert world.make_offer()["link"].startswith("openid-credential-offer://")
    assert world.http.get("/.well-known/openid-credential-issuer").status_code == 200


def test_an_issuer_without_logins_has_no_pages(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path)
    for path in ("/", "/counter/", "/login"):
        assert world.http.get(path).status_code == 404
    world.store.close()


def test_the_log_says_who_did_it(world: IssuerWorld, counter: FlaskClient) -> None:
    with capture_logs() as logs:
        record = issue(world, counter)
        post(counter, "/counter/enrolments")
        post(counter, f"/counter/credentials/{record}/suspend")
        page = post(counter, "/counter/offers", **PERSON, review="1")
        code = re.findall(r"<code>([0-9A-Z-]{23})</code>", page.text)[-1]
        post(counter, "/counter/reviews", code=code, decision="refuse")
    done = [entry for entry in logs if entry["event"] == "counter"]
    assert [(entry["by"], entry["did"]) for entry in done] == [
        ("sato", "offer"),
        ("sato", "enrolment"),
        ("sato", "suspend"),
        ("sato", "offer"),
        ("sato", "refuse"),
    ]
    assert done[0]["reference"] == "case-7"
    assert done[2]["record"] == record

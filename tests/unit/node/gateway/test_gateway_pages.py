"""The verifier's pages: ask, follow, read, export; keys; and nothing of another verifier's."""

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from support.face_world import FaceWorld
from support.gateway_world import GatewayWorld
from support.logins import browser_of, log_in, token_of
from support.presentation_world import ATTRIBUTES
from werkzeug.test import TestResponse

from client_sdk.openid4vp.signed_request import read_own_request
from client_sdk.verification.presentation_check import demands_face


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayWorld]:
    world = GatewayWorld(tmp_path, logins={"aiko": "city", "ken": "bank"})
    yield world
    world.close()


@pytest.fixture
def desk(gateway: GatewayWorld) -> FlaskClient:
    return person(gateway, "aiko")


def person(gateway: GatewayWorld, name: str) -> FlaskClient:
    browser = browser_of(gateway.client)
    assert log_in(browser, name).status_code == 303
    return browser


def post(browser: FlaskClient, path: str, **fields: Any) -> TestResponse:
    form = {"csrf_token": token_of(browser.get("/verifier/")), **fields}
    return browser.post(path, data=form)


def ask(browser: FlaskClient, **fields: Any) -> str:
    """Ask by the form; return the request's id."""
    form = {"template": "residence", "purpose": "Moving in", **fields}
    answer = post(browser, "/verifier/requests", **form)
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"].rpartition("/")[2]


def answer(gateway: GatewayWorld, request_id: str) -> None:
    """Answer a request as a genuine wallet does."""
    stored = gateway.store.find(request_id)
    assert stored is not None
    created = {"id": request_id, "link": gateway.presentations.link(stored)}
    form = gateway.answer(created)
    assert gateway.client.post(f"/oid4vp/responses/{request_id}", data=form).status_code == 200


def test_from_question_to_answer(gateway: GatewayWorld, desk: FlaskClient) -> None:
    request_id = ask(desk)
    address = f"/verifier/requests/{request_id}"
    waiting = desk.get(address).text
    assert "Waiting for the wallet" in waiting
    assert "openid4vp://" in waiting
    assert '<svg role="img" aria-label="QR code of the request"' in waiting
    answer(gateway, request_id)
    shown = desk.get(address).text
    assert ATTRIBUTES["address"] in shown
    assert "The holder&#39;s grant is in force" in shown
    assert "The access is on the holder&#39;s record" in shown
    assert shown.count('<li class="passed">') == 15
    # Nothing is to be answered any more.
    assert "openid4vp://" not in shown
    gateway.world.now_ms += gateway.config.result_seconds * 1000
    over = desk.get(address).text
    assert ATTRIBUTES["address"] not in over
    assert "is deleted" in over


def test_a_question_of_ones_own(gateway: GatewayWorld, desk: FlaskClient) -> None:
    fields = {"template": "", "attributes": ["name", "sex"], "purpose_term": "AgeVerification"}
    stored = gateway.store.find(ask(desk, **fields))
    assert stored is not None
    assert stored.attributes == ["name", "sex"]
    for wrong in (
        {**fields, "attributes": []},
        {**fields, "attributes": ["credential_number"]},
        {**fields, "purpose_term": "World domination"},
        {"template": "age", "purpose": " "},
        {"template": "age", "purpose": "x" * 10_000},
    ):
        page = post(desk, "/verifier/requests", **{"purpose": "Moving in", **wrong})
        assert page.status_code == 422, page.text
        assert "This cannot be asked." in page.text


def test_a_face_test_is_asked_for_where_there_is_a_service(
    tmp_path: Path, desk: FlaskClient
) -> None:
    assert "Test the person" not in desk.get("/verifier/").text
    folder = tmp_path / "with_face"
    folder.mkdir()
    service = {**FaceWorld().trust(folder), "url": "https://face.example"}
    world = GatewayWorld(folder, logins={"aiko": "city"}, tables={"face_services": [service]})
    browser = person(world, "aiko")
    assert "face for this" in browser.get("/verifier/").text
    for fields, is_demanded in (({"face": "1"}, True), ({}, False)):
        stored = world.store.find(ask(browser, **fields))
        assert stored is not None
        assert demands_face(read_own_request(stored.request_object)) is is_demanded
    world.close()


def test_what_a_verifier_is_not_registered_for_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = GatewayWorld(tmp_path, logins={"aiko": "city"})
    monkeypatch.setattr(world.presentations, "is_registered", lambda *_: False)
    page = person(world, "aiko").get("/verifier/").text
    assert page.count("not registered") == 3
    world.close()


def test_another_verifiers_requests_and_keys_are_not_there(gateway: GatewayWorld) -> None:
    aiko, ken = person(gateway, "aiko"), person(gateway, "ken")
    request_id = ask(aiko)
    assert aiko.get(f"/verifier/requests/{request_id}").status_code == 200
    for path in (f"/verifier/requests/{request_id}", f"/verifier/requests/{request_id}/events"):
        assert ken.get(path).status_code == 404
    assert request_id not in ken.get("/verifier/history").text
    assert ken.get("/verifier/history.json").get_json() == []
    (mine,) = gateway.keys.of_verifier("city")
    assert mine.id not in ken.get("/verifier/keys").text
    assert post(ken, f"/verifier/keys/{mine.id}/revoke").status_code == 404
    assert gateway.client.get("/webhook", headers=gateway.headers()).status_code == 404


def test_history_and_export(gateway: GatewayWorld, desk: FlaskClient) -> None:
    declined, answered = ask(desk, purpose="=HYPERLINK(1)"), ask(desk)
    answer(gateway, answered)
    page = desk.get("/verifier/history").text
    assert page.index(answered) < page.index(declined) or page.count("/verifier/requests/") == 2
    exported = {row["id"]: row for row in desk.get("/verifier/history.json").get_json()}
    assert exported[answered]["attributes"] == {"address": ATTRIBUTES["address"]}
    assert exported[answered]["status"] == "accepted"
    assert exported[declined]["attributes"] is None
    answer_csv = desk.get("/verifier/history.csv")
    assert answer_csv.headers["Content-Disposition"].startswith("attachment")
    rows = {
        row["id"]: row for row in csv.DictReader(io.StringIO(answer_csv.data.decode("utf-8-sig")))
    }
    assert rows[answered]["attributes"] == f"address: {ATTRIBUTES['address']}"
    # A spreadsheet must not take a text for a formula.
    assert rows[declined]["purpose"] == "'=HYPERLINK(1)"
    gateway.world.now_ms += gateway.config.result_seconds * 1000
    later = {row["id"]: row for row in desk.get("/verifier/history.json").get_json()}
    assert later[answered]["attributes"] is None
    assert later[answered]["status"] == "accepted"
    assert ATTRIBUTES["address"] not in desk.get("/verifier/history.csv").text


def test_numbers_beyond_all_bounds_are_no_failure(desk: FlaskClient) -> None:
    assert desk.get(f"/verifier/history?page={'9' * 30}").status_code == 200
    events = f"/verifier/requests/{ask(desk)}/events?after=x"
    with desk.get(events, headers={"Last-Event-ID": "x"}) as stream:
        assert stream.status_code == 200


def test_keys_are_made_shown_once_and_revoked(gateway: GatewayWorld, desk: FlaskClient) -> None:
    page = post(
        desk, "/verifier/keys", scopes=["requests:write", "results:read"], days="30", note="Kiosk"
    )
    assert page.status_code == 201
    (token,) = set(re.findall(r"tegata_[A-Za-z0-9_-]{43}", page.text))
    listed = desk.get("/verifier/keys").text
    assert token not in listed
    assert "Kiosk" in listed
    headers = {"Authorization": f"Bearer {token}"}
    body = {"attributes": ["address"], "purpose": "Moving in"}
    assert gateway.client.post("/requests", json=body, headers=headers).status_code == 201
    assert gateway.client.get("/webhook", headers=headers).status_code == 403
    key = next(key for key in gateway.keys.of_verifier("city") if key.note == "Kiosk")
    assert post(desk, f"/verifier/keys/{key.id}/revoke").status_code == 303
    assert gateway.client.post("/requests", json=body, headers=headers).status_code == 401
    for wrong in ({"scopes": [], "days": "30"}, {"scopes": ["results:read"], "days": "9999"}):
        assert post(desk, "/verifier/keys", **wrong).status_code == 422


def test_a_session_opens_no_api_and_a_key_no_page(gateway: GatewayWorld, desk: FlaskClient) -> None:
    body = {"attributes": ["address"], "purpose": "Moving in"}
    assert desk.post("/requests", json=body).status_code == 401
    page = gateway.client.get("/verifier/", headers=gateway.headers())
    assert page.status_code == 302
    # A program needs no token of a form.
    assert gateway.client.post("/requests", json=body, headers=gateway.headers()).status_code == 201


def test_a_gateway_without_logins_has_no_pages(tmp_path: Path) -> None:
    world = GatewayWorld(tmp_path)
    for path in ("/", "/verifier/", "/login"):
        assert world.client.get(path).status_code == 404
    world.close()


def test_programs_get_problems_also_where_there_are_pages(gateway: GatewayWorld) -> None:
    answer = gateway.client.get("/requests/" + "0" * 32, headers=gateway.headers())
    assert answer.status_code == 404
    assert json.loads(answer.data)["code"] == "unknown_request"


def test_what_others_wrote_is_shown_as_text(gateway: GatewayWorld, desk: FlaskClient) -> None:
    script = "<script>alert(1)</script>"
    request_id = ask(desk, purpose=script)
    for path in (f"/verifier/requests/{request_id}", "/verifier/history"):
        page = desk.get(path).text
        assert script not in page
        assert "&lt;script&gt;alert(1)" in page

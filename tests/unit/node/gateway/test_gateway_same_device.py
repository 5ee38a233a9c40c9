"""On one device the answer is for the browser that the wallet sends back (OpenID4VP 1.0, 13.3)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from support.gateway_world import GatewayWorld

from client_sdk.openid4vp.response import build_error_response

RETURN_TO = "https://minato.example/done?session=7"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayWorld]:
    made = GatewayWorld(tmp_path)
    yield made
    made.close()


def ask(gateway: GatewayWorld, **changes: Any) -> Any:
    body = {"attributes": ["address"], "purpose": "x", "redirect_uri": RETURN_TO, **changes}
    return gateway.client.post("/requests", json=body, headers=gateway.headers())


def send(gateway: GatewayWorld, created: dict[str, Any], form: dict[str, str]) -> dict[str, Any]:
    response = gateway.client.post(f"/oid4vp/responses/{created['id']}", data=form)
    assert response.status_code == 200, response.text
    value: dict[str, Any] = response.get_json()
    return value


def read(gateway: GatewayWorld, created: dict[str, Any], **query: str) -> Any:
    path = f"/requests/{created['id']}"
    return gateway.client.get(path, query_string=query, headers=gateway.headers())


def test_section_8_2_the_wallet_sends_the_browser_back_with_a_fresh_code(
    gateway: GatewayWorld,
) -> None:
    codes = set()
    for _ in range(2):
        created = ask(gateway).get_json()
        answer = send(gateway, created, gateway.answer(created))
        parts = urlsplit(answer["redirect_uri"])
        assert answer["redirect_uri"].startswith(RETURN_TO)
        (code,) = parse_qs(parts.query)["response_code"]
        codes.add(code)
        result = read(gateway, created, response_code=code).get_json()
        assert result["status"] == "accepted"
        assert result["attributes"] == {"address": "1-1 Chiyoda, Tokyo"}
    assert len(codes) == 2
    assert all(len(code) >= 22 for code in codes)


def test_section_13_3_who_has_no_code_learns_nothing_of_the_answer(gateway: GatewayWorld) -> None:
    created = ask(gateway).get_json()
    assert read(gateway, created).get_json()["status"] == "pending"
    send(gateway, created, gateway.answer(created))
    result = read(gateway, created).get_json()
    assert (result["status"], result["checks"], result["attributes"]) == ("answered", [], None)
    for wrong in ("", "0" * 22):
        refused = read(gateway, created, response_code=wrong)
        assert refused.status_code == 403
        assert refused.get_json()["type"].endswith("wrong_response_code")


def test_a_holder_who_declines_is_sent_back_too(gateway: GatewayWorld) -> None:
    created = ask(gateway).get_json()
    state = gateway.fetch(created).request.state
    answer = send(gateway, created, build_error_response("access_denied", state=state))
    (code,) = parse_qs(urlsplit(answer["redirect_uri"]).query)["response_code"]
    assert read(gateway, created, response_code=code).get_json()["status"] == "declined"
    # A holder who thinks better of it gets a new code, and the old one reads nothing.
    send(gateway, created, gateway.answer(created))
    assert read(gateway, created, response_code=code).status_code == 403


def test_a_refused_answer_opens_nothing_that_an_earlier_one_had_closed(
    gateway: GatewayWorld,
) -> None:
    created = ask(gateway).get_json()
    state = gateway.fetch(created).request.state
    answer = send(gateway, created, build_error_response("access_denied", state=state))
    (code,) = parse_qs(urlsplit(answer["redirect_uri"]).query)["response_code"]
    refused = gateway.answer(created, nonce="of-another-request-0123456789")
    path = f"/oid4vp/responses/{created['id']}"
    assert gateway.client.post(path, data=refused).status_code == 400
    assert read(gateway, created).get_json()["status"] == "answered"
    assert read(gateway, created, response_code=code).get_json()["status"] == "refused"


def test_across_devices_nobody_is_sent_anywhere(gateway: GatewayWorld) -> None:
    created = gateway.create()
    assert send(gateway, created, gateway.answer(created)) == {}
    assert gateway.read(created["id"])["status"] == "accepted"


@pytest.mark.parametrize(
    "redirect_uri",
    ["http://minato.example/", "https://minato.example/#x", "minato://done", "https://a b/", ""],
)
def test_browsers_are_sent_only_where_every_client_reads_the_same(
    gateway: GatewayWorld, redirect_uri: str
) -> None:
    assert ask(gateway, redirect_uri=redirect_uri).status_code == 422

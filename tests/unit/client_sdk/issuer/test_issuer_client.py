"""An operator's client against an issuer service whose answers are not as they should be."""

import base64
import json
from collections.abc import Callable
from datetime import date
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from support.http_stand import HttpStand, Received, Reply, json_reply

from client_sdk.credentials.resident import ResidentAttributes
from client_sdk.errors import ServiceRefusedError, TransportError
from client_sdk.issuer.client import PAGE, IssuerClient, ListedCredential

RESIDENT = ResidentAttributes(
    name="手形 花子",
    address="青葉市緑町3",
    municipality="青葉市",
    birth_date=date(1990, 4, 1),
    sex="2",
    portrait=b"\xff\xd8\xff\xe0portrait\xff\xd9",
)
OFFER = {"link": "openid-credential-offer://?x", "tx_code": "123456", "expires_at": "2030"}
Act = Callable[[IssuerClient], object]
ACTS: dict[str, Act] = {
    "enrol": IssuerClient.enrol,
    "offer": lambda client: client.offer(RESIDENT),
    "change_state": lambda client: client.change_state("ab" * 16, "revoke"),
    "credentials": IssuerClient.credentials,
}


def act(doing: Act, answer: Callable[[Received], Reply]) -> tuple[Any, list[Received]]:
    with HttpStand(answer) as server, IssuerClient(server.url, "the-token") as client:
        return doing(client), server.received


def row(number: int) -> dict[str, object]:
    return {"number": number, "record": f"{number:032x}", "state": "active", "expires_at": "2030"}


def serve_rows(rows: list[dict[str, object]]) -> Callable[[Received], Reply]:
    """Answer as the service does: the rows after a number, at most `limit` of them."""

    def answer(request: Received) -> Reply:
        query = parse_qs(urlsplit(request.path).query)
        after, limit = int(query["after"][0]), int(query["limit"][0])
        following = [
            row for row in rows if isinstance(row["number"], int) and row["number"] > after
        ]
        return json_reply({"credentials": following[:limit]})

    return answer


def test_an_enrolment_code() -> None:
    code, (request,) = act(ACTS["enrol"], lambda _request: json_reply({"code": "abcd"}, status=201))
    assert code == "abcd"
    assert (request.method, request.path, request.body) == ("POST", "/enrolments", b"{}")
    assert request.headers["authorization"] == "Bearer the-token"


def test_an_offer() -> None:
    made, (request,) = act(ACTS["offer"], lambda _request: json_reply(OFFER, status=201))
    assert (made.link, made.tx_code, made.expires_at) == tuple(OFFER.values())
    assert "123456" not in repr(made)
    assert "offer://" not in repr(made)
    attributes = json.loads(request.body)["attributes"]
    assert attributes.pop("portrait") == base64.b64encode(RESIDENT.portrait or b"").decode()
    assert attributes == {
        "name": "手形 花子",
        "address": "青葉市緑町3",
        "municipality": "青葉市",
        "birth_date": "1990-04-01",
        "sex": "2",
    }


def test_an_offer_without_portrait() -> None:
    plain = ResidentAttributes(
        name="n", address="a", municipality="m", birth_date=date(1990, 4, 1), sex="9"
    )
    _, (request,) = act(
        lambda client: client.offer(plain), lambda _request: json_reply(OFFER, status=201)
    )
    assert "portrait" not in json.loads(request.body)["attributes"]


@pytest.mark.parametrize("change", ["revoke", "suspend", "reinstate"])
def test_a_change_of_state(change: Any) -> None:
    state, (request,) = act(
        lambda client: client.change_state("ab" * 16, change),
        lambda _request: json_reply({"state": "new"}),
    )
    assert state == "new"
    assert request.path == f"/credentials/{'ab' * 16}/{change}"


def test_a_record_id_cannot_name_another_resource() -> None:
    _, (request,) = act(
        lambda client: client.change_state("../enrolments?", "revoke"),
        lambda _request: json_reply({"state": "new"}),
    )
    assert request.path == "/credentials/..%2Fenrolments%3F/revoke"


@pytest.mark.parametrize("count", [0, 1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE])
def test_the_list_is_read_page_by_page(count: int) -> None:
    # Numbers need not follow each other.
    rows = [row(3 * number) for number in range(1, count + 1)]
    listed, requests = act(ACTS["credentials"], serve_rows(rows))
    assert [issued.record_id for issued in listed] == [row["record"] for row in rows]
    assert len(requests) == count // PAGE + 1
    if count:
        assert listed[0] == ListedCredential(
            record_id=f"{3:032x}", state="active", expires_at="2030"
        )


@pytest.mark.parametrize("number", [None, "5", 0, -1, 1.5])
def test_a_list_that_never_ends(number: object) -> None:
    page = [{**row(1), "number": number}] * PAGE
    with pytest.raises(TransportError, match="does not lead to the next"):
        act(ACTS["credentials"], lambda _request: json_reply({"credentials": page}))


def test_a_list_that_turns_round() -> None:
    with pytest.raises(TransportError, match="does not lead to the next"):
        act(ACTS["credentials"], lambda _request: json_reply({"credentials": [row(1)] * PAGE}))


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"credentials": None},
        {"credentials": {"0": row(1)}},
        {"credentials": [None]},
        {"credentials": [[]]},
        {"credentials": [{**row(1), "record": 1}]},
        {"credentials": [{**row(1), "state": None}]},
        {"credentials": [{"record": "a", "state": "active"}]},
    ],
    ids=str,
)
def test_a_list_that_is_none(content: dict[str, object]) -> None:
    with pytest.raises(TransportError, match="the service's answer has no"):
        act(ACTS["credentials"], lambda _request: json_reply(content))


@pytest.mark.parametrize("name", ["enrol", "offer", "change_state"])
def test_an_answer_without_what_it_needs(name: str) -> None:
    status = 200 if name == "change_state" else 201
    with pytest.raises(TransportError, match="the service's answer has no"):
        act(ACTS[name], lambda _request: json_reply({}, status=status))


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize("body", [b"", b"[]", b"<html>"])
def test_an_answer_that_is_no_json_object(name: str, body: bytes) -> None:
    with pytest.raises(TransportError, match="no JSON object"):
        act(ACTS[name], lambda _request: Reply(body=body))


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize("status", [400, 401, 404, 409, 500])
def test_a_refusal_says_why(name: str, status: int) -> None:
    problem = {"title": "No", "detail": "It is revoked.", "code": "wrong_state"}
    with pytest.raises(ServiceRefusedError, match=r"No\. It is revoked\.") as raised:
        act(ACTS[name], lambda _request: json_reply(problem, status=status))
    assert raised.value.code == "wrong_state"
    assert "the-token" not in str(raised.value)

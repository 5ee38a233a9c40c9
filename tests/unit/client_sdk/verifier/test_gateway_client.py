"""A verifier's client against a gateway whose answers are not as they should be."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from support.http_stand import HttpStand, Received, Reply, json_reply

from client_sdk.checks import Check
from client_sdk.errors import ServiceRefusedError, TransportError
from client_sdk.openid4vp.dcql import build_query
from client_sdk.verifier.gateway_client import CreatedRequest, GatewayClient, RequestResult

CREATED = {"id": "r1", "link": "openid4vp://?x", "expires_at": "2030-01-01T00:00:00Z"}
ACCEPTED: dict[str, Any] = {
    "id": "r1",
    "status": "accepted",
    "checks": [{"name": "nonce", "passed": True, "detail": "good"}],
    "attributes": {"address": "1-1 Castle Road"},
}


def ask(reply: Reply) -> CreatedRequest:
    with HttpStand(lambda _request: reply) as server, GatewayClient(server.url, "key") as client:
        return client.ask(["address"], purpose="why")


def result(reply: Reply) -> RequestResult:
    with HttpStand(lambda _request: reply) as server, GatewayClient(server.url, "key") as client:
        return client.result("r1")


def test_a_request_is_made() -> None:
    with (
        HttpStand(lambda _request: json_reply(CREATED, status=201)) as server,
        GatewayClient(f"{server.url}/", "the-key") as client,
    ):
        created = client.ask(["address", "name"], purpose="why")
    assert created == CreatedRequest(
        request_id="r1", link="openid4vp://?x", expires_at="2030-01-01T00:00:00Z"
    )
    (request,) = server.received
    assert (request.method, request.path) == ("POST", "/requests")
    assert request.headers["authorization"] == "Bearer the-key"
    assert json.loads(request.body) == {
        "attributes": ["address", "name"],
        "purpose": "why",
        "purpose_term": "https://w3id.org/dpv#RequestedServiceProvision",
    }


def test_a_request_is_made_by_a_query() -> None:
    query = build_query(query_id="q", vct="urn:x", attributes=("address",))
    with (
        HttpStand(lambda _request: json_reply(CREATED, status=201)) as server,
        GatewayClient(server.url, "the-key") as client,
    ):
        created = client.ask_query(query, purpose="why")
    assert created.request_id == "r1"
    (request,) = server.received
    assert json.loads(request.body) == {
        "dcql_query": query.to_fields(),
        "purpose": "why",
        "purpose_term": "https://w3id.org/dpv#RequestedServiceProvision",
    }


def test_a_result_is_read() -> None:
    found = result(json_reply(ACCEPTED))
    assert found.state == "accepted"
    assert not found.is_open
    assert found.checks == (Check(name="nonce", passed=True, detail="good"),)
    assert found.refusal is None
    assert found.attributes == {"address": "1-1 Castle Road"}
    assert "Castle" not in repr(found)


def test_the_first_check_that_failed_is_the_refusal() -> None:
    checks = [
        {"name": "nonce", "passed": True, "detail": ""},
        {"name": "anchor", "passed": False, "detail": "not there"},
        {"name": "status", "passed": None, "detail": "not checked"},
    ]
    refusal = result(
        json_reply({"status": "refused", "checks": checks, "attributes": None})
    ).refusal
    assert refusal == Check(name="anchor", passed=False, detail="not there")


@pytest.mark.parametrize("state", ["pending", "fetched"])
def test_waiting_ends_with_the_answer(state: str) -> None:
    replies = [
        json_reply({"status": state, "checks": [], "attributes": None}),
        json_reply(ACCEPTED),
    ]
    no_stream = json_reply({"code": "too_many_streams"}, status=503)
    with (
        HttpStand(
            lambda request: no_stream if request.path.endswith("/events") else replies.pop(0)
        ) as server,
        GatewayClient(server.url, "key") as client,
    ):
        assert client.wait("r1").state == "accepted"
    assert replies == []


def test_waiting_ends_when_time_is_over() -> None:
    pending = json_reply({"status": "pending", "checks": [], "attributes": None})
    with (
        HttpStand(lambda _request: pending) as server,
        GatewayClient(server.url, "key") as client,
    ):
        assert client.wait("r1", timeout_s=0).is_open


@pytest.mark.parametrize("name", CREATED)
@pytest.mark.parametrize("value", [None, 5, ["r1"], {}])
def test_a_request_without_what_it_needs(name: str, value: object) -> None:
    with pytest.raises(TransportError, match=f"has no {name}"):
        ask(json_reply({**CREATED, name: value}, status=201))


@pytest.mark.parametrize(
    "change",
    [
        {"status": None},
        {"status": 1},
        {"checks": None},
        {"checks": {}},
        {"checks": [None]},
        {"checks": ["nonce"]},
        {"checks": [{"name": "nonce", "passed": True}]},
        {"checks": [{"name": 1, "passed": True, "detail": ""}]},
        {"checks": [{"name": "nonce", "passed": "yes", "detail": ""}]},
        {"checks": [{"name": "nonce", "passed": 1, "detail": ""}]},
        {"attributes": []},
        {"attributes": "address"},
    ],
    ids=str,
)
def test_a_result_that_is_none(change: dict[str, object]) -> None:
    with pytest.raises(TransportError, match="the service's answer has"):
        result(json_reply({**ACCEPTED, **change}))


@pytest.mark.parametrize("send", [ask, result])
@pytest.mark.parametrize("status", [200, 201, 500])
@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"id": NaN}'])
def test_an_answer_that_is_no_json_object(
    send: Callable[[Reply], object], status: int, body: bytes
) -> None:
    with pytest.raises(TransportError):
        send(Reply(status=status, body=body))


@pytest.mark.parametrize("send", [ask, result])
@pytest.mark.parametrize("status", [202, 400, 401, 404, 429, 500])
def test_a_refusal_says_why(send: Callable[[Reply], object], status: int) -> None:
    problem = {"title": "Not known", "detail": "No request has this id.", "code": "unknown_request"}
    reply = json_reply(problem, status=status)
    with pytest.raises(ServiceRefusedError, match=f"HTTP {status}.*Not known") as raised:
        send(reply)
    assert raised.value.code == "unknown_request"


@pytest.mark.parametrize("problem", [{}, {"title": [], "detail": 5, "code": {}}])
def test_a_refusal_that_says_nothing(problem: dict[str, object]) -> None:
    with pytest.raises(ServiceRefusedError, match="HTTP 400"):
        ask(json_reply(problem, status=400))


def test_an_id_cannot_name_another_resource() -> None:
    def answer(_request: Received) -> Reply:
        return json_reply(ACCEPTED)

    with HttpStand(answer) as server, GatewayClient(server.url, "key") as client:
        client.result("../admin?x#y z")
    assert server.received[0].path == "/requests/..%2Fadmin%3Fx%23y%20z"


def test_nobody_listens() -> None:
    with HttpStand(lambda _request: Reply()) as server:
        url = server.url
    with GatewayClient(url, "the-key") as client:
        with pytest.raises(TransportError) as raised:
            client.ask(["address"], purpose="why")
        assert "the-key" not in str(raised.value)
        assert "the-key" not in repr(client)

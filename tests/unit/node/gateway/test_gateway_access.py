"""API keys of verifiers: shown once, scoped, ended by time or hand; and how often one may call."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.gateway_world import GatewayWorld
from werkzeug.test import TestResponse

from node.gateway.api_keys import Scope
from node.gateway.gateway_store import GatewayStore

DAY_MS = 86_400_000
BODY = {"attributes": ["address"], "purpose": "Residence certificate"}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayWorld]:
    world = GatewayWorld(tmp_path)
    yield world
    world.close()


def ask(gateway: GatewayWorld, key: str) -> TestResponse:
    return gateway.client.post("/requests", json=BODY, headers={"Authorization": f"Bearer {key}"})


def read(gateway: GatewayWorld, key: str, request_id: str) -> TestResponse:
    headers = {"Authorization": f"Bearer {key}"}
    return gateway.client.get(f"/requests/{request_id}", headers=headers)


def test_a_key_opens_what_its_scopes_say(gateway: GatewayWorld) -> None:
    asks = gateway.make_key("city", Scope.REQUESTS_WRITE)
    reads = gateway.make_key("city", Scope.RESULTS_READ)
    created = ask(gateway, asks).get_json()
    assert read(gateway, reads, created["id"]).status_code == 200
    for refused in (ask(gateway, reads), read(gateway, asks, created["id"])):
        assert refused.status_code == 403
        assert refused.get_json()["code"] == "insufficient_scope"
    assert "requests:write" in ask(gateway, reads).get_json()["detail"]


def test_a_key_ends_with_its_time(gateway: GatewayWorld) -> None:
    key = gateway.make_key("city", expires_at_ms=gateway.world.now_ms + DAY_MS)
    gateway.world.now_ms += DAY_MS - 1
    assert ask(gateway, key).status_code == 201
    gateway.world.now_ms += 1
    assert ask(gateway, key).status_code == 401


def test_a_revoked_key_opens_nothing_from_then_on(gateway: GatewayWorld) -> None:
    made, key = gateway.keys.create(
        "city", scopes=tuple(Scope), now_ms=gateway.world.now_ms, note="till 3"
    )
    assert ask(gateway, key).status_code == 201
    # Another process does it.
    operator = GatewayStore(gateway.config.database_url)
    assert operator.keys.revoke(made.id, now_ms=gateway.world.now_ms)
    assert not operator.keys.revoke(made.id, now_ms=gateway.world.now_ms)
    assert not operator.keys.revoke("0" * 12, now_ms=gateway.world.now_ms)
    operator.close()
    assert ask(gateway, key).status_code == 401
    states = {found.note: found.state_at(gateway.world.now_ms) for found in gateway.keys.all()}
    assert states == {"": "live", "till 3": "revoked"}


def test_a_key_of_a_verifier_who_is_gone_opens_nothing(gateway: GatewayWorld) -> None:
    assert ask(gateway, gateway.make_key("gone")).status_code == 401


def test_a_key_is_nowhere_on_disk(gateway: GatewayWorld) -> None:
    key = gateway.make_key("city")
    assert ask(gateway, key).status_code == 201
    for file in gateway.folder.iterdir():
        assert key.encode() not in file.read_bytes()


def test_who_calls_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    gateway = GatewayWorld(tmp_path, changes={"verifier_rate": "3/hour"})
    first, second = gateway.make_key("city"), gateway.make_key("city")
    assert [ask(gateway, first).status_code for _ in range(4)] == [201, 201, 201, 429]
    refused = ask(gateway, first)
    assert refused.content_type == "application/problem+json"
    assert refused.get_json()["code"] == "too_many_requests"
    assert 1 <= int(refused.headers["Retry-After"]) <= 7200
    # Another key counts for itself.
    assert ask(gateway, second).status_code == 201
    gateway.close()


def test_an_address_of_wallets_is_bounded_by_itself(tmp_path: Path) -> None:
    gateway = GatewayWorld(tmp_path, changes={"wallet_rate": "2/hour"})
    created = gateway.create()
    path = f"/oid4vp/requests/{created['id']}"

    def fetch(address: str) -> int:
        return gateway.client.get(path, environ_base={"REMOTE_ADDR": address}).status_code

    assert [fetch("192.0.2.1") for _ in range(3)] == [200, 200, 429]
    assert fetch("192.0.2.2") == 200
    # What is for verifiers is not counted with it.
    assert gateway.read(created["id"])["status"] == "fetched"
    gateway.close()


def test_wrong_keys_cannot_be_tried_without_end(gateway: GatewayWorld) -> None:
    tried = [ask(gateway, f"wrong-{number}").status_code for number in range(70)]
    assert tried[:60] == [401] * 60
    assert 429 in tried[60:]
    # A good key is let in, also from there.
    assert ask(gateway, gateway.api_keys["city"]).status_code == 201

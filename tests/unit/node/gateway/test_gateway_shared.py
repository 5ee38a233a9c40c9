"""Two gateways on one database: one answer is taken once, and each knows what the other did."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.gateway_world import GatewayWorld

from node.gateway.store import MAX_TRIES


@pytest.fixture
def pair(tmp_path: Path, database_url: str) -> Iterator[tuple[GatewayWorld, GatewayWorld]]:
    changes = {"database_url": database_url}
    first = GatewayWorld(tmp_path, changes=changes)
    second = GatewayWorld(tmp_path, world=first.world, changes=changes)
    yield first, second
    first.close()
    second.close()


def test_a_request_of_one_is_answered_at_the_other(
    pair: tuple[GatewayWorld, GatewayWorld],
) -> None:
    first, second = pair
    created = first.create()
    answered = second.client.post(f"/oid4vp/responses/{created['id']}", data=second.answer(created))
    assert answered.status_code == 200
    assert first.read(created["id"])["status"] == "accepted"


def test_one_answer_is_taken_once_however_often_it_comes_to_both(
    pair: tuple[GatewayWorld, GatewayWorld],
) -> None:
    created = [pair[0].create() for _ in range(4)]
    forms = [pair[0].answer(request) for request in created]

    def post(number: int) -> tuple[int, int]:
        place, gateway = number % 4, pair[number % 2]
        client = gateway.app.test_client()
        path = f"/oid4vp/responses/{created[place]['id']}"
        return place, client.post(path, data=forms[place]).status_code

    with ThreadPoolExecutor(8) as pool:
        answers = [*pool.map(post, range(32))]
    for place in range(4):
        statuses = [status for where, status in answers if where == place]
        assert statuses.count(200) == 1
        assert statuses.count(400) == len(statuses) - 1


def test_tries_count_at_both(pair: tuple[GatewayWorld, GatewayWorld]) -> None:
    first, second = pair
    created = first.create()
    path = f"/oid4vp/responses/{created['id']}"
    for number in range(MAX_TRIES):
        wrong = pair[number % 2].answer(created, paths=[("address",), ("name",)])
        assert pair[number % 2].client.post(path, data=wrong).status_code == 400
    for gateway in pair:
        assert gateway.client.get(f"/oid4vp/requests/{created['id']}").status_code == 404
    assert second.read(created["id"])["status"] == "refused"


def test_a_key_that_one_revokes_opens_neither(pair: tuple[GatewayWorld, GatewayWorld]) -> None:
    first, second = pair
    headers = {"Authorization": f"Bearer {first.api_keys['city']}"}
    path = f"/requests/{'0' * 32}"
    assert second.client.get(path, headers=headers).status_code == 404
    for key in first.keys.all():
        assert first.keys.revoke(key.id, now_ms=first.world.now_ms)
    assert second.client.get(path, headers=headers).status_code == 401

"""An answer that was prepared once is sent until it arrives: nothing is granted or noted twice."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.grant_world import GrantWorld
from support.presentation_world import HOLDER

from chaincode.protocol.commands_pb2 import Command
from chaincode.records import GrantRecord
from client_sdk.errors import RequestError, TransportError
from client_sdk.wallet import PreparedAnswer

PURPOSE = "Certificate of residence"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GrantWorld]:
    made = GrantWorld(tmp_path)
    yield made
    made.close()


def prepare(world: GrantWorld, link: str) -> PreparedAnswer:
    return world.wallet.presentation.prepare(
        world.wallet.presentation.read_request(link), beyond_registration=True
    )


def grants_on_ledger(world: GrantWorld) -> list[str]:
    details = world.ledger.client(HOLDER).details(HOLDER, writer=HOLDER)
    return [key for key in details if key.startswith(GrantRecord.prefix)]


def lose_answers_of_the_ledger(world: GrantWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is submitted come in, and its sender not hear of it."""
    ledger = world.wallet._session.ledger
    submit = ledger.submit

    def submit_and_lose(*commands: Command, **options: Any) -> None:
        submit(*commands, **options)
        raise TransportError("the test cut the line")

    monkeypatch.setattr(ledger, "submit", submit_and_lose)


def test_what_is_prepared_is_neither_granted_nor_sent(world: GrantWorld) -> None:
    with world.verifier() as city:
        created = city.ask(["address"], purpose=PURPOSE)
        prepare(world, created.link)
        assert city.result(created.request_id).state == "fetched"
    assert grants_on_ledger(world) == []
    assert world.wallet.grants.made == ()


def test_a_grant_that_came_in_unheard_is_not_made_again(
    world: GrantWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world.verifier() as city:
        created = city.ask(["address"], purpose=PURPOSE)
        prepared = prepare(world, created.link)
        lose_answers_of_the_ledger(world, monkeypatch)
        for _ in ("the permission of receipts", "the grant"):
            with pytest.raises(TransportError):
                world.wallet.presentation.send(prepared)
        answer = world.wallet.presentation.send(prepared)
        assert city.result(created.request_id).state == "accepted"
    assert answer.grant_ids == tuple(grant.grant_id for grant in prepared.grants)
    assert len(grants_on_ledger(world)) == len(world.wallet.grants.made) == 1
    (entry,) = world.wallet.history()
    assert entry.finding is None


def test_an_answer_that_was_cut_off_is_noted_once(world: GrantWorld) -> None:
    with world.verifier() as city:
        created = city.ask(["address"], purpose=PURPOSE)
        prepared = prepare(world, created.link)
        world.wallet_line.is_cut = True
        with pytest.raises(TransportError):
            world.wallet.presentation.send(prepared)
        world.wallet_line.is_cut = False
        assert city.result(created.request_id).state == "accepted"
        with pytest.raises(RequestError):
            world.wallet.presentation.send(prepared)
    assert len(grants_on_ledger(world)) == 1
    (entry,) = world.wallet.history()
    assert entry.use == 1

"""Recovering with the word of an issuer's counter, also without the card."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.escrow_world import CONTENTS, KDF, PASSWORD, EscrowWorld

from client_sdk.credentials.jose import export_public_jwk, generate_key, thumbprint
from client_sdk.errors import (
    TooFewAgentsError,
    WrongPasswordError,
)
from client_sdk.escrow.access_log import START, sign_head
from client_sdk.escrow.agent_set import agent_set
from client_sdk.escrow.counter_token import CounterToken
from client_sdk.escrow.deposit_statement import DepositStatement, handle_of
from client_sdk.escrow.protection import (
    HolderBinding,
    protect,
)
from client_sdk.escrow.recovery import (
    CounterHelp,
    recover,
    recover_at_counter,
)
from client_sdk.threshold_oprf import share_key
from client_sdk.threshold_oprf.ristretto255 import random_scalar


class CounterWorld(EscrowWorld):
    """Agents that trust an issuer's counter, and a holder with a new phone."""

    def __init__(self, folder: Path) -> None:
        self.issuer_key, self.phone = generate_key(), generate_key()
        key_file = folder / "issuer.jwk"
        key_file.write_text(json.dumps(export_public_jwk(self.issuer_key)))
        super().__init__(
            folder,
            guessing={"unaided": 1, "prompt": 1},
            issuers=[{"name": "city@issuer", "key_file": key_file}],
        )
        self.binding = HolderBinding(account="h@holder", approving_issuer="city@issuer")

    def visit(self, number: int = 1) -> CounterHelp:
        now_s = self.clock() // 1000
        token = CounterToken(
            issuer="city@issuer",
            id=f"visit {number}",
            issued_at=now_s,
            expires_at=now_s + 600,
            account="h@holder",
            key=thumbprint(self.phone),
        )
        return CounterHelp(token=token.sign(self.issuer_key), key=self.phone)


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[CounterWorld]:
    world = CounterWorld(tmp_path)
    yield world
    world.close()


def test_the_counter_helps_when_the_attempts_are_used_up(counter: CounterWorld) -> None:
    card, _ = counter.protect(binding=counter.binding)
    with pytest.raises(WrongPasswordError):
        recover(card, "wrong", http=counter.http)
    with pytest.raises(TooFewAgentsError, match="Go to the counter"):
        recover(card, PASSWORD, http=counter.http)
    visit = counter.visit()
    assert recover(card, PASSWORD, http=counter.http, counter=visit).contents == CONTENTS
    assert visit.token not in repr(visit)


@pytest.mark.parametrize("down", [None, 0, 2])
def test_the_counter_stands_in_for_a_lost_card(counter: CounterWorld, down: int | None) -> None:
    _, protection = counter.protect(binding=counter.binding)
    counter.http.down = set() if down is None else {counter.urls[down]}
    in_any_order = counter.urls[::-1]
    with pytest.raises(WrongPasswordError):
        recover_at_counter(in_any_order, "wrong", counter.visit(1), http=counter.http)
    recovered = recover_at_counter(in_any_order, PASSWORD, counter.visit(2), http=counter.http)
    assert recovered.contents == CONTENTS
    assert recovered.protection.urls == tuple(counter.urls)
    assert recovered.protection.secret == protection.secret
    assert {item.url for item in recovered.findings} == counter.http.down


def test_without_a_card_too_few_agents_are_too_few(counter: CounterWorld) -> None:
    with pytest.raises(TooFewAgentsError, match="no agent knows"):
        recover_at_counter(counter.urls, PASSWORD, counter.visit(), http=counter.http)
    counter.protect(binding=counter.binding)
    counter.http.down = set(counter.urls[1:])
    with pytest.raises(TooFewAgentsError, match="2 agents are needed and 1"):
        recover_at_counter(counter.urls, PASSWORD, counter.visit(2), http=counter.http)


def test_of_deposits_that_lack_agents_the_nearest_is_told(counter: CounterWorld) -> None:
    counter.protect(binding=counter.binding)
    counter.clock.advance(seconds=1)
    protect(
        CONTENTS,
        counter.urls,
        PASSWORD,
        threshold=3,
        http=counter.http,
        now_ms=counter.clock,
        kdf=KDF,
        binding=counter.binding,
    )
    counter.http.down = {counter.urls[2]}
    recovered = recover_at_counter(counter.urls, PASSWORD, counter.visit(), http=counter.http)
    assert recovered.protection.agents.threshold == 2
    counter.http.down = set(counter.urls[1:])
    with pytest.raises(TooFewAgentsError, match="2 agents are needed and 1"):
        recover_at_counter(counter.urls, PASSWORD, counter.visit(2), http=counter.http)


def test_a_deposit_in_anothers_name_does_not_stand_in_the_way_of_a_newer_one(
    counter: CounterWorld,
) -> None:
    # A stranger names the holder's account; what it opens is nothing of the holder's.
    counter.protect("Stranger-55-Kumo-Tori", binding=counter.binding)
    counter.clock.advance(seconds=1)
    counter.protect(binding=counter.binding)
    recovered = recover_at_counter(counter.urls, PASSWORD, counter.visit(), http=counter.http)
    assert recovered.contents == CONTENTS


@pytest.mark.parametrize("keys", [1, 2])
def test_one_agent_makes_up_no_newer_deposit(counter: CounterWorld, keys: int) -> None:
    """Its statement says that it alone is enough, or that it is two by its keys."""
    counter.protect(binding=counter.binding)
    card_key, own = generate_key(), [counter.agents[0].key, generate_key()][:keys]
    handle = handle_of(thumbprint(card_key))
    statement = DepositStatement(
        handle=handle,
        epoch=1 << 50,
        agents=agent_set(keys, [thumbprint(key) for key in own]),
        commitments=share_key(random_scalar(), threshold=keys, parties=keys).commitments,
        kdf=KDF,
        owner_key="A",
        success_key="B",
    ).sign(card_key)

    def lie(_method: str, path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
        if path != "/lookups":
            return None
        (status,) = answer["found"]
        (deposit,) = status["deposits"]
        forged = {"deposits": [{**deposit, "statement": statement}], "handle": handle}
        heads = [sign_head(key, handle=handle, sequence=0, entry_hash=START) for key in own]
        return {"found": [{**status, **forged, "log_head": head} for head in heads]}

    counter.http.tampering = {counter.urls[0]: lie}
    recovered = recover_at_counter(counter.urls, PASSWORD, counter.visit(), http=counter.http)
    assert recovered.contents == CONTENTS
    assert (counter.urls[0], "outdated") in [(it.url, it.fault) for it in recovered.findings]

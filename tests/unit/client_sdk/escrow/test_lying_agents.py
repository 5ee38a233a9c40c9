"""Agents that lie: each is named, and the others finish."""

from dataclasses import replace
from typing import Any

import pytest
from support.escrow_world import CONTENTS, PASSWORD, EscrowWorld

from chaincode.encoding import decode_base64url, encode_base64url
from client_sdk.credentials.jose import generate_key
from client_sdk.errors import (
    TooFewAgentsError,
    WrongPasswordError,
)
from client_sdk.escrow.access_log import LogEntry, sign_head
from client_sdk.escrow.agent_set import agent_set
from client_sdk.escrow.log_reading import read_logs
from client_sdk.escrow.protection import (
    update_backup,
)
from client_sdk.escrow.recovery import (
    recover,
)
from client_sdk.threshold_oprf.ristretto255 import Element, multiply, scalar_of


def _wrong_evaluation(_method: str, path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
    if not path.endswith("/evaluations"):
        return None
    element = multiply(scalar_of(2), Element(decode_base64url(answer["element"])))
    return {**answer, "element": encode_base64url(element)}


def _foreign_index(_method: str, path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
    if not path.endswith("/evaluations"):
        return None
    return {**answer, "index": answer["index"] % 3 + 1}


def _broken_backup(method: str, path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
    if method != "GET" or "/backups/" not in path:
        return None
    sealed = bytearray(decode_base64url(answer["backups"][0]["sealed"]))
    sealed[-1] ^= 1
    return {"backups": [{"version": 2, "sealed": encode_base64url(bytes(sealed))}]}


def _forged_version(method: str, path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
    if method != "GET" or "/backups/" not in path:
        return None
    return {"backups": [{**answer["backups"][0], "version": 9}]}


def _broken_statement(method: str, path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
    if method != "GET" or "/backups/" in path or "deposits" not in answer:
        return None
    head, payload, signature = answer["deposits"][0]["statement"].split(".")
    flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
    return {
        **answer,
        "deposits": [{**answer["deposits"][0], "statement": f"{head}.{payload}.{flipped}"}],
    }


def _nonsense(_method: str, _path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
    return {"nonce": answer["nonce"]} if "nonce" in answer else {"what": "nonsense"}


@pytest.mark.parametrize("liar", [0, 1])
@pytest.mark.parametrize(
    ("lie", "word"),
    [
        (_wrong_evaluation, "not made with the key"),
        (_foreign_index, "another agent's index"),
        (_broken_backup, "does not open: it was changed"),
        (_forged_version, "said to be version 9 does not open"),
        (_broken_statement, "signature"),
    ],
)
def test_a_lying_agent_is_named_and_the_others_finish(
    world: EscrowWorld, liar: int, lie: Any, word: str
) -> None:
    card, protection = world.protect()
    update_backup(protection, {"version": "two"}, http=world.http)
    url = world.urls[liar]
    world.http.tampering = {url: lie}
    recovered = recover(card, PASSWORD, http=world.http)
    assert recovered.contents == {"version": "two"}
    assert [(item.url, item.fault) for item in recovered.findings] == [(url, "wrong")]
    assert word in recovered.findings[0].detail


def test_an_agent_that_hides_the_newest_backup_is_named(world: EscrowWorld) -> None:
    card, protection = world.protect()
    update_backup(protection, {"version": "two"}, http=world.http)

    def hide(method: str, path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
        return (
            {"backups": answer["backups"][1:]} if method == "GET" and "/backups/" in path else None
        )

    world.http.tampering = {world.urls[1]: hide}
    recovered = recover(card, PASSWORD, http=world.http)
    assert recovered.contents == {"version": "two"}
    assert [(item.url, item.fault) for item in recovered.findings] == [(world.urls[1], "outdated")]


def test_an_agent_that_talks_nonsense_is_named(world: EscrowWorld) -> None:
    card, _ = world.protect()
    world.http.tampering = {world.urls[0]: _nonsense}
    recovered = recover(card, PASSWORD, http=world.http)
    assert recovered.contents == CONTENTS
    assert {item.url for item in recovered.findings} == {world.urls[0]}


def test_two_liars_are_both_named(world: EscrowWorld) -> None:
    card, _ = world.protect()
    world.http.tampering = dict.fromkeys(world.urls[:2], _wrong_evaluation)
    with pytest.raises(TooFewAgentsError) as refused:
        recover(card, PASSWORD, http=world.http)
    assert all(f"{url} answered WRONGLY" in str(refused.value) for url in world.urls[:2])


@pytest.mark.parametrize("is_updated", [False, True])
def test_the_wallet_reads_each_agents_log_and_names_one_that_rewrites_it(
    world: EscrowWorld, *, is_updated: bool
) -> None:
    card, protection = world.protect()
    with pytest.raises(WrongPasswordError):
        recover(card, "somebody's guess", http=world.http)
    protection, logs, findings = read_logs(protection, http=world.http)
    assert findings == ()
    assert [log.url for log in logs] == world.urls
    for log in logs[:2]:
        assert ("evaluated", "card") in [(entry.event, entry.caller) for entry in log.entries]

    # One agent forgets the guess, and signs a log without it.
    liar = world.agents[0]

    entry = {**logs[0].entries[0].to_fields(), "event": "deposited"}
    head = sign_head(liar.key, handle=card.handle, sequence=1, entry_hash=LogEntry(**entry).hash)

    def rewrite(method: str, path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
        if method == "PUT":
            return {**answer, "log_head": head}
        return {"entries": [entry], "head": head} if path.endswith("/log") else None

    world.http.tampering = {liar.url: rewrite}
    if is_updated:
        # Its new end comes with the answer to a backup, where nobody reads the log.
        protection, findings = update_backup(protection, CONTENTS, http=world.http)
        assert findings == ()
    _, logs, findings = read_logs(protection, http=world.http)
    assert [log.url for log in logs] == world.urls[1:]
    assert [(item.url, item.fault) for item in findings] == [(liar.url, "wrong")]
    assert "signed earlier" in findings[0].detail


def test_another_agents_signature_under_a_log_is_named(world: EscrowWorld) -> None:
    card, protection = world.protect()
    stranger = generate_key()

    def sign_again(method: str, path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
        del method
        if not path.endswith("/log"):
            return None
        last = LogEntry(**answer["entries"][-1])
        head = sign_head(stranger, handle=card.handle, sequence=last.sequence, entry_hash=last.hash)
        return {**answer, "head": head}

    world.http.tampering = {world.urls[0]: sign_again}
    _, logs, findings = read_logs(protection, http=world.http)
    assert [log.url for log in logs] == world.urls[1:]
    assert [item.detail for item in findings] == ["another agent signed the log"]


@pytest.mark.parametrize("who", ["another agent", "a stranger"])
def test_whoever_answers_at_an_agents_address_is_named(world: EscrowWorld, who: str) -> None:
    card, _ = world.protect()
    key = world.agents[1].key if who == "another agent" else generate_key()

    def sign_again(method: str, path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
        if method != "GET" or not path.endswith(card.handle):
            return None
        head = sign_head(key, handle=card.handle, sequence=1, entry_hash="0" * 64)
        return {**answer, "log_head": head}

    world.http.tampering = {world.urls[0]: sign_again}
    recovered = recover(card, PASSWORD, http=world.http)
    assert recovered.contents == CONTENTS
    assert [(item.url, item.fault) for item in recovered.findings] == [(world.urls[0], "wrong")]


def test_a_statement_of_other_agents_is_refused_though_the_card_signed_it(
    world: EscrowWorld,
) -> None:
    card, _ = world.protect()
    terms = world.agents[0].store.change(card.handle, lambda rows: rows.deposits()[0].terms)
    others = replace(terms, agents=agent_set(2, terms.agents.keys[:2])).sign(card.key)

    def swap(method: str, path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
        if method != "GET" or not path.endswith(card.handle):
            return None
        return {**answer, "deposits": [{**answer["deposits"][0], "statement": others}]}

    world.http.tampering = {world.urls[0]: swap}
    recovered = recover(card, PASSWORD, http=world.http)
    assert "names other agents" in recovered.findings[0].detail

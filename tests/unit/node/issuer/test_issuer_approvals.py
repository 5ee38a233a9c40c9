"""The counter's approvals: what the issuer's service writes to the ledger, and what it refuses."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.issuer_world import ISSUER, IssuerWorld
from support.memory_ledger import named_key
from werkzeug.test import TestResponse

from chaincode.encoding import encode_base64url
from chaincode.records.recovery import (
    ApprovalRecord,
    GuardRecord,
    RecoverRecord,
    approval_digest,
    change_id,
    encode_command,
)
from client_sdk.ledger.commands import set_account_quorum
from client_sdk.ledger.guard_commands import (
    grant_escrow_permissions,
    open_recovery,
    set_guard,
)

HOLDER, ESCROW, OTHER = "h1@holder", "agents@holder", "other@holder"
LOST, NEW, THIEF = named_key(HOLDER), named_key("new phone"), named_key("thief")
RECOVERY = "1" * 32
GUARD = GuardRecord(escrow=ESCROW, issuer=ISSUER, delay_ms=1000, state="standing")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[IssuerWorld]:
    made = IssuerWorld(tmp_path)
    for account in (HOLDER, ESCROW, OTHER):
        made.ledger.add_account(account)
    made.ledger.submit(HOLDER, *grant_escrow_permissions(ESCROW), set_guard(HOLDER, GUARD))
    yield made
    made.store.close()


def approve(world: IssuerWorld, **changes: str) -> TestResponse:
    body = {
        "account": HOLDER,
        "recovery": RECOVERY,
        "new_key": NEW.public_key,
        "lost_key": LOST.public_key,
        **changes,
    }
    return world.operator("/approvals/recoveries", body)


def written(world: IssuerWorld, record_id: str) -> ApprovalRecord | None:
    return world.ledger.client(ISSUER).record(ISSUER, record_id, ApprovalRecord)


def open_for(world: IssuerWorld, key: str) -> None:
    command = open_recovery(HOLDER, RECOVERY, new_key=key, lost_key=LOST.public_key)
    world.ledger.submit(ESCROW, command)


def test_a_recovery_is_approved_before_it_is_opened(world: IssuerWorld) -> None:
    answer = approve(world)
    assert answer.status_code == 201
    assert answer.get_json()["approved"] == (
        f"the key {NEW.public_key} in the place of {LOST.public_key}"
    )
    record = RecoverRecord(new_key=NEW.public_key, lost_key=LOST.public_key)
    approval = written(world, RECOVERY)
    assert approval is not None
    assert approval.account == HOLDER
    assert approval.digest == approval_digest(HOLDER, RecoverRecord.key(RECOVERY), record)


def test_a_recovery_is_approved_while_it_is_open(world: IssuerWorld) -> None:
    open_for(world, NEW.public_key)
    assert approve(world).status_code == 201


def test_a_recovery_for_another_key_is_not_approved(world: IssuerWorld) -> None:
    """Somebody else was faster: the clerk is told, and nothing is written."""
    open_for(world, THIEF.public_key)
    answer = approve(world)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "other_keys")
    assert written(world, RECOVERY) is None


@pytest.mark.parametrize("account", [OTHER, "nobody@holder"])
def test_only_the_named_issuer_approves(world: IssuerWorld, account: str) -> None:
    answer = approve(world, account=account)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "not_this_issuers")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("account", "nobody"),
        ("recovery", "1" * 31),
        ("new_key", "K" * 64),
        ("lost_key", ""),
    ],
)
def test_a_bad_field_is_refused(world: IssuerWorld, field: str, value: str) -> None:
    assert approve(world, **{field: value}).status_code == 422


def test_a_change_is_approved_in_words(world: IssuerWorld) -> None:
    encoded = encode_command(set_account_quorum(HOLDER, 2))
    body = {"account": HOLDER, "command": encode_base64url(encoded)}
    answer = world.operator("/approvals/changes", body)
    assert answer.status_code == 201
    assert answer.get_json()["approved"] == "ask for 2 signatures from now on"
    assert written(world, change_id(encoded)) is not None


@pytest.mark.parametrize("command", ["!", "_" * 40])
def test_what_is_no_command_is_refused(world: IssuerWorld, command: str) -> None:
    body = {"account": HOLDER, "command": command}
    answer = world.operator("/approvals/changes", body)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "invalid_command")


@pytest.mark.parametrize("path", ["/approvals/recoveries", "/approvals/changes"])
def test_the_operators_token_is_needed(world: IssuerWorld, path: str) -> None:
    fields = {"account": HOLDER, "recovery": RECOVERY, "new_key": "ab", "lost_key": "cd"}
    body = fields if path.endswith("recoveries") else {"account": HOLDER, "command": "AA"}
    assert world.http.post(path, json=body).status_code == 401

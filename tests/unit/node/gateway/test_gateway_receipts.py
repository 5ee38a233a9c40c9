"""Receipts at the gateway: on the holder's record first, shown to the verifier then."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.gateway_world import GatewayWorld
from support.presentation_world import ATTRIBUTES, HOLDER, LEDGER_ID, RECEIPT_SECRET
from werkzeug.test import TestResponse

from chaincode.errors import RecordCode
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.records import SeenRecord, decode_record, parse_seen_id
from client_sdk.errors import TransactionFailedError
from client_sdk.ledger.receipts import open_receipt, receipt_key
from client_sdk.openid4vp.response import build_response


@pytest.fixture
def gateway(tmp_path: Path, database_url: str) -> Iterator[GatewayWorld]:
    """A gateway whose responses travel as they are."""
    changes = {"database_url": database_url}
    world = GatewayWorld(tmp_path, encrypt_responses=False, changes=changes)
    yield world
    world.close()


def post_answer(gateway: GatewayWorld, created: dict[str, Any], form: Any) -> TestResponse:
    return gateway.client.post(f"/oid4vp/responses/{created['id']}", data=form)


def receipts_of(gateway: GatewayWorld) -> list[tuple[str, SeenRecord]]:
    """Return the receipts on the holder's account: their record ids and what they hold."""
    details = gateway.world.ledger.details
    return [
        (key.removeprefix(SeenRecord.prefix), decode_record(value, SeenRecord))
        for (account, key), value in details.items()
        if account == HOLDER and key.startswith(SeenRecord.prefix)
    ]


def test_the_holder_reads_who_saw_what_when_and_why(gateway: GatewayWorld) -> None:
    created = gateway.create("address")
    assert post_answer(gateway, created, gateway.answer(created)).status_code == 200
    ((record_id, record),) = receipts_of(gateway)
    grant, use = parse_seen_id(record_id)
    key = receipt_key(RECEIPT_SECRET, grant)
    access = open_receipt(record, key, ledger=LEDGER_ID, account=HOLDER, grant=grant, use=use)
    assert (access.verifier_name, access.purpose) == ("Minato City Hall", "Residence certificate")
    assert access.attributes == (("address",),)
    assert (access.seen_at_ms, access.use) == (gateway.world.now_ms, 1)
    assert str(ATTRIBUTES["address"]).encode() not in record.sealed


def test_nothing_is_shown_while_the_receipt_is_not_written(gateway: GatewayWorld) -> None:
    created = gateway.create("address")
    form = gateway.answer(created)
    ledger = gateway.world.ledger
    ledger.is_writable = False
    assert post_answer(gateway, created, form).status_code == 200
    waiting = gateway.read(created["id"])
    assert (waiting["status"], waiting["attributes"]) == ("recording", None)
    assert waiting["credentials"] is None
    gateway.presentations.tend()
    assert gateway.read(created["id"])["status"] == "recording"
    # A second answer is not taken meanwhile.
    assert post_answer(gateway, created, form).status_code == 400
    ledger.is_writable = True
    gateway.presentations.tend()
    result = gateway.read(created["id"])
    assert result["status"] == "accepted"
    assert result["attributes"] == {"address": ATTRIBUTES["address"]}
    assert result["checks"][-1]["name"] == "receipt"
    assert len(receipts_of(gateway)) == 1


def test_a_ledger_that_is_away_keeps_nothing_from_being_deleted(
    gateway: GatewayWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many receipts wait for it: it is asked once, after what is over was deleted."""
    shown = gateway.create("address")
    assert post_answer(gateway, shown, gateway.answer(shown)).status_code == 200
    waiting = [gateway.create("address") for _ in range(3)]
    forms = [gateway.answer(created) for created in waiting]
    gateway.world.ledger.is_writable = False
    for created, form in zip(waiting, forms, strict=True):
        assert post_answer(gateway, created, form).status_code == 200
    asked: list[bool] = []
    send = gateway.world.ledger.send

    def send_and_note(transaction: Transaction) -> None:
        stored = gateway.store.find(shown["id"])
        asked.append(stored is not None and stored.shown is None)
        send(transaction)

    monkeypatch.setattr(gateway.world.ledger, "send", send_and_note)
    gateway.world.now_ms += gateway.config.result_seconds * 1000
    gateway.presentations.tend()
    assert asked == [True]


def test_a_receipt_that_is_being_written_is_not_sent_again(
    gateway: GatewayWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    created, sent = gateway.create("address"), []
    form, send = gateway.answer(created), gateway.world.ledger.send

    def send_slowly(transaction: Transaction) -> None:
        sent.append(transaction)
        gateway.presentations.tend()
        send(transaction)

    monkeypatch.setattr(gateway.world.ledger, "send", send_slowly)
    assert post_answer(gateway, created, form).status_code == 200
    assert len(sent) == 1
    assert gateway.read(created["id"])["status"] == "accepted"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (RecordCode.STATE_REFUSED, "revoked"),
        (RecordCode.USED_UP, "no use left"),
        (2, "does not let this gateway write"),
        (5, "code 5"),
    ],
)
def test_a_refused_receipt_shows_nothing(gateway: GatewayWorld, code: int, reason: str) -> None:
    created = gateway.create("address")
    form = gateway.answer(created)
    gateway.world.ledger.refusal = TransactionFailedError(
        "refused", tx_hash="0" * 64, status="REJECTED", code=code
    )
    assert post_answer(gateway, created, form).status_code == 400
    result = gateway.read(created["id"])
    assert (result["status"], result["attributes"]) == ("refused", None)
    (failed,) = [check for check in result["checks"] if check["passed"] is False]
    assert failed["name"] == "receipt"
    assert reason in failed["detail"]
    # What was held is gone.
    stored = gateway.store.find(created["id"])
    assert stored is not None
    assert (stored.held, stored.receipt, stored.shown) == (None, None, None)


def test_a_receipt_that_was_written_before_a_crash_is_known_again(gateway: GatewayWorld) -> None:
    created = gateway.create("address")
    form = gateway.answer(created)
    ledger = gateway.world.ledger
    ledger.is_writable = False
    assert post_answer(gateway, created, form).status_code == 200
    ledger.is_writable = True
    (held,) = gateway.store.held()
    assert held.receipt is not None
    ledger.send(Transaction.FromString(held.receipt))
    # The ledger takes no transaction of long ago, and does not need to.
    ledger.refusal = TransactionFailedError("too old", tx_hash="0" * 64, status="REJECTED")
    gateway.presentations.tend()
    assert gateway.read(created["id"])["status"] == "accepted"


def test_a_grant_without_a_usable_receipt_key_is_not_used(gateway: GatewayWorld) -> None:
    created = gateway.create("address")
    request = gateway.fetch(created).request
    proof = replace(gateway.world.grant(request), receipt_key=bytes(32))
    presentation = gateway.world.present(request, proof)
    form = build_response({"resident": [presentation]}, request=request)
    assert post_answer(gateway, created, form).status_code == 400
    result = gateway.read(created["id"])
    assert result["status"] == "refused"
    assert result["checks"][-1]["name"] == "receipt"

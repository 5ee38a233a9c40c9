"""A verifier on members of batches and on status lists: what it takes, and each way it refuses."""

from dataclasses import replace
from typing import Any

import pytest
from support.presentation_world import HOLDER, ISSUER, NOW_MS, key_of_account
from support.status_world import BATCH_ID, INDEX, LIST_ID, SIZE, URI, StatusWorld

from chaincode.encoding import JsonObject, JsonValue
from chaincode.records import BatchRecord, StatusListRecord
from client_sdk.checks import VerificationReport
from client_sdk.credentials.jose import generate_key, sign_compact, thumbprint
from client_sdk.credentials.token_status_list import STATUS_LIST_TYP, Status, StatusReference
from client_sdk.errors import TransportError


def report(world: StatusWorld, **changes: Any) -> VerificationReport:
    request = world.request()
    return world.verifier.report(world.present(request, **changes), request)


def failed(result: VerificationReport) -> tuple[str, str]:
    """Return the name and the words of the check that failed; two empty texts for none."""
    for check in result.checks:
        if check.passed is False:
            assert not result.accepted
            return check.name, check.detail
    assert result.accepted
    return "", ""


@pytest.fixture
def world() -> StatusWorld:
    return StatusWorld()


def test_a_member_of_a_batch_is_verified(world: StatusWorld) -> None:
    result = report(world)
    assert result.accepted
    assert all(check.passed for check in result.checks)
    assert [check.name for check in result.checks][8:11] == ["anchor", "status_list", "status"]


@pytest.mark.parametrize(
    ("status", "words"),
    [(Status.INVALID, "revoked"), (Status.SUSPENDED, "suspended"), (3, "unknown kind")],
)
def test_what_the_list_says_counts(world: StatusWorld, status: int, words: str) -> None:
    world.set_status(status)
    name, detail = failed(report(world))
    assert name == "status"
    assert words in detail
    world.set_status(Status.VALID)
    assert report(world).accepted


@pytest.mark.parametrize("state", ["suspended", "revoked"])
@pytest.mark.parametrize("listed", [Status.VALID, Status.SUSPENDED, Status.INVALID])
def test_of_record_and_list_the_stricter_wins(
    world: StatusWorld, state: str, listed: Status
) -> None:
    world.anchor(world.credential, state=state)
    world.set_status(listed)
    request = world.request()
    alone = super(StatusWorld, world).present(request)
    name, detail = failed(world.verifier.report(alone, request))
    assert name == "status"
    is_revoked = state == "revoked" or listed is Status.INVALID
    assert ("revoked" if is_revoked else "suspended") in detail


def test_a_credential_with_a_list_may_be_anchored_alone(world: StatusWorld) -> None:
    world.anchor(world.credential)
    request = world.request()
    alone = super(StatusWorld, world).present(request)
    assert world.verifier.report(alone, request).accepted
    world.set_status(Status.INVALID)
    assert failed(world.verifier.report(alone, request))[0] == "status"


# The batch


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"root": bytes(32)}, "does not lead to the root"),
        ({"count": 4}, "not in the batch"),
        ({"status_list": "9" * 32}, "another status list"),
        ({"issuer_record": "9" * 32}, "another status list"),
    ],
    ids=lambda change: str(next(iter(change))) if isinstance(change, dict) else "",
)
def test_a_batch_that_does_not_hold_the_credential_is_refused(
    world: StatusWorld, change: dict[str, object], words: str
) -> None:
    world.anchor_batch(world.credential, **change)
    name, detail = failed(report(world))
    assert name == "anchor"
    assert words in detail


def test_a_batch_of_another_account_is_none(world: StatusWorld) -> None:
    record = world.ledger.record(ISSUER, BATCH_ID, BatchRecord)
    assert record is not None
    del world.ledger.details[ISSUER, BatchRecord.key(BATCH_ID)]
    world.ledger.put(HOLDER, BATCH_ID, record)
    assert failed(report(world))[0] == "anchor"


def test_a_batch_expires(world: StatusWorld) -> None:
    world.anchor_batch(world.credential, expires_at_ms=NOW_MS)
    assert failed(report(world))[0] == "status"


def test_a_member_without_its_proof_is_not_anchored(world: StatusWorld) -> None:
    request = world.request()
    bare = super(StatusWorld, world).present(request)
    assert failed(world.verifier.report(bare, request))[0] == "anchor"


GENUINE: JsonObject = {"batch": BATCH_ID, "index": 0, "path": []}
MALFORMED: list[JsonValue] = [
    None,
    "text",
    [],
    {},
    {**GENUINE, "more": 1},
    {**GENUINE, "batch": "x"},
    {**GENUINE, "index": True},
    {**GENUINE, "index": -1},
    {**GENUINE, "index": 1 << 20},
    {**GENUINE, "path": "text"},
    {**GENUINE, "path": [1]},
    {**GENUINE, "path": ["AAAA"]},
    {**GENUINE, "path": ["!" * 43]},
    {**GENUINE, "path": ["A" * 43] * 21},
]


@pytest.mark.parametrize("inclusion", MALFORMED, ids=str)
def test_a_malformed_proof_is_refused(world: StatusWorld, inclusion: JsonValue) -> None:
    assert failed(report(world, inclusion=inclusion))[0] == "anchor"


def test_another_members_proof_is_refused(world: StatusWorld) -> None:
    other = replace(world.inclusion, index=(world.inclusion.index + 1) % 10)
    assert failed(report(world, inclusion=other.to_json()))[0] == "anchor"


def test_a_member_may_be_bound_to_its_own_key_alone(world: StatusWorld) -> None:
    key = generate_key("ES256")
    world.credential = world.issue_member(place={"account": ""}, holder_key=key)
    assert report(world, holder_key=key).accepted


def test_a_credential_that_is_anchored_alone_names_its_account(world: StatusWorld) -> None:
    world.credential = world.issue_member(place={"account": ""})
    world.anchor(world.credential)
    request = world.request()
    alone = super(StatusWorld, world).present(request)
    assert failed(world.verifier.report(alone, request))[0] == "holder_key"


def test_a_member_that_names_an_account_is_bound_to_it(world: StatusWorld) -> None:
    world.ledger.keys[HOLDER] = frozenset()
    result = report(world, holder_key=key_of_account(world.holder))
    assert failed(result)[0] == "holder_key"


# The list: draft-ietf-oauth-status-list


def test_8_1_a_server_that_cannot_be_reached(world: StatusWorld) -> None:
    world.answer = None
    name, detail = failed(report(world))
    assert name == "status_list"
    assert "cannot be fetched" in detail


@pytest.mark.parametrize("status", [204, 301, 404, 406, 500])
def test_8_1_an_answer_that_is_no_success(world: StatusWorld, status: int) -> None:
    assert world.answer is not None
    world.answer = replace(world.answer, status=status)
    assert failed(report(world))[0] == "status_list"


@pytest.mark.parametrize("media_type", ["", "application/jwt", "application/statuslist+cwt"])
def test_8_1_an_answer_of_another_type(world: StatusWorld, media_type: str) -> None:
    assert world.answer is not None
    world.answer = replace(world.answer, media_type=media_type)
    assert failed(report(world))[0] == "status_list"


@pytest.mark.parametrize("body", [b"", b"a.b.c", b"\xff" * 40, b"{}"], ids=repr)
def test_8_3_a_token_that_is_none(world: StatusWorld, body: bytes) -> None:
    assert world.answer is not None
    world.answer = replace(world.answer, body=body)
    assert failed(report(world))[0] == "status_list"


def test_8_3_a_token_of_another_key(world: StatusWorld) -> None:
    other = generate_key()
    world.serve(issuer_key=other)
    assert failed(report(world))[0] == "status_list"
    world.serve(issuer_key=other, header={"kid": thumbprint(other)})
    name, detail = failed(report(world))
    assert name == "status_list"
    assert "not registered" in detail


def test_5_1_a_token_of_another_type(world: StatusWorld) -> None:
    payload: JsonObject = {"sub": URI, "iat": NOW_MS // 1000}
    payload["status_list"] = {"bits": 2, "lst": world.statuses.encode()}
    for typ, name in ((STATUS_LIST_TYP, ""), ("JWT", "status_list")):
        header: JsonObject = {"typ": typ, "kid": thumbprint(world.issuer_key)}
        body = sign_compact(header, payload, world.issuer_key).encode()
        assert world.answer is not None
        world.answer = replace(world.answer, body=body)
        world.anchor_list()
        assert failed(report(world))[0] == name


def test_8_3_a_token_of_another_uri(world: StatusWorld) -> None:
    world.serve(uri="https://issuer.example/status-lists/2")
    assert failed(report(world))[0] == "status_list"


def test_8_3_a_token_that_has_expired(world: StatusWorld) -> None:
    world.serve(issued_at=NOW_MS // 1000 - 3600, expires_at=NOW_MS // 1000 - 61)
    assert failed(report(world))[0] == "status_list"


def test_8_3_an_index_outside_the_list(world: StatusWorld) -> None:
    for index, name in ((SIZE - 1, ""), (SIZE, "status_list")):
        claim = StatusReference(index=index, uri=URI).to_claim()
        world.credential = world.issue_member(claims={"status": claim})
        assert failed(report(world))[0] == name


@pytest.mark.parametrize(
    "claim",
    [
        {},
        {"status_list": {"idx": INDEX, "uri": "https://issuer.example/status-lists/2"}},
    ],
    ids=["no reference", "another uri"],
)
def test_6_2_a_reference_to_another_list(world: StatusWorld, claim: JsonObject) -> None:
    world.credential = world.issue_member(claims={"status": claim})
    assert failed(report(world))[0] == "status_list"
    assert world.fetched == 0


def test_a_list_that_the_credential_does_not_place_on_the_ledger(world: StatusWorld) -> None:
    claim = StatusReference(index=INDEX, uri=URI).to_claim()
    world.credential = world.issue(claims={"status": claim})
    request = world.request()
    alone = super(StatusWorld, world).present(request)
    assert failed(world.verifier.report(alone, request))[0] == "status_list"


@pytest.mark.parametrize("status_list", [1, "", "9" * 32], ids=["no text", "no id", "unknown"])
def test_a_list_that_the_ledger_does_not_know(world: StatusWorld, status_list: JsonValue) -> None:
    world.credential = world.issue_member(place={"status": status_list})
    assert failed(report(world))[0] == "anchor"


# Copies


def test_13_7_a_copy_is_used_until_its_ttl_is_over(world: StatusWorld) -> None:
    for _ in range(3):
        assert report(world).accepted
    assert world.fetched == 1
    world.now_ms += 299_000
    assert report(world).accepted
    assert world.fetched == 1
    world.now_ms += 1_000
    assert report(world).accepted
    assert world.fetched == 2


def test_a_copy_counts_only_while_the_ledger_names_its_version(world: StatusWorld) -> None:
    assert report(world).accepted
    world.set_status(Status.INVALID)
    assert failed(report(world))[0] == "status"
    assert world.fetched == 2
    # The issuer's server hangs back: nothing is known, so nothing is accepted.
    world.statuses[INDEX] = Status.VALID
    world.anchor_list()
    name, detail = failed(report(world))
    assert name == "status_list"
    assert "not the one that the ledger names" in detail


def test_the_same_bytes_under_a_new_version_are_fetched_anew(world: StatusWorld) -> None:
    assert report(world).accepted
    world.anchor_list()
    assert report(world).accepted
    assert world.fetched == 2


def test_a_list_of_other_bits_than_the_ledgers_is_refused(world: StatusWorld) -> None:
    world.anchor_list(bits=1)
    assert failed(report(world))[0] == "status_list"


def test_a_change_between_the_two_readings_is_seen(world: StatusWorld) -> None:
    """The list changes after the verifier has read the ledger and before it fetches."""

    def change() -> None:
        world.statuses[0] = Status.INVALID
        world.publish()

    world.before_fetch = change
    assert report(world).accepted


def test_a_ledger_that_cannot_be_reached_is_no_refusal(world: StatusWorld) -> None:
    request = world.request()
    answer = world.present(request)
    world.ledger.cut_off()
    with pytest.raises(TransportError):
        world.verifier.report(answer, request)


def test_records_of_another_account_do_not_count(world: StatusWorld) -> None:
    record = world.ledger.record(ISSUER, LIST_ID, StatusListRecord)
    assert record is not None
    del world.ledger.details[ISSUER, StatusListRecord.key(LIST_ID)]
    world.ledger.put(HOLDER, LIST_ID, record)
    assert failed(report(world))[0] == "anchor"

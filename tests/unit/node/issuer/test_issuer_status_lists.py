"""The issuer's status lists: published in both forms, anchored, and no place given out twice."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from support.issuer_world import ISSUER, IssuerWorld
from support.presentation_world import key_of_account

from chaincode.encoding import JsonObject
from chaincode.records import CredentialRecord, StatusListRecord
from client_sdk.credentials.bitstring_status_list import (
    MIN_ENTRIES,
    StatusEntry,
    read_list_credential,
)
from client_sdk.credentials.jose import generate_key, parse_compact, thumbprint
from client_sdk.credentials.status_bits import STATUS_OF, join_bits
from client_sdk.credentials.token_status_list import (
    STATUS_LIST_MEDIA_TYPE,
    Status,
    StatusListToken,
    StatusReference,
    verify_status_list,
)
from client_sdk.credentials.vc_jose import verify_vc_jwt
from client_sdk.errors import StatusListError, TransportError
from client_sdk.http.client import HttpAnswer
from client_sdk.issuer.anchor import (
    IssuedCredential,
    IssuerAnchor,
    ListPlace,
    SignedCredential,
)
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.batches import Inclusion
from client_sdk.ledger.commands import create_account
from client_sdk.ledger.grants import new_record_id
from client_sdk.verification.status_lists import StatusLists
from node.errors import StorageError
from node.issuer.batch_queue import BatchQueue
from node.issuer.store import IssuerStore


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[IssuerWorld]:
    made = IssuerWorld(tmp_path, database_url=database_url)
    yield made
    made.store.close()


class Issued:
    """A credential of the service, with what it says of its places."""

    def __init__(self, world: IssuerWorld, element: JsonObject) -> None:
        self.world = world
        self.credential = str(element["credential"])
        payload: Any = parse_compact(self.credential.partition("~")[0]).unverified_payload
        self.record_id, self.list_id = payload["tegata"]["record"], payload["tegata"]["status"]
        reference = StatusReference.from_claim(payload["status"])
        assert reference is not None
        self.reference = reference
        proof = element.get("tegata_inclusion")
        self.inclusion = None if proof is None else Inclusion.from_json(proof)

    @property
    def path(self) -> str:
        return self.reference.uri.removeprefix(self.world.config.public_url)

    def change(self, action: str) -> int:
        return self.world.operator(f"/credentials/{self.record_id}/{action}").status_code

    def listed(self) -> int:
        return fetch_token(self.world, self).statuses[self.reference.index]


def issue_once(world: IssuerWorld, count: int = 1) -> list[Issued]:
    """Have one-time credentials issued."""
    nonce = world.nonce()
    proofs = [world.proof(generate_key(), nonce) for _ in range(count)]
    answer = world.request_credential(world.token(), *proofs)
    assert answer.status_code == 200, answer.text
    return [Issued(world, element) for element in answer.get_json()["credentials"]]


def issue_to_account(world: IssuerWorld) -> Issued:
    key = AccountKey.generate()
    world.ledger.submit("admin@tegata", create_account("h4f2@holder", key.public_key))
    proof = world.proof(key_of_account(key), world.nonce(), account="h4f2@holder")
    answer = world.request_credential(world.token(), proof)
    return Issued(world, answer.get_json()["credentials"][0])


def fetch_token(world: IssuerWorld, issued: Issued) -> StatusListToken:
    answer = world.http.get(issued.path, headers={"Accept": STATUS_LIST_MEDIA_TYPE})
    assert (answer.status_code, answer.mimetype) == (200, STATUS_LIST_MEDIA_TYPE)
    return verify_status_list(
        answer.text,
        issuer_key=world.signing_key,
        expected_uri=issued.reference.uri,
        now_s=world.clock() // 1000,
        leeway_s=0,
    )


def list_record(world: IssuerWorld, issued: Issued) -> StatusListRecord:
    record = world.ledger.client(ISSUER).record(ISSUER, issued.list_id, StatusListRecord)
    assert record is not None
    return record


def test_the_published_list_is_the_one_on_the_ledger(world: IssuerWorld) -> None:
    first, second = issue_once(world, 2)
    for change, version in ((lambda: None, 1), (lambda: first.change("revoke"), 2)):
        change()
        record, token = list_record(world, first), fetch_token(world, first)
        assert (record.version, record.uri) == (version, first.reference.uri)
        assert record.digest == token.statuses.digest()
        assert (token.ttl_s, len(token.statuses)) == (300, 131_072)
    assert (first.listed(), second.listed()) == (Status.INVALID, Status.VALID)


def test_both_forms_say_the_same(world: IssuerWorld) -> None:
    first, second, third = issue_once(world, 3)
    assert (first.change("revoke"), second.change("suspend")) == (200, 200)
    bits = {}
    for purpose, status in STATUS_OF.items():
        url = f"{first.reference.uri}/{purpose}"
        answer = world.http.get(f"{first.path}/{purpose}")
        assert (answer.status_code, answer.mimetype) == (200, "application/vc+jwt")
        now_s = world.clock() // 1000
        verified = verify_vc_jwt(
            answer.text,
            find_issuer_key=lambda _header, _credential: world.signing_key,
            now_s=now_s,
            leeway_s=0,
        )
        entry = StatusEntry(purpose=purpose, index=first.reference.index, list_url=url)
        bits[purpose] = read_list_credential(
            verified.credential, entry=entry, now_s=now_s, leeway_s=0
        )
        for issued in (first, second, third):
            assert bits[purpose][issued.reference.index] == (issued.listed() == status)
    joined = join_bits(bits["revocation"], bits["suspension"])
    assert joined.digest() == list_record(world, first).digest


def test_a_copy_is_asked_for_by_its_etag(world: IssuerWorld) -> None:
    (issued,) = issue_once(world)
    for path in (issued.path, f"{issued.path}/revocation"):
        answer = world.http.get(path)
        etag = answer.headers["ETag"]
        assert answer.headers["Cache-Control"] == "public, no-cache"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        unchanged = world.http.get(path, headers={"If-None-Match": etag})
        assert (unchanged.status_code, unchanged.data) == (304, b"")
        issued.change("suspend")
        changed = world.http.get(path, headers={"If-None-Match": etag})
        assert changed.status_code == 200
        assert changed.headers["ETag"] != etag
        issued.change("reinstate")


def test_a_token_is_signed_anew_before_it_expires(world: IssuerWorld) -> None:
    (issued,) = issue_once(world)
    first = world.http.get(issued.path).text
    world.clock.advance(seconds=299)
    assert world.http.get(issued.path).text == first
    world.clock.advance(seconds=1)
    assert world.http.get(issued.path).text != first


@pytest.mark.parametrize(
    ("path", "accept", "status"),
    [
        ("/status-lists/" + "0" * 32, "*/*", 404),
        ("/status-lists/x", "*/*", 422),
        ("{path}", "application/statuslist+cwt", 406),
        ("{path}", "application/statuslist+cwt, application/statuslist+jwt;q=0.5", 200),
        ("{path}/other", "*/*", 422),
    ],
)
def test_another_list_or_form_is_refused(
    world: IssuerWorld, path: str, accept: str, status: int
) -> None:
    (issued,) = issue_once(world)
    answer = world.http.get(path.format(path=issued.path), headers={"Accept": accept})
    assert answer.status_code == status


# Revocation


@pytest.mark.parametrize("issue", [lambda world: issue_once(world)[0], issue_to_account])
def test_the_operator_changes_list_and_record(world: IssuerWorld, issue: Any) -> None:
    issued = issue(world)
    steps = [
        ("reinstate", 200, Status.VALID),
        ("suspend", 200, Status.SUSPENDED),
        ("suspend", 200, Status.SUSPENDED),
        ("reinstate", 200, Status.VALID),
        ("revoke", 200, Status.INVALID),
        ("revoke", 200, Status.INVALID),
        ("suspend", 409, Status.INVALID),
        ("reinstate", 409, Status.INVALID),
    ]
    for action, answer, status in steps:
        assert issued.change(action) == answer, action
        assert issued.listed() == status
        assert list_record(world, issued).digest == fetch_token(world, issued).statuses.digest()
        record = world.ledger.client(ISSUER).record(ISSUER, issued.record_id, CredentialRecord)
        if issued.inclusion is None:
            names = {Status.VALID: "active", Status.SUSPENDED: "suspended"}
            assert record is not None
            assert record.state == names.get(status, "revoked")
        else:
            assert record is None


@pytest.mark.parametrize("issue", [lambda world: issue_once(world)[0], issue_to_account])
def test_a_revocation_that_the_ledger_missed_is_made_good(world: IssuerWorld, issue: Any) -> None:
    issued = issue(world)
    world.ledger.reachable = False
    assert issued.change("revoke") == 503
    world.ledger.reachable = True
    assert issued.change("revoke") == 200
    assert issued.listed() == Status.INVALID
    assert list_record(world, issued).digest == fetch_token(world, issued).statuses.digest()


@pytest.mark.parametrize("action", ["suspend", "reinstate"])
def test_a_revocation_that_was_half_written_is_not_taken_back(
    world: IssuerWorld, action: str
) -> None:
    """A crash came before the record was written: it still says active."""
    issued = issue_to_account(world)
    world.store.status_lists.set_statuses(issued.list_id, {issued.reference.index: Status.INVALID})
    assert issued.change(action) == 409
    assert issued.listed() == Status.INVALID


def test_a_revocation_wins_against_who_read_the_list_before_it(
    world: IssuerWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    (issued,) = issue_once(world)
    issued.change("revoke")
    monkeypatch.setattr("node.issuer.status_lists.StatusLists.status", lambda *_: Status.VALID)
    assert issued.change("suspend") == 409
    assert issued.listed() == Status.INVALID


def test_a_start_anchors_what_was_left_over(world: IssuerWorld, tmp_path: Path) -> None:
    (issued,) = issue_once(world)
    world.store.status_lists.set_statuses(issued.list_id, {issued.reference.index: Status.INVALID})
    assert list_record(world, issued).digest != fetch_token(world, issued).statuses.digest()
    world.restart()
    assert list_record(world, issued).digest == fetch_token(world, issued).statuses.digest()


def test_a_verifier_follows_the_issuer(world: IssuerWorld) -> None:
    """The verifier's half against the issuer's, over the routes that are really served."""
    (issued,) = issue_once(world)

    def fetch(url: str, *, accept: str) -> HttpAnswer:
        path = url.removeprefix(world.config.public_url)
        answer = world.http.get(path, headers={"Accept": accept})
        return HttpAnswer(status=answer.status_code, media_type=answer.mimetype, body=answer.data)

    lists = StatusLists(fetch, now_ms=world.clock)

    def status() -> int:
        return lists.status(
            issued.reference,
            read_record=lambda: list_record(world, issued),
            keys={thumbprint(world.signing_key): world.signing_key},
        )

    assert status() == Status.VALID
    issued.change("suspend")
    assert status() == Status.SUSPENDED
    issued.change("revoke")
    assert status() == Status.INVALID
    other = (issued.reference.index + 1) % MIN_ENTRIES
    world.store.status_lists.set_statuses(issued.list_id, {other: Status.INVALID})
    # The copy still counts, since the ledger names it: what is not anchored changes nothing.
    assert status() == Status.INVALID
    world.clock.advance(seconds=300)
    with pytest.raises(StatusListError, match="not the one that the ledger names"):
        status()


# Places


def test_no_place_is_given_out_twice(database_url: str) -> None:
    opened = [IssuerStore(database_url) for _ in range(2)]
    stores = [store.status_lists for store in opened]
    stores[0].add("1" * 32, 1024)
    taken: list[int] = []
    for number in range(100):
        places = stores[number % 2].take("1" * 32, 10)
        assert places is not None
        taken += places
    assert stores[0].take("1" * 32, 25) is None
    rest = stores[1].take("1" * 32, 24)
    assert rest is not None
    assert sorted(taken + rest) == list(range(1024))
    for store in opened:
        store.close()


def test_the_order_of_places_cannot_be_foreseen(tmp_path: Path) -> None:
    store = IssuerStore(f"sqlite:///{tmp_path / 'issuer.db'}").status_lists
    orders = []
    for number in range(3):
        store.add(f"{number:032x}", 1024)
        orders.append(store.take(f"{number:032x}", 1024))
    assert all(order is not None and order != sorted(order) for order in orders)
    assert len({str(order) for order in orders}) == 3


def test_a_full_list_is_followed_by_another(world: IssuerWorld) -> None:
    (first,) = issue_once(world)
    assert world.store.status_lists.take(first.list_id, 131_070) is not None
    second, third = issue_once(world, 2)
    assert second.list_id == third.list_id != first.list_id


# The queue


class SlowAnchor:
    """An anchor whose first transaction lasts until the test says so."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.began, self.go_on = threading.Event(), threading.Event()
        self.failure: Exception | None = None

    def anchor_batch(
        self, members: Sequence[SignedCredential], *, status_list: str
    ) -> list[IssuedCredential]:
        assert all(one.list_place and one.list_place.list_id == status_list for one in members)
        self.sizes.append(len(members))
        self.began.set()
        assert self.go_on.wait(60)
        if self.failure is not None:
            raise self.failure
        return [
            IssuedCredential(
                record_id=member.record_id,
                expires_at_ms=member.expires_at_ms,
                credential=member.credential,
            )
            for member in members
        ]


def members(count: int, *, list_id: str = "1" * 32) -> list[SignedCredential]:
    place = ListPlace(list_id=list_id, reference=StatusReference(index=0, uri="https://a.example"))
    return [
        SignedCredential(
            record_id=new_record_id(),
            salted_hash=bytes(32),
            expires_at_ms=1,
            list_place=place,
            credential="",
        )
        for _ in range(count)
    ]


@pytest.fixture
def anchor() -> SlowAnchor:
    return SlowAnchor()


@pytest.fixture
def queue(anchor: SlowAnchor) -> Iterator[BatchQueue]:
    made = BatchQueue(cast(IssuerAnchor, anchor))
    yield made
    anchor.go_on.set()
    made.close()


def test_what_waits_is_anchored_together(queue: BatchQueue, anchor: SlowAnchor) -> None:
    groups = [members(count) for count in (1, 2, 3, 4)]
    other_list = members(5, list_id="2" * 32)
    with ThreadPoolExecutor() as callers:
        first = callers.submit(queue.anchor, groups[0])
        assert anchor.began.wait(60)
        later = [callers.submit(queue.anchor, group) for group in (*groups[1:], other_list)]
        while queue.waiting < 4:
            threading.Event().wait(0.001)
        anchor.go_on.set()
        answers = [future.result(30) for future in (first, *later)]
    assert anchor.sizes[0] == 1
    assert sorted(anchor.sizes[1:]) == [5, 9]
    for group, answer in zip((*groups, other_list), answers, strict=True):
        assert [one.record_id for one in answer] == [member.record_id for member in group]


def test_a_failure_is_told_to_all_who_wait(queue: BatchQueue, anchor: SlowAnchor) -> None:
    anchor.failure = TransportError("the node cannot be reached")
    with ThreadPoolExecutor() as callers:
        first = callers.submit(queue.anchor, members(1))
        assert anchor.began.wait(60)
        later = [callers.submit(queue.anchor, members(2)) for _ in range(2)]
        anchor.go_on.set()
        for future in (first, *later):
            with pytest.raises(TransportError):
                future.result(30)
    anchor.failure = None
    assert len(queue.anchor(members(1))) == 1


def test_a_member_without_a_list_is_a_fault(queue: BatchQueue, anchor: SlowAnchor) -> None:
    anchor.go_on.set()
    (member,) = members(1)
    with pytest.raises(StorageError):
        queue.anchor([replace(member, list_place=None)])
    assert anchor.sizes == []

"""The holder's history: what it tells, and what it notices."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.grant_world import GrantWorld
from support.presentation_world import GATEWAY, HOLDER, LEDGER_ID, RESIDENT

from chaincode.protocol.primitive_pb2 import GrantablePermission
from chaincode.records import SeenRecord, encode_record, seen_id
from chaincode.world_state import StateOverlay, detail_key, put_detail
from client_sdk.errors import RequestError, TransportError
from client_sdk.ledger.commands import grant_permission, set_account_detail
from client_sdk.ledger.receipts import Access, build_receipt, receipt_key
from client_sdk.openid4vp.dcql_query import ClaimsQuery, CredentialQuery, DcqlQuery
from client_sdk.wallet import HistoryEntry
from client_sdk.wallet.contents import WalletContents
from client_sdk.wallet.records import StoredGrant


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GrantWorld]:
    made = GrantWorld(tmp_path)
    yield made
    made.close()


def show_address(world: GrantWorld, purpose: str = "Certificate of residence") -> StoredGrant:
    """Let the city ask for the address, and the holder show it; return the grant."""
    with world.verifier() as city:
        created = city.ask(["address"], purpose=purpose)
        pending = world.wallet.presentation.read_request(created.link)
        world.consent(pending)
        assert city.result(created.request_id).state == "accepted"
    return world.wallet.grants.made[-1]


def only(entries: tuple[HistoryEntry, ...]) -> HistoryEntry:
    (entry,) = entries
    return entry


def put_receipt(
    world: GrantWorld, grant: StoredGrant, use: int = 1, *, writer: str = GATEWAY, **changes: object
) -> None:
    """Write a receipt past the rules of the ledger, as on a daemon that knows none."""
    access = Access(
        grant=grant.grant_id,
        use=use,
        verifier=grant.terms.verifier,
        verifier_name=grant.verifier_name,
        attributes=grant.terms.attributes,
        purpose=grant.terms.purpose,
        seen_at_ms=world.now_ms,
        shown=bytes(32),
    )
    access = replace(access, **changes)
    secret = world.wallet._session.contents.receipt_secret
    record = build_receipt(
        access,
        receipt_key(secret, grant.grant_id).public_bytes,
        ledger=LEDGER_ID,
        account=HOLDER,
    )
    overlay = StateOverlay(world.ledger)
    key = SeenRecord.key(seen_id(grant.grant_id, use))
    put_detail(overlay, HOLDER, writer, key, encode_record(record))
    world.ledger.state.update({key: value or b"" for key, value in overlay.changes.items()})


def test_a_new_wallet_has_no_history(world: GrantWorld) -> None:
    assert world.wallet.history() == ()


def test_it_tells_who_saw_what_when_and_why(world: GrantWorld) -> None:
    first = show_address(world, "A library card")
    world.wait(5_000)
    second = show_address(world)
    entries = world.wallet.history()
    assert [entry.purpose for entry in entries] == ["A library card", "Certificate of residence"]
    assert [entry.grant for entry in entries] == [first.grant_id, second.grant_id]
    assert entries[1] == HistoryEntry(
        at_ms=world.now_ms,
        verifier=second.terms.verifier,
        verifier_name="Minato City Hall",
        attributes=(("address",),),
        purpose="Certificate of residence",
        grant=second.grant_id,
        use=1,
    )


def test_what_was_sent_is_told_whatever_the_verifier_says(world: GrantWorld) -> None:
    with world.verifier() as city:
        created = city.ask(["address"], purpose="Why")
        pending = world.wallet.presentation.read_request(created.link)
        world.wait(400_000)
        with pytest.raises(RequestError):
            world.consent(pending)
    entry = only(world.wallet.history())
    assert (entry.use, entry.attributes) == (None, (("address",),))
    assert entry.finding == "it was sent, and the verifier did not say that it took it"


def test_an_answer_that_was_lost_and_has_its_receipt_is_told_once(world: GrantWorld) -> None:
    with world.verifier() as city:
        created = city.ask(["address"], purpose="Why")
        pending = world.wallet.presentation.read_request(created.link)
        world.wallet_line.is_cut = True
        with pytest.raises(TransportError):
            world.consent(pending)
    entry = only(world.wallet.history())
    assert (entry.use, entry.finding) == (1, None)


def test_it_is_read_on_a_new_phone(world: GrantWorld) -> None:
    show_address(world)
    session = world.wallet._session
    backup = session.contents.to_backup()
    left_out = {"seed": "A" * 43, "protection": None, "issuances": [], "refreshes": []}
    again = WalletContents.from_fields({**backup, **left_out})
    session.update(lambda _: again)
    assert only(world.wallet.history()).finding is None


def test_a_receipt_under_an_unknown_grant(world: GrantWorld) -> None:
    grant = show_address(world)
    session = world.wallet._session
    session.update(lambda contents: contents.without_grant(grant.grant_id))
    entries = world.wallet.history()
    assert [entry.finding for entry in entries if entry.use] == [
        f"{GATEWAY} wrote a receipt under a grant that this wallet never made"
    ]


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"purpose": "Marketing"}, "another verifier, purpose or attribute"),
        ({"verifier": "x509_hash:other"}, "another verifier, purpose or attribute"),
        ({"attributes": (("name",),)}, "another verifier, purpose or attribute"),
        ({"shown": b"x" * 32}, "never sent"),
    ],
)
def test_a_receipt_that_tells_something_else(
    world: GrantWorld, changes: dict[str, object], finding: str
) -> None:
    grant = show_address(world)
    put_receipt(world, grant, **changes)
    entries = [entry for entry in world.wallet.history() if entry.use]
    assert finding in str(only(tuple(entries)).finding)


def test_more_uses_than_were_granted(world: GrantWorld) -> None:
    grant = show_address(world)
    put_receipt(world, grant, use=2)
    assert [entry.finding for entry in world.wallet.history()] == [
        None,
        "the grant was for 1 use(s)",
    ]


def test_a_receipt_by_another_account(world: GrantWorld) -> None:
    grant = show_address(world)
    put_receipt(world, grant, writer="other@gateway")
    found = [entry.finding for entry in world.wallet.history()]
    assert "other@gateway wrote it, which is not the gateway that the grant names" in found


def test_a_receipt_that_cannot_be_read(world: GrantWorld) -> None:
    grant = show_address(world)
    key = detail_key(HOLDER, GATEWAY, SeenRecord.key(seen_id(grant.grant_id, 1)))
    other = SeenRecord(salted_hash=bytes(32), sealed=bytes(600))
    world.ledger.state[key] = encode_record(other).encode()
    read, sent = world.wallet.history()
    assert "cannot be read" in str(read.finding)
    assert read.verifier_name == "Minato City Hall"
    assert "no receipt" in str(sent.finding)


@pytest.mark.parametrize("value", ["", "e30", "nonsense"])
def test_a_receipt_that_is_none(world: GrantWorld, value: str) -> None:
    grant = show_address(world)
    key = detail_key(HOLDER, GATEWAY, SeenRecord.key(seen_id(grant.grant_id, 1)))
    world.ledger.state[key] = value.encode()
    assert world.wallet.history()[0].finding == f"{GATEWAY} wrote a receipt that is not well formed"


def test_a_presentation_without_a_receipt_is_noticed(world: GrantWorld) -> None:
    """A gateway that shows without writing is seen by the holder, who knows what was taken."""
    grant = show_address(world)
    key = detail_key(HOLDER, GATEWAY, SeenRecord.key(seen_id(grant.grant_id, 1)))
    del world.ledger.state[key]
    entry = only(world.wallet.history())
    assert entry.finding == "the verifier took it, and no receipt stands on the ledger"
    assert (entry.use, entry.verifier_name) == (None, "Minato City Hall")


def show_twice(world: GrantWorld, *, second_is_bound: bool) -> tuple[StoredGrant, ...]:
    """Answer two queries of one request with the same credential; return the grants."""
    query = DcqlQuery(
        credentials=tuple(
            CredentialQuery(
                id=name,
                vct_values=(RESIDENT,),
                claims=(ClaimsQuery(path=(name,)),),
                holder_binding=is_bound,
            )
            for name, is_bound in (("address", True), ("name", second_is_bound))
        )
    )
    with world.verifier() as city:
        created = city.ask_query(query, purpose="Certificate of residence")
        world.consent(world.wallet.presentation.read_request(created.link))
        assert city.result(created.request_id).state == "accepted"
    return world.wallet.grants.made


def test_one_receipt_does_not_stand_for_another_of_the_same_answer(world: GrantWorld) -> None:
    kept, hidden = show_twice(world, second_is_bound=True)
    assert [entry.finding for entry in world.wallet.history()] == [None, None]
    del world.ledger.state[detail_key(HOLDER, GATEWAY, SeenRecord.key(seen_id(hidden.grant_id, 1)))]
    findings = {entry.grant: entry.finding for entry in world.wallet.history()}
    assert findings == {
        kept.grant_id: None,
        hidden.grant_id: "the verifier took it, and no receipt stands on the ledger",
    }


def test_what_was_shown_without_a_grant_stands_beside_what_has_a_receipt(world: GrantWorld) -> None:
    (grant,) = show_twice(world, second_is_bound=False)
    entries = world.wallet.history()
    assert {(entry.grant, entry.attributes) for entry in entries} == {
        (grant.grant_id, (("address",),)),
        (None, (("name",),)),
    }
    assert {entry.finding for entry in entries} == {None}


def test_other_details_are_no_history(world: GrantWorld) -> None:
    command = grant_permission(GATEWAY, GrantablePermission.can_set_my_account_detail)
    assert world.ledger.submit(HOLDER, command).code == 0
    note = set_account_detail(HOLDER, "note", "1")
    assert world.ledger.submit(GATEWAY, note).code == 0
    assert world.wallet.history() == ()

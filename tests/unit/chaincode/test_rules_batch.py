"""The rules of batches and of status lists, with a model of what a list may become."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.memory_ledger import START_MS, MemoryLedger

from chaincode.encoding import JsonObject
from chaincode.errors import RecordCode
from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.protocol.primitive_pb2 import GrantablePermission
from chaincode.records import (
    MAX_BATCH,
    BatchRecord,
    IdentityRecord,
    IssuerRecord,
    StatusListRecord,
)
from chaincode.world_state import detail_key
from client_sdk.ledger.commands import grant_permission, set_record

CITY, TOWN = "city@issuer", "town@issuer"
CITY_RECORD, TOWN_RECORD = "c" * 32, "7" * 32
LIST_ID, BATCH_ID, NEW_ID = "1" * 32, "2" * 32, "3" * 32
JWK: JsonObject = {"kty": "OKP", "crv": "Ed25519", "x": "eHh4"}
ISSUER = IssuerRecord(issuer=CITY, credential_types=("urn:a",), keys=(JWK,), state="active")
LIST = StatusListRecord(
    uri="https://issuer.example/status-lists/1",
    bits=2,
    digest=b"d" * 32,
    version=1,
    issuer_record=CITY_RECORD,
)
BATCH = BatchRecord(
    root=b"r" * 32,
    count=MAX_BATCH,
    issuer_record=CITY_RECORD,
    status_list=LIST_ID,
    expires_at_ms=START_MS + 1_000_000,
)


def make_ledger() -> MemoryLedger:
    """Return a ledger with two issuers, of whom the city has a status list."""
    made = MemoryLedger.tegata()
    for account in (CITY, TOWN):
        made.add_account(account)
    made.write_record(REGISTRY_ACCOUNT, CITY_RECORD, ISSUER)
    made.write_record(REGISTRY_ACCOUNT, TOWN_RECORD, replace(ISSUER, issuer=TOWN))
    made.write_record(CITY, LIST_ID, LIST)
    return made


@pytest.fixture
def ledger() -> MemoryLedger:
    return make_ledger()


def code(
    ledger: MemoryLedger, record: IdentityRecord, record_id: str, *, creator: str = CITY
) -> int:
    return ledger.submit(creator, set_record(CITY, record_id, record)).code


def test_a_batch_is_anchored_once(ledger: MemoryLedger) -> None:
    assert code(ledger, BATCH, BATCH_ID) == 0
    for again in (BATCH, replace(BATCH, root=b"x" * 32), replace(BATCH, count=1)):
        assert code(ledger, again, BATCH_ID) == RecordCode.FIELD_CHANGED
    assert code(ledger, BATCH, NEW_ID) == 0


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({"issuer_record": TOWN_RECORD}, RecordCode.NOT_AN_ISSUER),
        ({"issuer_record": NEW_ID}, RecordCode.NOT_AN_ISSUER),
        ({"expires_at_ms": 1}, RecordCode.EXPIRED),
        ({"status_list": NEW_ID}, RecordCode.NO_STATUS_LIST),
    ],
    ids=["another's registration", "no registration", "expired", "no status list"],
)
def test_a_batch_is_refused(
    ledger: MemoryLedger, change: dict[str, object], refused: RecordCode
) -> None:
    assert code(ledger, replace(BATCH, **change), BATCH_ID) == refused  # type: ignore[arg-type]


@pytest.mark.parametrize("record", [BATCH, LIST], ids=["batch", "status list"])
def test_only_the_issuer_itself_writes(ledger: MemoryLedger, record: IdentityRecord) -> None:
    grant = grant_permission(TOWN, GrantablePermission.can_set_my_account_detail)
    assert ledger.submit(CITY, grant).code == 0
    assert code(ledger, record, NEW_ID, creator=TOWN) == RecordCode.NOT_THE_OWNER


def test_a_withdrawn_issuer_makes_nothing_new_but_goes_on_to_revoke(ledger: MemoryLedger) -> None:
    ledger.write_record(REGISTRY_ACCOUNT, CITY_RECORD, replace(ISSUER, state="withdrawn"))
    assert code(ledger, BATCH, BATCH_ID) == RecordCode.NOT_AN_ISSUER
    assert code(ledger, LIST, NEW_ID) == RecordCode.NOT_AN_ISSUER
    assert code(ledger, replace(LIST, version=2, digest=b"e" * 32), LIST_ID) == 0


@pytest.mark.parametrize(
    "change",
    [{"uri": "https://other.example/"}, {"bits": 1}, {"issuer_record": TOWN_RECORD}],
    ids=lambda change: str(next(iter(change))),
)
def test_only_digest_and_version_of_a_list_change(
    ledger: MemoryLedger, change: dict[str, object]
) -> None:
    changed = replace(LIST, version=2, **change)  # type: ignore[arg-type]
    assert code(ledger, changed, LIST_ID) == RecordCode.FIELD_CHANGED


@given(st.lists(st.tuples(st.integers(1, 6), st.sampled_from([b"d" * 32, b"e" * 32])), max_size=8))
def test_the_version_of_a_list_only_grows(writes: list[tuple[int, bytes]]) -> None:
    ledger, newest = make_ledger(), 1
    client = ledger.client(CITY)
    for version, digest in writes:
        written = replace(LIST, version=version, digest=digest)
        expected = 0 if version > newest else RecordCode.OLD_VERSION
        assert code(ledger, written, LIST_ID) == expected
        newest = max(newest, version)
        held = client.record(CITY, LIST_ID, StatusListRecord)
        assert held is not None
        assert held.version == newest


def test_a_broken_list_below_is_named(ledger: MemoryLedger) -> None:
    """History that was made without the rules may hold anything under a reserved key."""
    ledger.state[detail_key(CITY, CITY, StatusListRecord.key(NEW_ID))] = b"broken"
    assert code(ledger, replace(BATCH, status_list=NEW_ID), BATCH_ID) == RecordCode.MALFORMED

"""The rules of the identity records, for both commands that write details: every `RecordCode`."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from support.memory_ledger import START_MS, MemoryLedger

from chaincode.blocks import Receipt, Verdict
from chaincode.encoding import JsonObject
from chaincode.errors import RecordCode
from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.protocol.primitive_pb2 import GrantablePermission
from chaincode.records import (
    CredentialRecord,
    CredentialState,
    GrantRecord,
    GrantState,
    IdentityRecord,
    IssuerRecord,
    encode_record,
)
from chaincode.world_state import detail_key, get_detail
from client_sdk.ledger.commands import (
    compare_and_set_account_detail,
    grant_permission,
    set_account_detail,
)

CITY, TOWN, HOLDER, GATEWAY = "city@issuer", "town@issuer", "h1@holder", "desk@gateway"
CITY_RECORD, TOWN_RECORD, WITHDRAWN_RECORD = "c" * 32, "7" * 32, "d" * 32
NEW = "0123456789abcdef" * 2
LATER_MS = START_MS + 1_000_000
JWK: JsonObject = {
    "kty": "OKP",
    "crv": "Ed25519",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}

ISSUER = IssuerRecord(issuer=CITY, credential_types=("urn:a",), keys=(JWK,), state="active")
CREDENTIAL = CredentialRecord(
    salted_hash=b"h" * 32, issuer_record=CITY_RECORD, expires_at_ms=LATER_MS, state="active"
)
GRANT = GrantRecord(
    commitment=b"c" * 32, gateway=GATEWAY, expires_at_ms=LATER_MS, uses=1, state="live"
)

Write = Callable[[MemoryLedger, str, str, str, str], Receipt]


def by_set(ledger: MemoryLedger, creator: str, account_id: str, key: str, value: str) -> Receipt:
    return ledger.submit(creator, set_account_detail(account_id, key, value))


def by_compare(
    ledger: MemoryLedger, creator: str, account_id: str, key: str, value: str
) -> Receipt:
    old = get_detail(ledger, account_id, creator, key)
    command = compare_and_set_account_detail(account_id, key, value, old_value=old)
    return ledger.submit(creator, command)


@pytest.fixture(params=[by_set, by_compare], ids=["set", "compare and set"])
def write(request: pytest.FixtureRequest) -> Write:
    command: Write = request.param
    return command


@pytest.fixture
def ledger() -> MemoryLedger:
    """Two active issuers, one withdrawn registration of the city, a holder and a gateway."""
    made = MemoryLedger.tegata()
    for account in (CITY, TOWN, HOLDER, GATEWAY):
        made.add_account(account)
    made.write_record(REGISTRY_ACCOUNT, CITY_RECORD, ISSUER)
    made.write_record(REGISTRY_ACCOUNT, TOWN_RECORD, replace(ISSUER, issuer=TOWN))
    made.write_record(REGISTRY_ACCOUNT, WITHDRAWN_RECORD, replace(ISSUER, state="withdrawn"))
    return made


def result(receipt: Receipt) -> int:
    """Return the code of a rejection, or 0."""
    assert (receipt.verdict is Verdict.COMMITTED) == (receipt.code == 0)
    return receipt.code


def write_record(
    write: Write, ledger: MemoryLedger, creator: str, record: IdentityRecord, record_id: str = NEW
) -> int:
    key = record.key(record_id)
    return result(write(ledger, creator, creator, key, encode_record(record)))


@pytest.mark.parametrize(
    "key",
    [
        "tg_",
        "tg_other_" + NEW,
        "tg_cred_",
        "tg_cred_" + "A" * 32,
        "tg_grant_0",
        "tg_issuer_" + "g" * 32,
    ],
)
def test_unknown_kind(write: Write, ledger: MemoryLedger, key: str) -> None:
    value = encode_record(GRANT)
    assert result(write(ledger, HOLDER, HOLDER, key, value)) == RecordCode.UNKNOWN_KIND


@pytest.mark.parametrize("key", ["TG_cred_1", "tg", "tgcred_", "_tg_cred_", "xtg_"])
def test_other_keys_are_not_reserved(write: Write, ledger: MemoryLedger, key: str) -> None:
    assert result(write(ledger, HOLDER, HOLDER, key, "anything")) == 0


@pytest.mark.parametrize(
    "value",
    [
        "",
        "{}",
        "e30",
        encode_record(CREDENTIAL),
        encode_record(GRANT) + "=",
        # {"\ud800":1}: a name that UTF-8 cannot hold
        "eyJcdWQ4MDAiOjF9",
    ],
    ids=["empty", "not base64url", "no fields", "another kind", "padding", "lone surrogate"],
)
def test_malformed(write: Write, ledger: MemoryLedger, value: str) -> None:
    key = GrantRecord.key(NEW)
    assert result(write(ledger, HOLDER, HOLDER, key, value)) == RecordCode.MALFORMED


@pytest.mark.parametrize("record", [ISSUER, CREDENTIAL, GRANT], ids=lambda record: record.prefix)
def test_only_the_account_itself_writes_records(
    write: Write, ledger: MemoryLedger, record: IdentityRecord
) -> None:
    grant = grant_permission(GATEWAY, GrantablePermission.can_set_my_account_detail)
    assert result(ledger.submit(HOLDER, grant)) == 0
    key, value = record.key(NEW), encode_record(record)
    assert result(write(ledger, GATEWAY, HOLDER, "plain", "1")) == 0
    assert result(write(ledger, GATEWAY, HOLDER, key, value)) == RecordCode.NOT_THE_OWNER


def test_only_the_registry_registers_issuers(write: Write, ledger: MemoryLedger) -> None:
    assert write_record(write, ledger, CITY, ISSUER) == RecordCode.NOT_THE_OWNER
    assert write_record(write, ledger, REGISTRY_ACCOUNT, ISSUER) == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, 0),
        ({"state": "withdrawn"}, 0),
        ({"credential_types": ("urn:a", "urn:b")}, 0),
        ({"keys": (JWK, {"kty": "EC", "crv": "P-256"})}, 0),
        ({"issuer": TOWN}, RecordCode.FIELD_CHANGED),
    ],
    ids=str,
)
def test_a_registration_may_change_all_but_its_issuer(
    write: Write, ledger: MemoryLedger, change: dict[str, object], code: int
) -> None:
    changed = replace(ISSUER, **change)  # type: ignore[arg-type]
    assert write_record(write, ledger, REGISTRY_ACCOUNT, changed, CITY_RECORD) == code


def test_a_withdrawn_issuer_may_come_back(write: Write, ledger: MemoryLedger) -> None:
    assert write_record(write, ledger, CITY, replace(CREDENTIAL, issuer_record=WITHDRAWN_RECORD))
    assert write_record(write, ledger, REGISTRY_ACCOUNT, ISSUER, WITHDRAWN_RECORD) == 0
    back = replace(CREDENTIAL, issuer_record=WITHDRAWN_RECORD)
    assert write_record(write, ledger, CITY, back) == 0


@pytest.mark.parametrize(
    ("creator", "issuer_record"),
    [
        (HOLDER, CITY_RECORD),
        (TOWN, CITY_RECORD),
        (CITY, TOWN_RECORD),
        (CITY, WITHDRAWN_RECORD),
        (CITY, "9" * 32),
    ],
    ids=["a holder", "another issuer", "another's record", "withdrawn", "no such record"],
)
def test_not_an_issuer(
    write: Write, ledger: MemoryLedger, creator: str, issuer_record: str
) -> None:
    # Its expiry and state are wrong too: who may issue is asked first.
    record = replace(CREDENTIAL, issuer_record=issuer_record, expires_at_ms=1, state="revoked")
    assert write_record(write, ledger, creator, record) == RecordCode.NOT_AN_ISSUER


@pytest.mark.parametrize(
    ("record", "creator"), [(CREDENTIAL, CITY), (GRANT, HOLDER)], ids=["credential", "grant"]
)
@pytest.mark.parametrize(
    ("milliseconds", "code"), [(-1, RecordCode.EXPIRED), (0, RecordCode.EXPIRED), (1, 0)]
)
def test_a_record_expires_after_its_block(
    write: Write,
    ledger: MemoryLedger,
    record: CredentialRecord | GrantRecord,
    creator: str,
    *,
    milliseconds: int,
    code: int,
) -> None:
    # The transaction takes one tick of the ledger's clock, its block the next.
    block_ms = ledger.now_ms() + 2
    limited = replace(record, expires_at_ms=block_ms + milliseconds)
    assert write_record(write, ledger, creator, limited) == code
    assert ledger.blocks[-1].block_v1.payload.created_time == block_ms


def test_expiry_is_asked_before_the_first_state(write: Write, ledger: MemoryLedger) -> None:
    grant = replace(GRANT, expires_at_ms=1, state="revoked")
    credential = replace(CREDENTIAL, expires_at_ms=1, state="revoked")
    assert write_record(write, ledger, HOLDER, grant) == RecordCode.EXPIRED
    assert write_record(write, ledger, CITY, credential) == RecordCode.EXPIRED


CREDENTIAL_STATES: tuple[CredentialState, ...] = ("active", "suspended", "revoked")
ALLOWED = {
    ("active", "suspended"),
    ("active", "revoked"),
    ("suspended", "active"),
    ("suspended", "revoked"),
}


@pytest.mark.parametrize("after", CREDENTIAL_STATES)
@pytest.mark.parametrize("before", CREDENTIAL_STATES)
def test_credential_transitions(
    write: Write, ledger: MemoryLedger, before: CredentialState, after: CredentialState
) -> None:
    assert write_record(write, ledger, CITY, CREDENTIAL) == 0
    if before != "active":
        assert write_record(write, ledger, CITY, replace(CREDENTIAL, state=before)) == 0
    # A credential whose issuer was withdrawn can still be suspended and revoked.
    ledger.write_record(REGISTRY_ACCOUNT, CITY_RECORD, replace(ISSUER, state="withdrawn"))
    code = 0 if (before, after) in ALLOWED else RecordCode.STATE_REFUSED
    assert write_record(write, ledger, CITY, replace(CREDENTIAL, state=after)) == code


@pytest.mark.parametrize("state", ["suspended", "revoked"])
def test_a_credential_begins_as_active(
    write: Write, ledger: MemoryLedger, state: CredentialState
) -> None:
    record = replace(CREDENTIAL, state=state)
    assert write_record(write, ledger, CITY, record) == RecordCode.STATE_REFUSED


@pytest.mark.parametrize(
    "change",
    [{"salted_hash": b"x" * 32}, {"issuer_record": TOWN_RECORD}, {"expires_at_ms": LATER_MS + 1}],
    ids=lambda change: str(next(iter(change))),
)
@pytest.mark.parametrize("state", CREDENTIAL_STATES)
def test_only_the_state_of_a_credential_changes(
    write: Write, ledger: MemoryLedger, change: dict[str, object], state: CredentialState
) -> None:
    assert write_record(write, ledger, CITY, CREDENTIAL) == 0
    changed = replace(CREDENTIAL, state=state, **change)  # type: ignore[arg-type]
    assert write_record(write, ledger, CITY, changed) == RecordCode.FIELD_CHANGED


GRANT_STATES: tuple[GrantState, ...] = ("live", "revoked")


@pytest.mark.parametrize("after", GRANT_STATES)
@pytest.mark.parametrize("before", GRANT_STATES)
def test_grant_transitions(
    write: Write, ledger: MemoryLedger, before: GrantState, after: GrantState
) -> None:
    assert write_record(write, ledger, HOLDER, GRANT) == 0
    if before == "revoked":
        assert write_record(write, ledger, HOLDER, replace(GRANT, state="revoked")) == 0
    code = 0 if (before, after) == ("live", "revoked") else RecordCode.STATE_REFUSED
    assert write_record(write, ledger, HOLDER, replace(GRANT, state=after)) == code


def test_a_grant_begins_as_live(write: Write, ledger: MemoryLedger) -> None:
    revoked = replace(GRANT, state="revoked")
    assert write_record(write, ledger, HOLDER, revoked) == RecordCode.STATE_REFUSED


@pytest.mark.parametrize(
    "change",
    [
        {"commitment": b"x" * 32},
        {"gateway": "other@gateway"},
        {"expires_at_ms": LATER_MS - 1},
        {"uses": 2},
    ],
    ids=lambda change: str(next(iter(change))),
)
@pytest.mark.parametrize("state", GRANT_STATES)
def test_only_the_state_of_a_grant_changes(
    write: Write, ledger: MemoryLedger, change: dict[str, object], state: GrantState
) -> None:
    assert write_record(write, ledger, HOLDER, GRANT) == 0
    changed = replace(GRANT, state=state, **change)  # type: ignore[arg-type]
    assert write_record(write, ledger, HOLDER, changed) == RecordCode.FIELD_CHANGED


def test_a_grant_can_be_revoked_after_it_expired(write: Write, ledger: MemoryLedger) -> None:
    short = replace(GRANT, expires_at_ms=ledger.now_ms() + 10)
    assert write_record(write, ledger, HOLDER, short) == 0
    while ledger.now_ms() <= short.expires_at_ms:
        pass
    assert write_record(write, ledger, HOLDER, replace(short, state="revoked")) == 0


def test_the_same_id_may_stand_on_two_accounts(write: Write, ledger: MemoryLedger) -> None:
    assert write_record(write, ledger, HOLDER, GRANT) == 0
    assert write_record(write, ledger, GATEWAY, GRANT) == 0


def test_a_broken_record_below_is_named(write: Write, ledger: MemoryLedger) -> None:
    """History that was made without the rules may hold anything under a reserved key."""
    for account_id, record in ((HOLDER, GRANT), (REGISTRY_ACCOUNT, ISSUER)):
        ledger.state[detail_key(account_id, account_id, record.key(NEW))] = b"broken"
    assert write_record(write, ledger, HOLDER, GRANT) == RecordCode.MALFORMED
    credential = replace(CREDENTIAL, issuer_record=NEW)
    assert write_record(write, ledger, CITY, credential, "5" * 32) == RecordCode.MALFORMED

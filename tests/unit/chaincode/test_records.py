"""Identity records: their text form, and every field that is not acceptable."""

from dataclasses import replace

import pytest

from chaincode.encoding import (
    JsonObject,
    JsonValue,
    decode_base64url,
    decode_canonical_json,
    encode_base64url,
    encode_canonical_json,
)
from chaincode.errors import DecodeError
from chaincode.records import (
    MAX_BATCH,
    MAX_RECORD_CHARS,
    MAX_TIME_MS,
    NO_ID,
    AnyRecord,
    BatchRecord,
    CredentialRecord,
    GrantRecord,
    IssuerRecord,
    SeenRecord,
    StatusListRecord,
    decode_record,
    encode_record,
    parse_record_key,
    parse_seen_id,
    seen_id,
)
from chaincode.records.recovery import (
    MAX_DELAY_MS,
    ApprovalRecord,
    ChangeRecord,
    GuardRecord,
    RecoverRecord,
    RecoveryStatus,
    VetoRecord,
    Window,
    approval_digest,
    change_id,
    encode_command,
)
from client_sdk.ledger.commands import add_signatory, set_account_quorum

JWK: JsonObject = {"kty": "OKP", "crv": "Ed25519", "x": "eHh4", "key_ops": ["verify"]}
ISSUER = IssuerRecord(
    issuer="city@issuer", credential_types=("urn:a", "urn:b"), keys=(JWK,), state="active"
)
CREDENTIAL = CredentialRecord(
    salted_hash=bytes(32), issuer_record="0" * 32, expires_at_ms=1, state="active"
)
GRANT = GrantRecord(
    commitment=bytes(32), gateway="desk@gateway", expires_at_ms=1, uses=1, state="live"
)
BATCH = BatchRecord(
    root=bytes(32), count=1, issuer_record="0" * 32, status_list="0" * 32, expires_at_ms=1
)
STATUS_LIST = StatusListRecord(
    uri="https://issuer.example/status-lists/1",
    bits=2,
    digest=bytes(32),
    version=1,
    issuer_record="0" * 32,
)
GUARD = GuardRecord(
    escrow="agents@holder", issuer="city@issuer", delay_ms=MAX_DELAY_MS, state="standing"
)
WINDOW = Window(opened_at_ms=1, matures_at_ms=2)
RECOVER = RecoverRecord(new_key="ed0120" + "a" * 64, lost_key="b" * 64, window=WINDOW)
COMMAND = encode_command(set_account_quorum("h1@holder", 2))
CHANGE = ChangeRecord(command=COMMAND, state="pending", window=WINDOW)
VETO = VetoRecord(vetoed_at_ms=1)
APPROVAL = ApprovalRecord(account="h1@holder", digest=bytes(32), approved_at_ms=1)
STATUS = RecoveryStatus(item="tg_guard", state="open", until_ms=1, firm=True)
WITH_ID: list[AnyRecord] = [
    ISSUER,
    CREDENTIAL,
    BATCH,
    STATUS_LIST,
    GRANT,
    RECOVER,
    CHANGE,
    VETO,
    APPROVAL,
]
SINGLE: list[AnyRecord] = [GUARD, STATUS]
SEEN = SeenRecord(salted_hash=bytes(32), sealed=b"s")
RECORDS: list[AnyRecord] = [*WITH_ID, *SINGLE, SEEN]
AS_SENT: list[AnyRecord] = [
    replace(RECOVER, window=None),
    replace(CHANGE, window=None),
    replace(VETO, vetoed_at_ms=None),
    replace(APPROVAL, approved_at_ms=None),
]
BLOCK_TIMES = {"opened_at_ms", "vetoed_at_ms", "approved_at_ms"}
ID = "0123456789abcdef" * 2


def encoded(fields: JsonObject) -> str:
    return encode_base64url(encode_canonical_json(fields))


@pytest.mark.parametrize("record", [*RECORDS, *AS_SENT], ids=lambda record: record.prefix)
def test_a_record_comes_back(record: AnyRecord) -> None:
    assert decode_record(encode_record(record), type(record)) == record


def test_known_answer() -> None:
    value = encode_record(GRANT)
    assert decode_base64url(value) == (
        b'{"commitment":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","expires_at_ms":1,'
        b'"gateway":"desk@gateway","state":"live","uses":1}'
    )


BAD_KEYS: list[JsonValue] = [
    None,
    [],
    {},
    "jwk",
    ["jwk"],
    [None],
    [{}],
    [{"kty": "RSA", "n": "AQAB"}],
    [{"kty": ["OKP"]}],
    [{"kty": "EC", "x": 1}],
    [{"kty": "EC", "x": None}],
    [{"kty": "EC", "x": {}}],
    [{"kty": "EC", "x": [["deep"]]}],
    [JWK, {"kty": "oct"}],
]
BAD_KEYS += [
    [{"kty": "EC", name: "secret"}] for name in ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
]
BAD_TYPES: list[JsonValue] = [None, [], {}, "urn:a", [""], [1], ["b", "a"], ["a", "a"], [["a"]]]
BAD_ACCOUNTS: list[JsonValue] = [None, "", "a", 1, ["a@b"], "a@b\n", "A@b"]
BAD_DIGESTS: list[JsonValue] = [None, "", 1, "AA", "A" * 42, "A" * 44, "A" * 42 + "=", "é" * 43]
BAD_RECORD_IDS: list[JsonValue] = [None, "", 1, "0" * 31, "A" * 32]
BAD_TIMES: list[JsonValue] = [None, 0, -1, True, "1", [1], MAX_TIME_MS + 1]
BAD_BLOCK_TIMES: list[JsonValue] = [None, 0, -1, True, "1", [1], 2**53]
BAD_SIGNATORIES: list[JsonValue] = [None, "", 1, "A" * 64, "g" * 64, "a" * 137, ["a" * 64]]
BAD_STATES: list[JsonValue] = [None, "", "Active", 1, ["active"], "deleted"]
BAD_FIELDS: list[tuple[AnyRecord, str, list[JsonValue]]] = [
    (ISSUER, "issuer", BAD_ACCOUNTS),
    (ISSUER, "credential_types", BAD_TYPES),
    (ISSUER, "keys", BAD_KEYS),
    (ISSUER, "state", [*BAD_STATES, "suspended"]),
    (CREDENTIAL, "salted_hash", BAD_DIGESTS),
    (CREDENTIAL, "issuer_record", BAD_RECORD_IDS),
    (CREDENTIAL, "expires_at_ms", BAD_TIMES),
    (CREDENTIAL, "state", [*BAD_STATES, "live"]),
    (BATCH, "root", BAD_DIGESTS),
    (BATCH, "count", [None, 0, True, MAX_BATCH + 1]),
    (BATCH, "issuer_record", BAD_RECORD_IDS),
    (BATCH, "status_list", BAD_RECORD_IDS),
    (BATCH, "expires_at_ms", BAD_TIMES),
    (
        STATUS_LIST,
        "uri",
        [None, "", 1, "ftp://a", "https://", "https://a b", "https://" + "a" * 1024],
    ),
    (STATUS_LIST, "bits", [None, 0, 3, True, "1", 16]),
    (STATUS_LIST, "digest", BAD_DIGESTS),
    (STATUS_LIST, "version", [None, 0, -1, True, 2**53]),
    (STATUS_LIST, "issuer_record", BAD_RECORD_IDS),
    (GRANT, "commitment", BAD_DIGESTS),
    (SEEN, "salted_hash", BAD_DIGESTS),
    (SEEN, "sealed", [None, "", 1, "é", "A", [], "A" * (4 * 8_192 // 3 + 2)]),
    (GRANT, "gateway", BAD_ACCOUNTS),
    (GRANT, "expires_at_ms", BAD_TIMES),
    (GRANT, "uses", [None, 0, True, 1_000_001]),
    (GRANT, "state", [*BAD_STATES, "active"]),
    (GUARD, "escrow", BAD_ACCOUNTS),
    (GUARD, "issuer", BAD_ACCOUNTS),
    (GUARD, "delay_ms", [None, 0, True, MAX_DELAY_MS + 1]),
    (GUARD, "state", [*BAD_STATES, "open"]),
    (RECOVER, "new_key", BAD_SIGNATORIES),
    (RECOVER, "lost_key", BAD_SIGNATORIES),
    (RECOVER, "opened_at_ms", BAD_BLOCK_TIMES),
    (RECOVER, "matures_at_ms", BAD_BLOCK_TIMES),
    (CHANGE, "command", [None, "", 1, "!", "AA", encode_base64url(COMMAND + COMMAND), "_" * 40]),
    (CHANGE, "state", [*BAD_STATES, "open"]),
    (CHANGE, "opened_at_ms", BAD_BLOCK_TIMES),
    (VETO, "vetoed_at_ms", BAD_BLOCK_TIMES),
    (APPROVAL, "account", BAD_ACCOUNTS),
    (APPROVAL, "digest", BAD_DIGESTS),
    (APPROVAL, "approved_at_ms", BAD_BLOCK_TIMES),
    (STATUS, "item", [None, 1, ["tg_guard"]]),
    (STATUS, "state", [*BAD_STATES, "pending"]),
    (STATUS, "until_ms", BAD_BLOCK_TIMES),
    (STATUS, "firm", [None, 1, "true"]),
]


@pytest.mark.parametrize(
    ("record", "field", "value"),
    [
        pytest.param(record, field, value, id=f"{record.prefix}.{field}={value!r:.40}")
        for record, field, values in BAD_FIELDS
        for value in values
    ],
)
def test_a_bad_field_is_refused(record: AnyRecord, field: str, value: JsonValue) -> None:
    fields = {**record.to_fields(), field: value}
    with pytest.raises(DecodeError) as refused:
        decode_record(encoded(fields), type(record))
    if isinstance(value, str) and len(value) > 3:
        assert value not in str(refused.value)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.prefix)
def test_exactly_the_fields_of_the_kind_are_there(record: AnyRecord) -> None:
    fields = record.to_fields()
    with pytest.raises(DecodeError, match="does not have"):
        decode_record(encoded({**fields, "more": 1}), type(record))
    for name in fields.keys() - BLOCK_TIMES:
        fewer = {other: value for other, value in fields.items() if other != name}
        with pytest.raises(DecodeError, match=name):
            decode_record(encoded(fewer), type(record))


@pytest.mark.parametrize("other", RECORDS, ids=lambda record: record.prefix)
@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.prefix)
def test_no_record_is_read_as_another_kind(record: AnyRecord, other: AnyRecord) -> None:
    if record is not other:
        with pytest.raises(DecodeError):
            decode_record(encode_record(record), type(other))


def test_limits_are_inside() -> None:
    for record in (
        replace(GRANT, uses=1_000_000, expires_at_ms=MAX_TIME_MS),
        replace(CREDENTIAL, expires_at_ms=MAX_TIME_MS),
        replace(BATCH, count=MAX_BATCH),
        replace(STATUS_LIST, version=2**53 - 1, bits=8),
    ):
        assert decode_record(encode_record(record), type(record)) == record


def test_a_record_has_a_longest_form() -> None:
    def padded(size: int) -> IssuerRecord:
        return replace(ISSUER, credential_types=("a" * size,))

    room = next(size for size in range(13_000, 11_000, -1) if _fits(padded(size)))
    assert MAX_RECORD_CHARS - 3 <= len(encode_record(padded(room))) <= MAX_RECORD_CHARS
    with pytest.raises(DecodeError, match="longer than"):
        encode_record(padded(room + 3))


def _fits(record: IssuerRecord) -> bool:
    return len(encoded(record.to_fields())) <= MAX_RECORD_CHARS


@pytest.mark.parametrize(
    "record",
    [
        replace(ISSUER, issuer="nobody"),
        replace(ISSUER, credential_types=("b", "a")),
        replace(ISSUER, keys=({**JWK, "d": "secret"},)),
        replace(ISSUER, credential_types=("\ud800",)),
        replace(CREDENTIAL, salted_hash=b"short"),
        replace(CREDENTIAL, expires_at_ms=2**60),
        replace(GRANT, uses=0),
    ],
    ids=["account", "order", "private key", "surrogate", "digest", "time", "uses"],
)
def test_a_bad_record_is_never_encoded(record: AnyRecord) -> None:
    with pytest.raises(DecodeError) as refused:
        encode_record(record)
    assert "secret" not in str(refused.value)


def test_how_deep_json_nests_never_decides() -> None:
    """The same value is refused whatever the depth of the caller's stack."""

    def nested(depth: int) -> JsonValue:
        value: JsonValue = "x"
        for _ in range(depth):
            value = [value]
        return value

    def from_depth(frames: int, value: str) -> None:
        if frames:
            from_depth(frames - 1, value)
        else:
            decode_record(value, IssuerRecord)

    value = encoded({**ISSUER.to_fields(), "keys": [{"kty": "EC", "x": nested(100)}]})
    for frames in (0, 800):
        with pytest.raises(DecodeError):
            from_depth(frames, value)


@pytest.mark.parametrize("record", SINGLE, ids=lambda record: record.prefix)
def test_single_records_have_no_id(record: AnyRecord) -> None:
    assert record.key(NO_ID) == record.prefix
    assert parse_record_key(record.prefix) == (type(record), NO_ID)
    with pytest.raises(DecodeError, match="reserved"):
        parse_record_key(record.prefix + "_" + ID)


@pytest.mark.parametrize("record", WITH_ID, ids=lambda record: record.prefix)
def test_record_keys(record: AnyRecord) -> None:
    kind = type(record)
    assert kind.key(ID) == kind.prefix + ID
    assert parse_record_key(kind.key(ID)) == (kind, ID)
    assert len(kind.key(ID)) <= 64
    for record_id in ("", ID[:-1], ID + "0", ID.upper(), "g" * 32):
        with pytest.raises(DecodeError, match="32 lower-case hex digits"):
            parse_record_key(kind.prefix + record_id)


@pytest.mark.parametrize("key", ["tg_", "tg_saw_" + ID, "tg_cred", "", "age", "xtg_cred_" + ID])
def test_other_keys_are_of_no_kind(key: str) -> None:
    with pytest.raises(DecodeError, match="reserved"):
        parse_record_key(key)


def test_the_form_is_canonical() -> None:
    value = encode_record(GRANT)
    assert decode_canonical_json(decode_base64url(value)) == GRANT.to_fields()
    loose = encode_base64url(decode_base64url(value).replace(b",", b", "))
    with pytest.raises(DecodeError, match="canonical form"):
        decode_record(loose, GrantRecord)


def test_a_command_is_announced_under_one_id() -> None:
    upper, lower = (
        encode_command(add_signatory("h1@holder", key)) for key in ("AB" * 32, "ab" * 32)
    )
    assert upper == lower
    assert change_id(upper) == change_id(lower) != change_id(COMMAND)
    assert parse_record_key(ChangeRecord.key(change_id(upper))) == (ChangeRecord, change_id(upper))


def test_an_approval_stands_for_one_record_of_one_account() -> None:
    key = RecoverRecord.key(ID)
    digest = approval_digest("h1@holder", key, RECOVER)
    assert digest == approval_digest("h1@holder", key, replace(RECOVER, window=None))
    others = [
        approval_digest("h2@holder", key, RECOVER),
        approval_digest("h1@holder", RecoverRecord.key("0" * 32), RECOVER),
        approval_digest("h1@holder", key, replace(RECOVER, new_key="c" * 64)),
        approval_digest("h1@holder", key, replace(RECOVER, lost_key="c" * 64)),
    ]
    assert len({digest, *others}) == 5


@pytest.mark.parametrize("use", [1, 10, 1_000_000])
def test_the_key_of_a_receipt(use: int) -> None:
    key = SeenRecord.key(seen_id(ID, use))
    kind, record_id = parse_record_key(key)
    assert (kind, parse_seen_id(record_id)) == (SeenRecord, (ID, use))
    assert len(key) <= 64

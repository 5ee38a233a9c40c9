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
    MAX_RECORD_CHARS,
    MAX_TIME_MS,
    AnyRecord,
    CredentialRecord,
    GrantRecord,
    IssuerRecord,
    decode_record,
    encode_record,
    parse_record_key,
)

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
RECORDS: list[AnyRecord] = [ISSUER, CREDENTIAL, GRANT]
ID = "0123456789abcdef" * 2


def encoded(fields: JsonObject) -> str:
    return encode_base64url(encode_canonical_json(fields))


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.prefix)
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
BAD_TIMES: list[JsonValue] = [None, 0, -1, True, "1", [1], MAX_TIME_MS + 1]
BAD_STATES: list[JsonValue] = [None, "", "Active", 1, ["active"], "deleted"]
BAD_FIELDS: list[tuple[AnyRecord, str, list[JsonValue]]] = [
    (ISSUER, "issuer", BAD_ACCOUNTS),
    (ISSUER, "credential_types", BAD_TYPES),
    (ISSUER, "keys", BAD_KEYS),
    (ISSUER, "state", [*BAD_STATES, "suspended"]),
    (CREDENTIAL, "salted_hash", BAD_DIGESTS),
    (CREDENTIAL, "issuer_record", [None, "", 1, "0" * 31, "A" * 32]),
    (CREDENTIAL, "expires_at_ms", BAD_TIMES),
    (CREDENTIAL, "state", [*BAD_STATES, "live"]),
    (GRANT, "commitment", BAD_DIGESTS),
    (GRANT, "gateway", BAD_ACCOUNTS),
    (GRANT, "expires_at_ms", BAD_TIMES),
    (GRANT, "uses", [None, 0, True, 1_000_001]),
    (GRANT, "state", [*BAD_STATES, "active"]),
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
    for name in fields:
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


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.prefix)
def test_record_keys(record: AnyRecord) -> None:
    kind = type(record)
    assert kind.key(ID) == kind.prefix + ID
    assert parse_record_key(kind.key(ID)) == (kind, ID)
    assert len(kind.key(ID)) <= 64
    for record_id in ("", ID[:-1], ID + "0", ID.upper(), "g" * 32):
        with pytest.raises(DecodeError, match="32 lower-case hex digits"):
            parse_record_key(kind.prefix + record_id)


@pytest.mark.parametrize("key", ["tg_", "tg_seen_" + ID, "tg_cred", "", "age", "xtg_cred_" + ID])
def test_other_keys_are_of_no_kind(key: str) -> None:
    with pytest.raises(DecodeError, match="reserved"):
        parse_record_key(key)


def test_the_form_is_canonical() -> None:
    value = encode_record(GRANT)
    assert decode_canonical_json(decode_base64url(value)) == GRANT.to_fields()
    loose = encode_base64url(decode_base64url(value).replace(b",", b", "))
    with pytest.raises(DecodeError, match="canonical form"):
        decode_record(loose, GrantRecord)

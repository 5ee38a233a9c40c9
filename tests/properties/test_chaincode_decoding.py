"""Whatever bytes or text come in, only the package's own errors come out."""

import contextlib
from typing import get_args

import pytest
from google.protobuf.message import DecodeError as ProtobufDecodeError
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.memory_ledger import START_MS, named_key, sign_transaction
from support.small_ledger import ALICE, key_of, small_ledger

from chaincode.encoding import (
    JsonObject,
    decode_base64url,
    decode_canonical_json,
    encode_base64url,
    encode_canonical_json,
)
from chaincode.errors import ChaincodeError, DecodeError, SignatureInvalidError
from chaincode.ids import ACCOUNT_ID, RECORD_ID, SIGNATORY
from chaincode.multisignature import PendingBatches
from chaincode.protocol.queries_pb2 import Query
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.queries import answer_query
from chaincode.records import (
    MAX_BATCH,
    MAX_TIME_MS,
    AnyRecord,
    BatchRecord,
    CredentialRecord,
    GrantRecord,
    IssuerRecord,
    StatusListRecord,
    decode_record,
    encode_record,
    parse_record_key,
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
    encode_command,
)
from chaincode.signatures import parse_public_key, verify_signature
from chaincode.stateless import TimeWindow, validate_query, validate_transaction
from client_sdk.ledger.commands import add_signatory

KINDS: tuple[type[AnyRecord], ...] = get_args(AnyRecord)
ANY_TEXT = st.text(st.characters(categories=None), max_size=200)
BASE64_TEXT = st.text("AZaz09-_+/= ", max_size=60)
JSON_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT
JSON = st.recursive(
    JSON_SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=20,
)
FIELD_NAMES = st.sampled_from(
    [
        *("issuer", "credential_types", "keys", "state", "salted_hash", "issuer_record"),
        *("expires_at_ms", "commitment", "gateway", "uses"),
        *("root", "count", "status_list", "uri", "bits", "version"),
        *("escrow", "delay_ms", "new_key", "lost_key", "opened_at_ms", "matures_at_ms"),
        *("command", "vetoed_at_ms", "account", "digest", "item", "until_ms", "firm"),
    ]
)
LIKELY = st.sampled_from(
    ["a@b", "active", "live", "0" * 32, "A" * 43, 1, ["urn:a"], [{"kty": "EC", "x": "y"}]]
)
FIELDS = st.dictionaries(FIELD_NAMES | ANY_TEXT, LIKELY | JSON, max_size=10)

ACCOUNT_IDS = st.from_regex(ACCOUNT_ID, fullmatch=True)
RECORD_IDS = st.from_regex(RECORD_ID, fullmatch=True)
TIMES = st.integers(1, MAX_TIME_MS)
SIGNATORIES = st.from_regex(SIGNATORY, fullmatch=True)
WINDOWS = st.none() | st.builds(Window, opened_at_ms=TIMES, matures_at_ms=TIMES)
DIGESTS = st.binary(min_size=32, max_size=32)
TEXT = st.text(max_size=30)
JWK_MEMBERS = st.sampled_from(["crv", "x", "y", "kid", "use", "alg", "x5c", "é"])
JWKS = st.builds(
    lambda kty, more: {**more, "kty": kty},
    st.sampled_from(["OKP", "EC"]),
    st.dictionaries(JWK_MEMBERS, TEXT | st.lists(TEXT, max_size=3), max_size=5),
)
RECORDS: st.SearchStrategy[AnyRecord] = st.one_of(
    st.builds(
        IssuerRecord,
        issuer=ACCOUNT_IDS,
        credential_types=st.sets(st.text(min_size=1, max_size=30), min_size=1, max_size=4).map(
            lambda names: tuple(sorted(names))
        ),
        keys=st.lists(JWKS, min_size=1, max_size=3).map(tuple),
        state=st.sampled_from(["active", "withdrawn"]),
    ),
    st.builds(
        CredentialRecord,
        salted_hash=DIGESTS,
        issuer_record=RECORD_IDS,
        expires_at_ms=TIMES,
        state=st.sampled_from(["active", "suspended", "revoked"]),
    ),
    st.builds(
        BatchRecord,
        root=DIGESTS,
        count=st.integers(1, MAX_BATCH),
        issuer_record=RECORD_IDS,
        status_list=RECORD_IDS,
        expires_at_ms=TIMES,
    ),
    st.builds(
        StatusListRecord,
        uri=st.text("az09-_/?%", max_size=30).map(lambda path: f"https://issuer.example/{path}"),
        bits=st.sampled_from([1, 2, 4, 8]),
        digest=DIGESTS,
        version=st.integers(1, 2**53 - 1),
        issuer_record=RECORD_IDS,
    ),
    st.builds(
        GuardRecord,
        escrow=ACCOUNT_IDS,
        issuer=ACCOUNT_IDS,
        delay_ms=st.integers(1, MAX_DELAY_MS),
        state=st.sampled_from(["standing", "lifted"]),
    ),
    st.builds(RecoverRecord, new_key=SIGNATORIES, lost_key=SIGNATORIES, window=WINDOWS),
    st.builds(
        ChangeRecord,
        command=st.builds(add_signatory, ACCOUNT_IDS, SIGNATORIES).map(encode_command),
        state=st.sampled_from(["pending", "withdrawn", "done"]),
        window=WINDOWS,
    ),
    st.builds(VetoRecord, vetoed_at_ms=st.none() | TIMES),
    st.builds(
        ApprovalRecord, account=ACCOUNT_IDS, digest=DIGESTS, approved_at_ms=st.none() | TIMES
    ),
    st.builds(
        RecoveryStatus,
        item=st.text(max_size=64),
        state=st.sampled_from(["open", "finished", "vetoed", "withdrawn"]),
        until_ms=TIMES,
        firm=st.booleans(),
    ),
    st.builds(
        GrantRecord,
        commitment=DIGESTS,
        gateway=ACCOUNT_IDS,
        expires_at_ms=TIMES,
        uses=st.integers(1, 1_000_000),
        state=st.sampled_from(["live", "revoked"]),
    ),
)


@given(record=RECORDS)
def test_a_record_comes_back(record: AnyRecord) -> None:
    value = encode_record(record)
    assert decode_record(value, type(record)) == record
    assert encode_record(decode_record(value, type(record))) == value


@given(data=st.binary(max_size=100))
def test_bytes_come_back_from_base64url(data: bytes) -> None:
    assert decode_base64url(encode_base64url(data)) == data


@given(text=ANY_TEXT | BASE64_TEXT)
def test_base64url_has_one_text_for_each_value(text: str) -> None:
    with contextlib.suppress(DecodeError):
        assert encode_base64url(decode_base64url(text)) == text


@given(value=st.dictionaries(ANY_TEXT, JSON, max_size=5))
@example({"\ud800": 1})
def test_canonical_json_comes_back_or_is_refused(value: JsonObject) -> None:
    with contextlib.suppress(DecodeError):
        data = encode_canonical_json(value)
        decoded = decode_canonical_json(data)
        assert encode_canonical_json(decoded) == data


@given(data=st.binary(max_size=200) | ANY_TEXT.map(lambda text: text.encode(errors="replace")))
@example(b'{"\\ud800":1}')
def test_canonical_json_of_any_bytes(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        assert encode_canonical_json(decode_canonical_json(data)) == data


@given(fields=FIELDS, kind=st.sampled_from(KINDS))
def test_records_of_any_fields(fields: JsonObject, kind: type[AnyRecord]) -> None:
    with contextlib.suppress(DecodeError):
        value = encode_base64url(encode_canonical_json(fields))
        assert encode_record(decode_record(value, kind)) == value


@given(text=ANY_TEXT | BASE64_TEXT, kind=st.sampled_from(KINDS))
@example("eyJcdWQ4MDAiOjF9", GrantRecord)
def test_records_of_any_text(text: str, kind: type[AnyRecord]) -> None:
    with contextlib.suppress(DecodeError):
        decode_record(text, kind)
    with contextlib.suppress(DecodeError):
        parse_record_key(text)


HEX_TEXT = st.text("0123456789abcdefABCDEF ", max_size=140)


@given(text=ANY_TEXT | HEX_TEXT | st.binary(max_size=40).map(lambda data: data.hex()))
def test_public_keys_of_any_text(text: str) -> None:
    with contextlib.suppress(DecodeError):
        assert parse_public_key(text).encode() == text.lower()


RAW_KEYS = st.binary(min_size=32, max_size=32).map(lambda data: data.hex())


@given(
    key=RAW_KEYS | RAW_KEYS.map(lambda text: "ed0120" + text) | ANY_TEXT,
    signature=st.binary(min_size=64, max_size=64).map(lambda data: data.hex()) | ANY_TEXT,
    payload=st.binary(max_size=50),
)
def test_no_random_signature_verifies(key: str, signature: str, payload: bytes) -> None:
    with pytest.raises(SignatureInvalidError):
        verify_signature(public_key=key, signature=signature, payload=payload)


def good_transaction() -> bytes:
    ledger = small_ledger()
    message = ledger.build_transaction(ALICE)
    command = message.payload.reduced_payload.commands.add()
    command.set_account_detail.account_id = ALICE
    command.set_account_detail.key = "k"
    sign_transaction(message, named_key(ALICE))
    return message.SerializeToString()


def good_query() -> bytes:
    query = Query()
    query.payload.meta.creator_account_id = ALICE
    query.payload.meta.created_time = START_MS
    query.payload.meta.query_counter = 1
    query.payload.get_account_detail.pagination_meta.page_size = 1
    query.signature.public_key = key_of(ALICE)
    query.signature.signature = named_key(ALICE).sign(query.payload.SerializeToString())
    return query.SerializeToString()


def mutations(good: bytes) -> st.SearchStrategy[bytes]:
    """Bytes that are nearly a good message: a slice replaced by other bytes."""
    places = st.integers(0, len(good))

    def spliced(start: int, length: int, middle: bytes) -> bytes:
        return good[:start] + middle + good[start + length :]

    return st.builds(spliced, places, st.integers(0, 8), st.binary(max_size=8))


WINDOW = TimeWindow(now_ms=START_MS)


@settings(max_examples=300)
@given(data=st.binary(max_size=100) | mutations(good_transaction()))
def test_transactions_of_any_bytes(data: bytes) -> None:
    # Bytes that protobuf refuses never reach the package.
    with contextlib.suppress(ProtobufDecodeError, ChaincodeError):
        _validate_and_apply(Transaction.FromString(data))


def _validate_and_apply(message: Transaction) -> None:
    transaction = validate_transaction(message, WINDOW)
    (receipt,) = small_ledger().apply(transaction)
    assert receipt.tx_hash == transaction.hash


@settings(max_examples=300)
@given(data=st.binary(max_size=100) | mutations(good_query()))
def test_queries_of_any_bytes(data: bytes) -> None:
    with contextlib.suppress(ProtobufDecodeError, ChaincodeError):
        _validate_and_answer(Query.FromString(data))


def _validate_and_answer(query: Query) -> None:
    signatory = validate_query(query, WINDOW)
    response = answer_query(small_ledger(), query, signatory, pending=PendingBatches(1))
    assert response.WhichOneof("response")


def test_the_good_ones_are_good() -> None:
    _validate_and_apply(Transaction.FromString(good_transaction()))
    _validate_and_answer(Query.FromString(good_query()))

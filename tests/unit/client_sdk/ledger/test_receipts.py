"""Receipts of accesses: what the holder reads, and what nobody else does."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.encoding import JsonObject, encode_canonical_json
from chaincode.records import SeenRecord, encode_record
from client_sdk.errors import ReceiptError
from client_sdk.ledger.receipts import Access, build_receipt, open_receipt, receipt_key
from client_sdk.sealing.hpke import SealingKey, seal

LEDGER, ACCOUNT, GRANT = "ab" * 32, "h1@holder", "0123456789abcdef" * 2
KEY = receipt_key(bytes(32), GRANT)
ACCESS = Access(
    grant=GRANT,
    use=3,
    verifier="x509_hash:abc",
    verifier_name="緑区役所",
    attributes=(("address",), ("name", "family")),
    purpose="Certificate of residence",
    seen_at_ms=1_800_000_000_000,
    shown=b"s" * 32,
)


def read(record: SeenRecord, **changes: Any) -> Access:
    place: dict[str, Any] = {"ledger": LEDGER, "account": ACCOUNT, "grant": GRANT, "use": 3}
    place |= changes
    return open_receipt(record, place.pop("key", KEY), **place)


def receipt(access: Access = ACCESS) -> SeenRecord:
    return build_receipt(access, KEY.public_bytes, ledger=LEDGER, account=ACCOUNT)


def test_the_holder_reads_who_saw_what_when_and_why() -> None:
    assert read(receipt()) == ACCESS


def test_the_ledger_can_hold_it_and_tells_nothing_by_its_length() -> None:
    lengths = set()
    for purpose in ("a", "b" * 40, "c" * 80):
        record = receipt(replace(ACCESS, purpose=purpose))
        assert encode_record(record)
        lengths.add(len(record.sealed))
    assert len(lengths) == 1


def test_the_longest_access_fits() -> None:
    attributes = tuple((f"attribute_{index:02}_{'x' * 40}",) for index in range(32))
    access = replace(ACCESS, attributes=attributes, purpose="目" * 200, verifier_name="名" * 100)
    record = receipt(access)
    assert encode_record(record)
    assert read(record) == access


@pytest.mark.parametrize(
    "changes",
    [
        {"ledger": "cd" * 32},
        {"account": "h2@holder"},
        {"grant": "f" * 32},
        {"use": 4},
        {"key": receipt_key(bytes(32), "f" * 32)},
        {"key": SealingKey(b"k" * 32)},
    ],
)
def test_a_receipt_reads_in_its_own_place_only(changes: dict[str, Any]) -> None:
    with pytest.raises(ReceiptError, match="cannot be read"):
        read(receipt(), **changes)


def test_it_says_what_its_hash_says() -> None:
    record = replace(receipt(), salted_hash=bytes(32))
    with pytest.raises(ReceiptError, match="something else than its hash"):
        read(record)


def test_it_tells_of_the_use_that_it_is_written_for() -> None:
    other = replace(ACCESS, use=2)
    info = b"\n".join(
        [b"tegata access receipt v1", LEDGER.encode(), ACCOUNT.encode(), GRANT.encode(), b"3"]
    )
    content = encode_canonical_json(other.to_fields())
    sealed = seal(content, KEY.public_bytes, info=info)
    with pytest.raises(ReceiptError, match="another use"):
        read(SeenRecord(salted_hash=other.salted_hash, sealed=sealed))


@pytest.mark.parametrize("name", sorted(ACCESS.to_fields()))
@pytest.mark.parametrize("value", [None, True, [1], {"a": 1}, [[]]])
def test_a_field_of_another_kind_is_refused_by_its_name(name: str, value: Any) -> None:
    fields: JsonObject = {**ACCESS.to_fields(), name: value}
    with pytest.raises(ReceiptError, match=name):
        Access.from_fields(fields)


@given(content=st.binary(max_size=200))
def test_any_sealed_content_raises_only_our_error(content: bytes) -> None:
    place = f"tegata access receipt v1\n{LEDGER}\n{ACCOUNT}\n{GRANT}\n3".encode()
    sealed = seal(content, KEY.public_bytes, info=place)
    with pytest.raises(ReceiptError):
        read(SeenRecord(salted_hash=bytes(32), sealed=sealed))


def test_equal_accesses_have_other_hashes() -> None:
    fields = ACCESS.to_fields()
    again = Access.from_fields({**fields, "salt": "AAAAAAAAAAAAAAAAAAAAAA"})
    assert again.salted_hash != ACCESS.salted_hash


def test_each_grant_has_a_key_of_its_own() -> None:
    keys = {receipt_key(bytes(32), f"{index:032x}").public_bytes for index in range(9)}
    assert len(keys) == 9


def test_the_repr_has_no_salt() -> None:
    assert ACCESS.salt not in repr(ACCESS)

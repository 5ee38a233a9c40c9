"""Checkpoints: signed notes as C2SP specifies them, and nothing that only looks like one."""

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.memory_ledger import named_key

from chaincode.checkpoints import (
    Checkpoint,
    LogEntry,
    log_origin,
    sign_checkpoint,
    verifier_key,
    verify_checkpoint,
)
from chaincode.errors import DecodeError, SignatureInvalidError
from chaincode.signatures import KeyAlgorithm, verify_signature
from client_sdk.ledger.account_key import AccountKey

ORIGIN = log_origin("ab" * 32)
KEY = named_key("peer")
SHA3_KEY = AccountKey(bytes(32), KeyAlgorithm.ED25519_SHA3)
CHECKPOINT = Checkpoint(origin=ORIGIN, size=20852163, root=bytes(range(32)), time_s=1_800_000_000)


@pytest.mark.parametrize("key", [KEY, SHA3_KEY], ids=["ed0120", "sha3"])
def test_a_signed_checkpoint_verifies(key: AccountKey) -> None:
    note = sign_checkpoint(CHECKPOINT, key)
    others = [named_key("other").public_key, key.public_key]
    assert verify_checkpoint(note, ORIGIN, others) == CHECKPOINT
    with pytest.raises(SignatureInvalidError, match="no known peer"):
        verify_checkpoint(note, ORIGIN, [named_key("other").public_key])


def test_the_form_is_that_of_the_specification() -> None:
    """c2sp.org/tlog-checkpoint and c2sp.org/tlog-cosignature, word by word."""
    lines = sign_checkpoint(CHECKPOINT, KEY).decode().split("\n")
    assert lines[:4] == [ORIGIN, "20852163", base64.b64encode(bytes(range(32))).decode(), ""]
    assert lines[4].startswith(f"\u2014 {ORIGIN} ")
    signature = base64.b64decode(lines[4].split(" ")[2])
    assert int.from_bytes(signature[4:12], "big") == 1_800_000_000
    body = "\n".join(lines[:3]) + "\n"
    verify_signature(
        public_key=KEY.public_key,
        signature=signature[12:].hex(),
        payload=b"cosignature/v1\ntime 1800000000\n" + body.encode(),
    )
    name, key_id, encoded = verifier_key(ORIGIN, KEY.public_key).split("+", 2)
    assert (name, key_id) == (ORIGIN, signature[:4].hex())
    assert base64.b64decode(encoded) == b"\x04" + KEY.raw_public_key
    assert lines[5:] == [""]


def test_signatures_of_others_stand_beside_it() -> None:
    note = sign_checkpoint(CHECKPOINT, KEY) + b"\xe2\x80\x94 witness.example w1tnes/+no/base64?\n"
    note += f"\u2014 {ORIGIN} {base64.b64encode(bytes(68)).decode()}\n".encode()
    later = replace(CHECKPOINT, time_s=CHECKPOINT.time_s + 1)
    note += sign_checkpoint(later, SHA3_KEY).partition(b"\n\n")[2]
    for keys, expected in (
        ([KEY.public_key], CHECKPOINT),
        ([SHA3_KEY.public_key, KEY.public_key], later),
        ([KEY.public_key, SHA3_KEY.public_key], later),
    ):
        assert verify_checkpoint(note, ORIGIN, keys) == expected


def test_one_of_another_ledger_is_refused() -> None:
    with pytest.raises(SignatureInvalidError, match="another ledger"):
        verify_checkpoint(sign_checkpoint(CHECKPOINT, KEY), log_origin("cd" * 32), [KEY.public_key])


def test_a_known_key_whose_signature_fails_spoils_the_note() -> None:
    good = sign_checkpoint(CHECKPOINT, KEY)
    larger = good.replace(b"\n20852163\n", b"\n20852164\n")
    with pytest.raises(SignatureInvalidError, match="Bad signature"):
        verify_checkpoint(larger, ORIGIN, [KEY.public_key])
    both = larger + sign_checkpoint(CHECKPOINT, SHA3_KEY).partition(b"\n\n")[2]
    with pytest.raises(SignatureInvalidError):
        verify_checkpoint(both, ORIGIN, [SHA3_KEY.public_key, KEY.public_key])


GOOD = sign_checkpoint(CHECKPOINT, KEY)


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\xff" + GOOD,
        GOOD.partition(b"\n\n")[0],
        GOOD.removesuffix(b"\n"),
        GOOD.replace(b"\n20852163\n", b"\n020852163\n"),
        GOOD.replace(b"\n20852163\n", b"\n-1\n"),
        GOOD.replace(b"\n20852163\n", b"\n20852163\nextension=\nline\n"),
        GOOD.replace(b"AAEC", b"AAE"),
        GOOD.replace(b"AAECAwQF", b""),
        GOOD.replace("\u2014".encode(), b"-"),
        GOOD + b"\xe2\x80\x94 nameless\n",
        GOOD + b"\xe2\x80\x94  unnamed\n",
        GOOD + f"\u2014 {ORIGIN} ?\n".encode(),
        GOOD + b"\n",
        GOOD + b"x" * 16 * 1024,
    ],
)
def test_what_only_looks_like_one_is_refused(note: bytes) -> None:
    with pytest.raises(DecodeError, match="checkpoint: "):
        verify_checkpoint(note, ORIGIN, [KEY.public_key])


@given(st.binary(max_size=200))
def test_no_bytes_surprise(data: bytes) -> None:
    for note in (data, GOOD[:80] + data, GOOD + data):
        try:
            assert verify_checkpoint(note, ORIGIN, [KEY.public_key]) == CHECKPOINT
        except (DecodeError, SignatureInvalidError):
            continue


def test_an_entry_is_read_as_it_was_written() -> None:
    entry = LogEntry(height=7, time_ms=1_800_000_000_000, block_hash=b"b" * 32, root=b"r" * 32)
    assert LogEntry.decode(entry.encode()) == entry
    assert len(entry.encode()) == 80
    with pytest.raises(DecodeError, match="80 bytes are expected, not 81"):
        LogEntry.decode(entry.encode() + b"x")

"""The set hash: a sum over entries, whatever their order and history."""

import hashlib
import random

from chaincode.set_hash import EMPTY, LANES, STATE_BYTES, SetHash

ENTRIES = [(f"key {n}".encode(), bytes([n]) * n) for n in range(20)]


def slow_sum(entries: list[tuple[bytes, bytes]]) -> bytes:
    """Return the sum by the definition: lane by lane, modulo 2^16."""
    lanes = [0] * LANES
    for key, value in entries:
        expanded = hashlib.shake_128(len(key).to_bytes(4, "big") + key + value).digest(STATE_BYTES)
        for n in range(LANES):
            lanes[n] += int.from_bytes(expanded[2 * n : 2 * n + 2], "little")
    return b"".join((lane % 2**16).to_bytes(2, "little") for lane in lanes)


def set_hash_of(entries: list[tuple[bytes, bytes]]) -> SetHash:
    total = SetHash()
    for key, value in entries:
        total.add(key, value)
    return total


def test_known_answer() -> None:
    assert bytes(2048) == EMPTY
    assert SetHash().digest() == hashlib.sha256(bytes(2048)).digest()
    total = set_hash_of([(b"a", b"1"), (b"b", b"2")])
    assert total.digest().hex() == (
        "b68f8ce3080dcedeed5a8eae7ed5380ef97bacfd16ebaf0f7daa750abdc8099e"
    )


def test_it_is_the_sum_of_the_lanes() -> None:
    assert set_hash_of(ENTRIES).encode() == slow_sum(ENTRIES)


def test_the_order_does_not_matter() -> None:
    shuffled = ENTRIES.copy()
    random.Random(1).shuffle(shuffled)
    assert set_hash_of(shuffled).encode() == set_hash_of(ENTRIES).encode()


def test_remove_undoes_add() -> None:
    total = set_hash_of(ENTRIES)
    for key, value in reversed(ENTRIES[5:]):
        total.remove(key, value)
    assert total.encode() == set_hash_of(ENTRIES[:5]).encode()
    for key, value in ENTRIES[:5]:
        total.remove(key, value)
    assert total.encode() == EMPTY
    # In the other order too: every lane passes below zero.
    total.remove(*ENTRIES[0])
    total.add(*ENTRIES[0])
    assert total.encode() == EMPTY


def test_it_goes_on_from_an_encoded_state() -> None:
    total = SetHash(set_hash_of(ENTRIES[:7]).encode())
    for entry in ENTRIES[7:]:
        total.add(*entry)
    assert total.encode() == set_hash_of(ENTRIES).encode()


def test_key_and_value_do_not_run_into_each_other() -> None:
    digests = {
        set_hash_of([pair]).digest() for pair in [(b"ab", b"c"), (b"a", b"bc"), (b"abc", b"")]
    }
    assert len(digests) == 3


def test_an_entry_counts_as_often_as_it_is_in() -> None:
    assert set_hash_of([ENTRIES[3]] * 2).digest() != set_hash_of([ENTRIES[3]]).digest()


def test_disjoint_sets_are_merged() -> None:
    total = set_hash_of(ENTRIES[:7])
    total.merge(set_hash_of(ENTRIES[7:]))
    assert total.encode() == set_hash_of(ENTRIES).encode()

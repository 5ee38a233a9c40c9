"""The world state's keys, and overlays that are merged or dropped whole."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.permissions import ALL_ROLE_PERMISSIONS, decode_permissions, encode_permissions
from chaincode.world_state import (
    JournaledOverlay,
    StateOverlay,
    detail_key,
    get_account,
    get_default_role,
    get_detail,
    get_grants,
    get_peers,
    get_role,
    key_parts,
    put_account,
    put_detail,
    put_grants,
    put_role,
    state_key,
)


class Entries(dict[bytes, bytes]):
    """A committed state."""

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        return iter(sorted(e for e in self.items() if e[0].startswith(prefix) and e[0] >= start))


def test_an_empty_state_has_nothing() -> None:
    empty = Entries()
    assert get_account(empty, "a@b") is None
    assert get_default_role(empty, "b") is None
    assert get_role(empty, "r") is None
    assert get_detail(empty, "a@b", "a@b", "k") is None
    assert get_grants(empty, "a@b", "c@d") == frozenset()
    assert get_peers(empty) == []


def test_keys_and_their_parts() -> None:
    key = detail_key("a@b", "w@b", "k")
    assert key == b"detail\x00a@b\x00w@b\x00k"
    assert key_parts(key) == ["a@b", "w@b", "k"]
    assert key_parts(state_key(b"peer", "")) == [""]


def test_an_overlay_hides_and_removes_without_touching_its_base() -> None:
    base = Entries({b"a": b"1", b"b": b"2"})
    overlay = StateOverlay(base)
    overlay.put(b"a", b"new")
    overlay.delete(b"b")
    overlay.put(b"c", b"3")
    assert [overlay.get(key) for key in (b"a", b"b", b"c", b"d")] == [b"new", None, b"3", None]
    assert base == {b"a": b"1", b"b": b"2"}
    assert dict(overlay.changes) == {b"a": b"new", b"b": None, b"c": b"3"}
    with pytest.raises(TypeError):
        overlay.changes[b"x"] = b""  # type: ignore[index]


def test_an_upper_overlay_is_merged_or_dropped() -> None:
    lower = StateOverlay(Entries({b"a": b"1"}))
    dropped, merged = lower.begin(), lower.begin()
    dropped.put(b"a", b"dropped")
    assert lower.get(b"a") == b"1"
    merged.delete(b"a")
    merged.put(b"b", b"2")
    lower.merge(merged)
    assert (lower.get(b"a"), lower.get(b"b")) == (None, b"2")


def test_lists_are_stored_sorted_and_each_entry_once() -> None:
    one, two = StateOverlay(Entries()), StateOverlay(Entries())
    put_account(one, "a@b", quorum=1, signatories=["k2", "k1", "k2"], roles=["r", "q"])
    put_account(two, "a@b", quorum=1, signatories=["k1", "k2"], roles=["q", "r", "q"])
    assert one.changes == two.changes


def test_an_empty_grant_leaves_no_entry() -> None:
    state = StateOverlay(Entries())
    put_grants(state, "a@b", "c@d", frozenset({3, 1}))
    assert get_grants(state, "a@b", "c@d") == {1, 3}
    put_grants(state, "a@b", "c@d", frozenset())
    assert set(state.changes.values()) == {None}


def test_permissions_are_one_byte_each_in_ascending_order() -> None:
    assert encode_permissions(frozenset({47, 0, 3})) == bytes([0, 3, 47])
    assert decode_permissions(encode_permissions(ALL_ROLE_PERMISSIONS)) == ALL_ROLE_PERMISSIONS
    state = StateOverlay(Entries())
    put_role(state, "none", frozenset())
    assert get_role(state, "none") == frozenset()


def test_a_detail_may_be_empty() -> None:
    state = StateOverlay(Entries())
    put_detail(state, "a@b", "c@d", "k", "")
    assert get_detail(state, "a@b", "c@d", "k") == ""


KEYS = st.sampled_from([b"a", b"aa", b"ab", b"b", b"ba"])
WRITES = st.lists(st.tuples(KEYS, st.none() | st.sampled_from([b"1", b"2"])), max_size=6)


def write(overlay: StateOverlay, writes: list[tuple[bytes, bytes | None]]) -> None:
    for key, value in writes:
        if value is None:
            overlay.delete(key)
        else:
            overlay.put(key, value)


@given(
    entries=st.dictionaries(KEYS, st.just(b"0")),
    lower=WRITES,
    upper=WRITES,
    prefix=KEYS,
    start=KEYS,
)
def test_a_scan_of_an_overlay_is_that_of_the_state_it_leads_to(
    entries: dict[bytes, bytes],
    lower: list[tuple[bytes, bytes | None]],
    upper: list[tuple[bytes, bytes | None]],
    prefix: bytes,
    start: bytes,
) -> None:
    below = StateOverlay(Entries(entries))
    write(below, lower)
    above = below.begin()
    write(above, upper)
    expected = Entries(entries)
    for key, value in [*lower, *upper]:
        expected.pop(key, None)
        if value is not None:
            expected[key] = value
    for first in (b"", start):
        assert list(above.scan(prefix, first)) == list(expected.scan(prefix, first))


@given(
    entries=st.dictionaries(KEYS, st.just(b"0")), steps=st.lists(WRITES, max_size=5), data=st.data()
)
def test_a_journal_goes_back_to_any_moment(
    entries: dict[bytes, bytes],
    steps: list[list[tuple[bytes, bytes | None]]],
    data: st.DataObject,
) -> None:
    overlay = JournaledOverlay(Entries(entries))
    moments = [(overlay.mark(), dict(overlay.changes))]
    for step in steps:
        write(overlay, step)
        moments.append((overlay.mark(), dict(overlay.changes)))
    mark, changes = moments[data.draw(st.integers(0, len(moments) - 1))]
    overlay.rewind(mark)
    assert overlay.changes == changes
    assert overlay.mark() == mark

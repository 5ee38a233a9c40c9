"""The root of a world state: both commitments, and which entries are provable."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.authenticated_map import EMPTY_ROOT
from chaincode.set_hash import SetHash
from chaincode.state_root import StateRoot, change_root, is_provable
from chaincode.world_state import detail_key, state_key

KEYS = [
    *(state_key(b"account", f"a{number}@d") for number in range(6)),
    *(detail_key("a@d", "a@d", f"tg_grant_{number:032x}") for number in range(6)),
    *(detail_key("a@d", "a@d", f"key_{number}") for number in range(6)),
]
CHANGES = st.dictionaries(st.sampled_from(KEYS), st.none() | st.binary(max_size=3), max_size=9)


class State:
    """A state and the pages of its map."""

    def __init__(self) -> None:
        self.entries: dict[bytes, bytes] = {}
        self.pages: dict[str, bytes] = {}
        self.root = StateRoot()

    def get(self, key: bytes) -> bytes | None:
        return self.entries.get(key)

    def get_page(self, prefix: str) -> bytes | None:
        return self.pages.get(prefix)

    def change(self, changes: dict[bytes, bytes | None]) -> None:
        found = change_root(self, self.root, changes)
        for prefix, page in found.pages.items():
            self.pages.pop(prefix, None)
            if page is not None:
                self.pages[prefix] = page
        for key, value in changes.items():
            self.entries.pop(key, None)
            if value is not None:
                self.entries[key] = value
        self.root = found.root


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (state_key(b"account", "a@d"), True),
        (detail_key("a@d", "b@d", "tg_grant_00"), True),
        (detail_key("a@d", "tg_b@d", "grant"), False),
        (detail_key("tg_a@d", "b@d", "x_tg_"), False),
        (state_key(b"count", "detail", "a@d", "tg_b@d"), False),
        (state_key(b"grant", "a@d", "tg_b@d"), False),
        (state_key(b"account_count", "a"), False),
        (b"peers", False),
    ],
)
def test_accounts_and_identity_records_are_provable(key: bytes, expected: bool) -> None:
    assert is_provable(key) is expected


def test_the_root_joins_both_commitments() -> None:
    state = State()
    assert state.root.digest() == hashlib.sha256(SetHash().digest() + EMPTY_ROOT).digest()
    state.change({KEYS[0]: b"1", KEYS[-1]: b"2"})
    whole = SetHash()
    whole.add(KEYS[0], b"1")
    whole.add(KEYS[-1], b"2")
    # A map with one entry is that entry's leaf.
    leaf = b"\x00" + hashlib.sha256(KEYS[0]).digest() + hashlib.sha256(b"1").digest()
    map_root = hashlib.sha256(leaf).digest()
    assert state.root == StateRoot(set_hash=whole.encode(), map_root=map_root)
    assert state.root.digest() == hashlib.sha256(whole.digest() + map_root).digest()


@given(st.lists(CHANGES, max_size=5))
def test_equal_states_have_equal_roots_whatever_led_there(
    steps: list[dict[bytes, bytes | None]],
) -> None:
    state, fresh = State(), State()
    for changes in steps:
        state.change(changes)
    fresh.change(dict(state.entries))
    assert (fresh.root, fresh.pages) == (state.root, state.pages)


def test_what_changes_nothing_touches_nothing() -> None:
    state = State()
    state.change({KEYS[0]: b"1"})
    found = change_root(state, state.root, {KEYS[0]: b"1", KEYS[1]: None})
    assert (found.root, found.pages) == (state.root, {})

"""The root of a world state: what one hash says of all of it.

Two commitments make it. The set hash takes in every entry and checks a whole state, cheaply for
every write. The authenticated map takes in the entries of which a single one must be provable:
accounts, with their signatories and quorum, and identity records. The root is SHA-256 of the set
hash's digest and the map's root.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from chaincode.authenticated_map import EMPTY_ROOT, MapUpdate, PageView, update_map
from chaincode.protocol.proofs_pb2 import StateEntry
from chaincode.set_hash import EMPTY, SetHash
from chaincode.world_state import detail_key, state_key

MAX_PROVEN_ENTRIES: Final = 32
"""How many entries one request may have proven."""
_ACCOUNT: Final = b"account\x00"
_DETAIL: Final = b"detail\x00"
_RECORD: Final = b"tg_"


class RootView(PageView, Protocol):
    """The state below a block, and the pages of its map."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value at a key, or None."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRoot:
    """The commitments to one world state.

    Attributes:
        set_hash: The running hash of all entries, 2,048 bytes.
        map_root: The root of the map of what can be proven, 32 bytes.
    """

    set_hash: bytes = field(default=EMPTY, repr=False)
    map_root: bytes = EMPTY_ROOT

    def digest(self) -> bytes:
        """Return the root: the hash of the whole world state, 32 bytes."""
        return join_roots(SetHash(self.set_hash).digest(), self.map_root)


@dataclass(frozen=True, slots=True, kw_only=True)
class RootChange:
    """What a block does to the commitments.

    Attributes:
        root: The commitments to the state above it.
        pages: The new page of the map at each prefix; None where the page goes.
    """

    root: StateRoot
    pages: Mapping[str, bytes | None]


def join_roots(set_digest: bytes, map_root: bytes) -> bytes:
    """Return the root of a state whose set hash has this digest, 32 bytes."""
    return hashlib.sha256(set_digest + map_root).digest()


def is_provable(key: bytes) -> bool:
    """Tell whether an entry of the state is in the map: an account or an identity record."""
    return key.startswith(_ACCOUNT) or (
        key.startswith(_DETAIL) and key.rpartition(b"\x00")[2].startswith(_RECORD)
    )


def entry_key(entry: StateEntry) -> bytes:
    """Return the key in the state of an account, or of an identity record."""
    if not entry.key:
        return state_key(b"account", entry.account_id)
    return detail_key(entry.account_id, entry.writer or entry.account_id, entry.key)


def change_root(
    view: RootView, below: StateRoot, changes: Mapping[bytes, bytes | None]
) -> RootChange:
    """Return the commitments after the changes, without touching `view`.

    Raises:
        DecodeError: A page of the view is damaged.
    """
    set_hash = SetHash(below.set_hash)
    provable: dict[bytes, bytes | None] = {}
    for key, value in changes.items():
        previous = view.get(key)
        if previous == value:
            continue
        if previous is not None:
            set_hash.remove(key, previous)
        if value is not None:
            set_hash.add(key, value)
        if is_provable(key):
            provable[key] = value
    update = MapUpdate(root=below.map_root, pages={})
    if provable:
        update = update_map(view, provable)
    root = StateRoot(set_hash=set_hash.encode(), map_root=update.root)
    return RootChange(root=root, pages=update.pages)

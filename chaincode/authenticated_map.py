"""An authenticated map: its root commits to every entry, and to there being no other.

A binary Merkle tree over the SHA-256 of the keys, in which a subtree with a single entry is that
entry's leaf and an empty one is 32 zero bytes (as Diem's "Jellyfish Merkle Tree", 2021, does). A
leaf binds the whole hash of its key, so an entry can be shown to be there, and shown to be absent:
the place where it would stand is empty, or taken by another key. Hashes of leaves and of inner
nodes are kept apart by their first byte (RFC 6962 section 2.1).

The tree is kept in pages of four levels, so that a change reads and writes a few rows, not one for
each level. A page holds 16 places; one with two entries or more has a page of its own.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple, Protocol, TypeAlias

from chaincode.errors import DecodeError, ProofInvalidError

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = bytes(HASH_BYTES)
MAX_DEPTH: Final = 256

_LEVELS: Final = 4
_PLACES: Final = 1 << _LEVELS
_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"
_LEAF_KIND, _INNER_KIND = 1, 2
_HEADS: Final = [bytes([number]) for number in range(_PLACES * _PLACES)]

Changes: TypeAlias = Mapping[bytes, bytes | None]
"""The new value of each key; None where the key goes."""


class PageView(Protocol):
    """Where the pages of the map below a block are read."""

    def get_page(self, prefix: str) -> bytes | None:
        """Return the page of all keys whose hash begins with these hex digits, or None."""
        ...


class _Leaf(NamedTuple):
    key_hash: bytes
    value_hash: bytes

    @property
    def hash(self) -> bytes:
        return hashlib.sha256(_LEAF + self.key_hash + self.value_hash).digest()


class _Inner(NamedTuple):
    hash: bytes


_Subtree: TypeAlias = _Leaf | _Inner | None
"""A single entry, the hash above two or more, or nothing."""
_Levels: TypeAlias = tuple[tuple[_Subtree, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapUpdate:
    """What a block does to the map.

    Attributes:
        root: The new root, 32 bytes.
        pages: The new page at each prefix, in hex digits; None where the page goes.
    """

    root: bytes
    pages: Mapping[str, bytes | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapProof:
    """What leads from one place of the tree to the root.

    Attributes:
        siblings: The hashes beside the path, 32 bytes each, from the root down.
        other: Where the place is taken by another key: the hashes of that key and of its value.
    """

    siblings: tuple[bytes, ...]
    other: tuple[bytes, bytes] | None = field(default=None)

    def encode(self) -> bytes:
        """Return the proof as bytes: a flag, the other entry if any, then the siblings.

        An empty sibling takes one byte, so the proof is short wherever the tree is sparse.
        """
        head = [b"\x01", *self.other] if self.other else [b"\x00"]
        flagged = (
            b"\x00" if sibling == EMPTY_ROOT else b"\x01" + sibling for sibling in self.siblings
        )
        return b"".join([*head, *flagged])

    @classmethod
    def decode(cls, data: bytes) -> "MapProof":
        """Return the proof that `encode` wrote.

        Raises:
            DecodeError: The bytes are cut, or hold something else.
        """
        reader = _Reader(data)
        other = (reader.take(HASH_BYTES), reader.take(HASH_BYTES)) if reader.flag() else None
        siblings = []
        while reader.has_more():
            siblings.append(reader.take(HASH_BYTES) if reader.flag() else EMPTY_ROOT)
            if len(siblings) > MAX_DEPTH:
                raise DecodeError(f"proof: more than {MAX_DEPTH} siblings")
        return cls(siblings=tuple(siblings), other=other)


def update_map(view: PageView, changes: Changes) -> MapUpdate:
    """Return the map after the changes, without touching `view`.

    Raises:
        DecodeError: A page of the view is damaged.
    """
    leaves = [
        (_sha256(key).hex(), None if value is None else _sha256(value))
        for key, value in changes.items()
    ]
    update = _Update(view)
    top = update.apply("", sorted(leaves, key=lambda leaf: leaf[0]))
    return MapUpdate(root=_hash_of(top), pages=update.pages)


def prove(view: PageView, key: bytes) -> MapProof:
    """Return the proof that leads from a key's place to the root, whether the key is there or not.

    Raises:
        DecodeError: A page of the view is damaged.
    """
    path = _sha256(key).hex()
    siblings: list[bytes] = []
    depth = 0
    found = _read_levels(view.get_page(""))[0][0]
    while isinstance(found, _Inner):
        levels = _read_levels(_get_page(view, path[:depth]))
        found = _descend(levels, int(path[depth], 16), siblings)
        depth += 1
    other = None
    if isinstance(found, _Leaf) and found.key_hash.hex() != path:
        other = (found.key_hash, found.value_hash)
    return MapProof(siblings=tuple(siblings), other=other)


def verify_presence(root: bytes, key: bytes, value: bytes, proof: MapProof) -> None:
    """Check that the map with this root holds this value at this key.

    Raises:
        ProofInvalidError: The proof does not lead to the root.
    """
    key_hash = _sha256(key)
    if proof.other is not None:
        raise ProofInvalidError("the proof is one of absence")
    _check_root(root, key_hash, _Leaf(key_hash, _sha256(value)).hash, proof.siblings)


def verify_absence(root: bytes, key: bytes, proof: MapProof) -> None:
    """Check that the map with this root has nothing at this key.

    Raises:
        ProofInvalidError: The proof does not lead to the root, or is of another place.
    """
    key_hash = _sha256(key)
    if proof.other is None:
        _check_root(root, key_hash, EMPTY_ROOT, proof.siblings)
        return
    other = _Leaf(*proof.other)
    depth = len(proof.siblings)
    if other.key_hash == key_hash or _bits(other.key_hash, depth) != _bits(key_hash, depth):
        raise ProofInvalidError("the proof is of another place")
    _check_root(root, key_hash, other.hash, proof.siblings)


def _get_page(view: PageView, prefix: str) -> bytes | None:
    """Return a page that the one above it names; the top page of an empty map is None."""
    page = view.get_page(prefix)
    if page is None and prefix:
        raise DecodeError(f"page {prefix} of the authenticated map is missing")
    return page


def _descend(levels: _Levels, digit: int, siblings: list[bytes]) -> _Subtree:
    """Walk down the levels of a page towards a place; note what stands beside the way."""
    found = levels[0][0]
    for height, level in zip(reversed(range(_LEVELS)), levels[1:], strict=True):
        if not isinstance(found, _Inner):
            break
        place = digit >> height
        siblings.append(_hash_of(level[place ^ 1]))
        found = level[place]
    return found


class _Update:
    """One pass over the pages that the changes touch."""

    def __init__(self, view: PageView) -> None:
        self._view = view
        self.pages: dict[str, bytes | None] = {}

    def apply(self, prefix: str, changes: Sequence[tuple[str, bytes | None]]) -> _Subtree:
        """Change the page at a prefix; return what stands for it in the page above."""
        before = _get_page(self._view, prefix)
        places = _decode_page(before)
        self._change_places(prefix, places, changes)
        return self._store(prefix, places, before)

    def _build(self, prefix: str, leaves: Sequence[tuple[str, bytes | None]]) -> _Subtree:
        """Make a page where there was none."""
        places: list[_Subtree] = [None] * _PLACES
        self._change_places(prefix, places, leaves)
        return self._store(prefix, places, None)

    def _change_places(
        self, prefix: str, places: list[_Subtree], changes: Sequence[tuple[str, bytes | None]]
    ) -> None:
        depth = len(prefix)
        start = 0
        while start < len(changes):
            digit = changes[start][0][depth]
            end = start
            while end < len(changes) and changes[end][0][depth] == digit:
                end += 1
            place = int(digit, 16)
            places[place] = self._change(prefix + digit, places[place], changes[start:end])
            start = end

    def _change(
        self, prefix: str, found: _Subtree, changes: Sequence[tuple[str, bytes | None]]
    ) -> _Subtree:
        """Change one place of a page; `changes` are those of its keys, in order."""
        if isinstance(found, _Inner):
            return self.apply(prefix, changes)
        leaves = dict(changes)
        if found is not None:
            leaves = {found.key_hash.hex(): found.value_hash, **leaves}
        kept = sorted((key, value) for key, value in leaves.items() if value is not None)
        if len(kept) > 1:
            return self._build(prefix, kept)
        return _Leaf(bytes.fromhex(kept[0][0]), kept[0][1]) if kept else None

    def _store(self, prefix: str, places: Sequence[_Subtree], before: bytes | None) -> _Subtree:
        top = _combine(places)
        # The top page stays where it is; below it, one entry or none stands in the page above.
        page = _encode_page(places) if isinstance(top, _Inner) or (top and not prefix) else None
        if page != before:
            self.pages[prefix] = page
        return top


def _combine(places: Sequence[_Subtree]) -> _Subtree:
    """Return what stands above 1, 2, 4, 8 or 16 neighbouring places."""
    level = list(places)
    while len(level) > 1:
        level = [_join(level[i], level[i + 1]) for i in range(0, len(level), 2)]
    return level[0]


@lru_cache(maxsize=1024)
def _read_levels(page: bytes | None) -> _Levels:
    """Return all that stands in a page: level by level, the top first and the 16 places last.

    Many proofs of one state go through the pages at the top.
    """
    levels = [tuple(_decode_page(page))]
    while len(level := levels[-1]) > 1:
        levels.append(tuple(_join(level[i], level[i + 1]) for i in range(0, len(level), 2)))
    return tuple(reversed(levels))


def _join(left: _Subtree, right: _Subtree) -> _Subtree:
    if left is None and not isinstance(right, _Inner):
        return right
    if right is None and not isinstance(left, _Inner):
        return left
    parts = _NODE + (left.hash if left else EMPTY_ROOT) + (right.hash if right else EMPTY_ROOT)
    return _Inner(hashlib.sha256(parts).digest())


def _hash_of(subtree: _Subtree) -> bytes:
    return EMPTY_ROOT if subtree is None else subtree.hash


def _check_root(root: bytes, key_hash: bytes, start: bytes, siblings: Sequence[bytes]) -> None:
    if len(siblings) > MAX_DEPTH:
        raise ProofInvalidError("the proof is longer than a path of the tree")
    path = _bits(key_hash, len(siblings))
    found = start
    for sibling in reversed(siblings):
        found = _sha256(_NODE + (sibling + found if path & 1 else found + sibling))
        path >>= 1
    if found != root:
        raise ProofInvalidError("the proof does not lead to the root")


def _bits(key_hash: bytes, count: int) -> int:
    """Return the first bits of a key's hash as a number."""
    return int.from_bytes(key_hash, "big") >> (MAX_DEPTH - count)


def _encode_page(places: Iterable[_Subtree]) -> bytes:
    parts = []
    for place, subtree in enumerate(places):
        if subtree is not None:
            kind = _LEAF_KIND if isinstance(subtree, _Leaf) else _INNER_KIND
            parts += [_HEADS[place * _PLACES + kind], *subtree]
    return b"".join(parts)


def _decode_page(data: bytes | None) -> list[_Subtree]:
    places: list[_Subtree] = [None] * _PLACES
    data = data or b""
    start = 0
    while start < len(data):
        place, kind = divmod(data[start], _PLACES)
        middle = start + 1 + HASH_BYTES
        if kind == _LEAF_KIND:
            end = middle + HASH_BYTES
            places[place] = _Leaf(data[start + 1 : middle], data[middle:end])
        else:
            end = middle
            places[place] = _Inner(data[start + 1 : middle])
        start = end
    if start > len(data):
        raise DecodeError("a page of the authenticated map is cut")
    return places


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def has_more(self) -> bool:
        return self._place < len(self._data)

    def take(self, size: int) -> bytes:
        part = self._data[self._place : self._place + size]
        if len(part) < size:
            raise DecodeError("the bytes of the authenticated map are cut")
        self._place += size
        return part

    def flag(self) -> bool:
        (value,) = self.take(1)
        if value > 1:
            raise DecodeError("the bytes of the authenticated map hold an unknown flag")
        return bool(value)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()

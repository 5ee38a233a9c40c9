"""A Merkle tree over an append-only log on disk: its root, and proofs of an entry and of growth.

The tree is that of `chaincode.merkle` (RFC 6962 section 2.1). The hash above each 2^level entries
from an even place on never changes again and is kept; all else is made of those, so that a log of n
entries is extended, and proven, with about log2(n) of them.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final, Protocol, TypeAlias

from chaincode.errors import DecodeError, ProofInvalidError
from chaincode.merkle import hash_children, hash_leaf

_EMPTY_ROOT: Final = hashlib.sha256(b"").digest()

LogNode: TypeAlias = tuple[int, int]
"""The place of a hash: its level, 0 for the entries themselves, and its number on that level."""


class LogView(Protocol):
    """Where the kept hashes of a log are read."""

    def get_log_node(self, node: LogNode) -> bytes | None:
        """Return the hash at a place, or None."""
        ...


def extend_log(view: LogView, size: int, entry: bytes) -> dict[LogNode, bytes]:
    """Return the hashes that an entry adds to a log of `size` entries.

    Raises:
        DecodeError: A hash is missing from the view.
    """
    return extend_log_by_hash(view, size, hash_leaf(entry))


def extend_log_by_hash(view: LogView, size: int, leaf: bytes) -> dict[LogNode, bytes]:
    """Return the hashes that an entry adds of which only the hash is known, as a leaf.

    Raises:
        DecodeError: A hash is missing from the view.
    """
    level, number, found = 0, size, leaf
    nodes = {(level, number): found}
    while number % 2:
        found = hash_children(_read(view, (level, number - 1)), found)
        level, number = level + 1, number // 2
        nodes[level, number] = found
    return nodes


def log_root(view: LogView, size: int) -> bytes:
    """Return the root of a log's first `size` entries, 32 bytes.

    Raises:
        DecodeError: A hash is missing from the view.
    """
    return _hash_of(view, 0, size) if size else _EMPTY_ROOT


def prove_inclusion(view: LogView, index: int, size: int) -> list[bytes]:
    """Return the path from an entry to the root of the first `size` (RFC 6962 section 2.1.1).

    Raises:
        DecodeError: A hash is missing from the view.
    """
    return list(_path(view, index, 0, size))


def prove_consistency(view: LogView, old_size: int, size: int) -> list[bytes]:
    """Return what shows that the first `size` entries begin with the first `old_size`.

    RFC 6962 section 2.1.2. Both sizes are at least 1, and the old one is not the larger.

    Raises:
        DecodeError: A hash is missing from the view.
    """
    return list(_subproof(view, old_size, 0, size, is_whole=True))


def verify_consistency(
    old_root: bytes, root: bytes, *, old_size: int, size: int, path: Sequence[bytes]
) -> None:
    """Check that a log has only grown since it had an older root (RFC 9162 section 2.1.4.2).

    Raises:
        ProofInvalidError: The proof does not lead to both roots.
    """
    if not 0 < old_size <= size:
        raise ProofInvalidError("a log does not shrink, and an empty one proves nothing")
    if old_size == size:
        if path or old_root != root:
            raise ProofInvalidError("two logs of one size have different roots")
        return
    # Where the older tree is complete, its own root is left out of the proof.
    hashes = [old_root, *path] if old_size & (old_size - 1) == 0 else list(path)
    if not hashes:
        raise ProofInvalidError("the proof is empty")
    place, last = old_size - 1, size - 1
    while place % 2:
        place, last = place >> 1, last >> 1
    old_found = found = hashes[0]
    for sibling, is_left in _climb(hashes[1:], place, last):
        if is_left:
            old_found, found = hash_children(sibling, old_found), hash_children(sibling, found)
        else:
            found = hash_children(found, sibling)
    if (old_found, found) != (old_root, root):
        raise ProofInvalidError("the log was changed: it does not begin with the older one")


def _climb(path: Sequence[bytes], place: int, last: int) -> Iterator[tuple[bytes, bool]]:
    """Yield each hash beside the way from a place to the root, and whether it stands to the left.

    Raises:
        ProofInvalidError: The way has another length.
    """
    for sibling in path:
        if last == 0:
            raise ProofInvalidError("the path is longer than the log is high")
        is_left = place % 2 == 1 or place == last
        yield sibling, is_left
        if is_left:
            while place % 2 == 0 and place:
                place, last = place >> 1, last >> 1
        place, last = place >> 1, last >> 1
    if last:
        raise ProofInvalidError("the path ends below the root of the log")


def _path(view: LogView, index: int, start: int, end: int) -> Iterator[bytes]:
    if end - start == 1:
        return
    middle = start + _split(end - start)
    if index < middle:
        yield from _path(view, index, start, middle)
        yield _hash_of(view, middle, end)
    else:
        yield from _path(view, index, middle, end)
        yield _hash_of(view, start, middle)


def _subproof(
    view: LogView, old_end: int, start: int, end: int, *, is_whole: bool
) -> Iterator[bytes]:
    if old_end == end:
        if not is_whole:
            yield _hash_of(view, start, end)
        return
    middle = start + _split(end - start)
    if old_end <= middle:
        yield from _subproof(view, old_end, start, middle, is_whole=is_whole)
        yield _hash_of(view, middle, end)
    else:
        yield from _subproof(view, old_end, middle, end, is_whole=False)
        yield _hash_of(view, start, middle)


def _hash_of(view: LogView, start: int, end: int) -> bytes:
    """Return the hash above the entries from `start` up to `end`."""
    size = end - start
    if size & (size - 1) == 0:
        return _read(view, (size.bit_length() - 1, start // size))
    middle = start + _split(size)
    return hash_children(_hash_of(view, start, middle), _hash_of(view, middle, end))


def _split(size: int) -> int:
    """Return the largest power of two below a size of at least 2."""
    return 1 << ((size - 1).bit_length() - 1)


def _read(view: LogView, node: LogNode) -> bytes:
    found = view.get_log_node(node)
    if found is None:
        raise DecodeError(f"the log lacks its hash {node[1]} on level {node[0]}")
    return found

"""Merkle trees as Certificate Transparency has them (RFC 6962 section 2.1, RFC 9162 section 2.1).

Leaves and inner nodes are hashed apart, so that no inner node passes for a leaf. Where a level has
an odd number of nodes, its last one moves up unchanged.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

from chaincode.errors import ProofInvalidError

_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"


def hash_leaf(data: bytes) -> bytes:
    """Return the 32-byte hash of a leaf's data."""
    return hashlib.sha256(_LEAF + data).digest()


def hash_children(left: bytes, right: bytes) -> bytes:
    """Return the 32-byte hash of an inner node."""
    return hashlib.sha256(_NODE + left + right).digest()


class MerkleTree:
    """A tree over at least one node.

    The nodes are hashes of leaves; or roots of subtrees that all cover the same power of two of
    leaves, but for the last, which may cover fewer: so a large tree is built in parts.
    """

    __slots__ = ("_levels",)

    def __init__(self, nodes: Sequence[bytes]) -> None:
        """Build the tree over `nodes`, from left to right."""
        levels = [list(nodes)]
        while len(level := levels[-1]) > 1:
            above = [
                hash_children(left, right)
                for left, right in zip(level[::2], level[1::2], strict=False)
            ]
            levels.append(above + level[2 * len(above) :])
        self._levels = levels

    @property
    def root(self) -> bytes:
        """The 32 bytes that stand for all leaves and their order."""
        return self._levels[-1][0]

    def path(self, index: int) -> tuple[bytes, ...]:
        """Return the siblings from a node up to the root (RFC 9162 section 2.1.3.1).

        Args:
            index: The node's place, from 0.
        """
        siblings: list[bytes] = []
        for level in self._levels[:-1]:
            if index ^ 1 < len(level):
                siblings.append(level[index ^ 1])
            index >>= 1
        return tuple(siblings)


def check_inclusion(
    leaf: bytes, *, index: int, count: int, path: Sequence[bytes], root: bytes
) -> None:
    """Check that a leaf stands at a place of a tree (RFC 9162 section 2.1.3.2).

    Args:
        leaf: `hash_leaf` of its data.
        index: Its place, from 0.
        count: How many leaves the tree has.
        path: The siblings from the leaf up to the root.
        root: The tree's root.

    Raises:
        ProofInvalidError: The path does not lead from the leaf to the root.
    """
    if not 0 <= index < count:
        raise ProofInvalidError(f"index {index}: the tree has {count} leaves")
    node, place, last = leaf, index, count - 1
    for sibling in path:
        if last == 0:
            raise ProofInvalidError("the path is longer than the tree is high")
        if place & 1 or place == last:
            node = hash_children(sibling, node)
            while place & 1 == 0 and place != 0:
                place, last = place >> 1, last >> 1
        else:
            node = hash_children(node, sibling)
        place, last = place >> 1, last >> 1
    if last != 0 or node != root:
        raise ProofInvalidError("the path does not lead to the root")

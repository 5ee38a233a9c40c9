"""A homomorphic hash of the world state: equal states have equal hashes, whatever their history.

LtHash (Bellare and Micciancio 1997; parameters as in Lewi et al., "Securing update propagation with
homomorphic hashing", 2019): the sum, lane by lane modulo 2^16, of 1024 lanes of expanded hash for
each entry. One write costs one subtraction and one addition, whatever the size of the state. The
expansion is SHAKE128; collisions are as hard as a short-vector problem of dimension 1024 (more than
128 bits).
"""

import hashlib
from typing import Final

LANES: Final = 1024
STATE_BYTES: Final = 2 * LANES
EMPTY: Final = bytes(STATE_BYTES)

# Lanes are added in two halves, each with 16 zero bits above it to take the carry.
_EVEN: Final = int.from_bytes(b"\xff\xff\x00\x00" * (LANES // 2), "little")
_ODD: Final = _EVEN << 16
_MODULUS: Final = int.from_bytes(b"\x00\x00\x01\x00" * (LANES // 2), "little")


class SetHash:
    """The running sum over a set of entries."""

    __slots__ = ("_even", "_odd")

    def __init__(self, state: bytes = EMPTY) -> None:
        """Continue from a state of 2,048 bytes that `encode` returned."""
        lanes = int.from_bytes(state, "little")
        self._even = lanes & _EVEN
        self._odd = (lanes & _ODD) >> 16

    def add(self, key: bytes, value: bytes) -> None:
        """Put one entry in."""
        even, odd = _expand(key, value)
        self._even = (self._even + even) & _EVEN
        self._odd = (self._odd + odd) & _EVEN

    def remove(self, key: bytes, value: bytes) -> None:
        """Take one entry out; it must be in."""
        even, odd = _expand(key, value)
        self._even = (self._even + _MODULUS - even) & _EVEN
        self._odd = (self._odd + _MODULUS - odd) & _EVEN

    def merge(self, other: "SetHash") -> None:
        """Put in all entries of another set, none of which is in this one."""
        self._even = (self._even + other._even) & _EVEN  # noqa: SLF001 - of this class
        self._odd = (self._odd + other._odd) & _EVEN  # noqa: SLF001

    def encode(self) -> bytes:
        """Return the sum, 2,048 bytes."""
        return (self._even | (self._odd << 16)).to_bytes(STATE_BYTES, "little")

    def digest(self) -> bytes:
        """Return SHA-256 of the sum, 32 bytes."""
        return hashlib.sha256(self.encode()).digest()


def _expand(key: bytes, value: bytes) -> tuple[int, int]:
    # The key's length comes first: no other pair of key and value has the same input.
    hasher = hashlib.shake_128(len(key).to_bytes(4, "big"))
    hasher.update(key)
    hasher.update(value)
    lanes = int.from_bytes(hasher.digest(STATE_BYTES), "little")
    return lanes & _EVEN, (lanes & _ODD) >> 16

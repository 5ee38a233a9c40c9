"""Scalars and points of the prime-order group of Ed25519, by libsodium (RFC 9591 section 6.1).

Both are 32 bytes, little-endian. libsodium refuses to multiply by zero or to reach the identity,
which the mathematics of secret sharing may do: those cases are answered here.
"""

from typing import Final, NewType

from nacl import bindings as sodium
from nacl.utils import random as random_bytes

from client_sdk.errors import FrostFormatError

Scalar = NewType("Scalar", bytes)
"""A number below the group order, in canonical form."""

Point = NewType("Point", bytes)
"""An element of the prime-order group, in canonical form."""

ELEMENT_BYTES: Final = 32
WIDE_BYTES: Final = 64
ZERO: Final = Scalar(bytes(ELEMENT_BYTES))
IDENTITY: Final = Point(bytes([1]) + bytes(ELEMENT_BYTES - 1))


def parse_scalar(data: bytes) -> Scalar:
    """Return the scalar that 32 bytes stand for.

    Raises:
        FrostFormatError: Another length, or a number that is not below the group order.
    """
    if len(data) != ELEMENT_BYTES or reduce_scalar(data + bytes(ELEMENT_BYTES)) != data:
        raise FrostFormatError("a scalar of 32 bytes below the group order is expected")
    return Scalar(data)


def parse_point(data: bytes) -> Point:
    """Return the point that 32 bytes stand for.

    Raises:
        FrostFormatError: Another length, not canonical, not on the curve, not of the prime-order
            group, or the identity.
    """
    if len(data) != ELEMENT_BYTES or not sodium.crypto_core_ed25519_is_valid_point(data):
        raise FrostFormatError("a point of the prime-order group of Ed25519 is expected")
    return Point(data)


def reduce_scalar(wide: bytes) -> Scalar:
    """Return 64 bytes, read as a number, modulo the group order."""
    return Scalar(sodium.crypto_core_ed25519_scalar_reduce(wide))


def random_scalar() -> Scalar:
    """Return a scalar that is uniform but for 2^-250."""
    return reduce_scalar(random_bytes(WIDE_BYTES))


def small_scalar(number: int) -> Scalar:
    """Return a small whole number as a scalar; RFC 9591 section 4.1 encodes identifiers so."""
    return Scalar(number.to_bytes(ELEMENT_BYTES, "little"))


def add(a: Scalar, b: Scalar) -> Scalar:
    """Return a + b."""
    return Scalar(sodium.crypto_core_ed25519_scalar_add(a, b))


def subtract(a: Scalar, b: Scalar) -> Scalar:
    """Return a - b."""
    return Scalar(sodium.crypto_core_ed25519_scalar_sub(a, b))


def multiply(a: Scalar, b: Scalar) -> Scalar:
    """Return a * b."""
    return Scalar(sodium.crypto_core_ed25519_scalar_mul(a, b))


def invert(a: Scalar) -> Scalar:
    """Return 1 / a; `a` is not zero."""
    return Scalar(sodium.crypto_core_ed25519_scalar_invert(a))


def add_points(a: Point, b: Point) -> Point:
    """Return a + b, which may be the identity."""
    return Point(sodium.crypto_core_ed25519_add(a, b))


def multiply_base(scalar: Scalar) -> Point:
    """Return the base point times `scalar`."""
    if sodium.sodium_memcmp(scalar, ZERO):
        return IDENTITY
    return Point(sodium.crypto_scalarmult_ed25519_base_noclamp(scalar))


def multiply_point(scalar: Scalar, point: Point) -> Point:
    """Return `point` times `scalar`."""
    if point == IDENTITY or sodium.sodium_memcmp(scalar, ZERO):
        return IDENTITY
    return Point(sodium.crypto_scalarmult_ed25519_noclamp(scalar, point))

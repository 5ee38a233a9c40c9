"""The group ristretto255 (RFC 9496) and its scalars, by libsodium through rbcl.

An element is 32 bytes in canonical form and never the identity; a scalar is 32 bytes,
little-endian, below the group's order. Every value from outside passes `decode_element` or
`decode_scalar`: rbcl, once installed, neither checks lengths nor looks at libsodium's return codes.
"""

import importlib
from functools import cache
from pathlib import Path
from typing import Any, Final, NewType

from client_sdk.errors import GroupFormatError

Element = NewType("Element", bytes)
Scalar = NewType("Scalar", bytes)

ELEMENT_BYTES: Final = 32
SCALAR_BYTES: Final = 32
UNIFORM_BYTES: Final = 64
"""The length of a hash that becomes an element or a scalar without bias."""

ZERO: Final = Scalar(bytes(SCALAR_BYTES))
_IDENTITY: Final = bytes(ELEMENT_BYTES)


@cache
def _libsodium() -> Any:
    """Load rbcl at first use: it unpacks its libsodium to a file, which only loading needs."""
    library = importlib.import_module("rbcl")
    Path(importlib.import_module("rbcl._sodium").lib_path).unlink(missing_ok=True)
    return library


def decode_element(data: bytes) -> Element:
    """Return the element that 32 bytes stand for (RFC 9497 section 2.1, DeserializeElement).

    Raises:
        GroupFormatError: Another length, not canonical, not on the group, or the identity.
    """
    is_element = len(data) == ELEMENT_BYTES and data != _IDENTITY
    if not is_element or not _libsodium().crypto_core_ristretto255_is_valid_point(data):
        raise GroupFormatError("32 bytes that stand for an element of ristretto255 are expected")
    return Element(data)


def decode_scalar(data: bytes) -> Scalar:
    """Return the scalar that 32 bytes stand for (RFC 9497 section 2.1, DeserializeScalar).

    Raises:
        GroupFormatError: Another length, or not below the group's order.
    """
    if len(data) != SCALAR_BYTES or reduce_scalar(data + bytes(SCALAR_BYTES)) != data:
        raise GroupFormatError("32 bytes that stand for a scalar of ristretto255 are expected")
    return Scalar(data)


def scalar_of(number: int) -> Scalar:
    """Return a small public number, such as a party's index, as a scalar."""
    return Scalar(number.to_bytes(SCALAR_BYTES, "little"))


def random_scalar() -> Scalar:
    """Return a uniformly random scalar, never 0."""
    return Scalar(_libsodium().crypto_core_ristretto255_scalar_random())


def reduce_scalar(uniform: bytes) -> Scalar:
    """Return 64 bytes, little-endian, modulo the group's order."""
    return Scalar(_libsodium().crypto_core_ristretto255_scalar_reduce(uniform))


def scalar_add(left: Scalar, right: Scalar) -> Scalar:
    """Return left + right."""
    return Scalar(_libsodium().crypto_core_ristretto255_scalar_add(left, right))


def scalar_subtract(left: Scalar, right: Scalar) -> Scalar:
    """Return left - right."""
    return Scalar(_libsodium().crypto_core_ristretto255_scalar_sub(left, right))


def scalar_multiply(left: Scalar, right: Scalar) -> Scalar:
    """Return left * right."""
    return Scalar(_libsodium().crypto_core_ristretto255_scalar_mul(left, right))


def scalar_invert(scalar: Scalar) -> Scalar:
    """Return 1 / scalar, which is not 0."""
    return Scalar(_libsodium().crypto_core_ristretto255_scalar_invert(scalar))


def element_from_hash(uniform: bytes) -> Element:
    """Return the element that 64 uniform bytes map to (RFC 9496 section 4.3.4).

    Raises:
        GroupFormatError: They map to the identity: one in 2^252 does.
    """
    return _not_identity(_libsodium().crypto_core_ristretto255_from_hash(uniform))


def add(left: Element, right: Element) -> Element:
    """Return the sum of two elements.

    Raises:
        GroupFormatError: It is the identity.
    """
    return _not_identity(_libsodium().crypto_core_ristretto255_add(left, right))


def multiply(scalar: Scalar, element: Element) -> Element:
    """Return scalar * element.

    Raises:
        GroupFormatError: It is the identity: the scalar is 0.
    """
    product = _libsodium().crypto_scalarmult_ristretto255_allow_scalar_zero(scalar, element)
    return _not_identity(product)


def multiply_base(scalar: Scalar) -> Element:
    """Return scalar * generator.

    Raises:
        GroupFormatError: It is the identity: the scalar is 0.
    """
    return _not_identity(_libsodium().crypto_scalarmult_ristretto255_base_allow_scalar_zero(scalar))


def _not_identity(data: bytes) -> Element:
    if data == _IDENTITY:
        raise GroupFormatError("an element of ristretto255 other than the identity is expected")
    return Element(data)

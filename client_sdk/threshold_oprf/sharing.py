"""Verifiable secret sharing of a key (Shamir 1979, Feldman 1987) over the scalars of ristretto255.

The key is the value at 0 of a random polynomial of degree t - 1, share i its value at i. The public
commitments are the coefficients times the generator: from them anybody computes share i's public
key, which is what party i's proofs are checked against.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from client_sdk.errors import GroupFormatError, ShareError
from client_sdk.threshold_oprf.ristretto255 import (
    Element,
    Scalar,
    add,
    multiply,
    multiply_base,
    random_scalar,
    scalar_add,
    scalar_invert,
    scalar_multiply,
    scalar_of,
    scalar_subtract,
)

MAX_PARTIES: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyShare:
    """One party's share of a key.

    Attributes:
        index: The party, from 1.
        secret: The polynomial's value at `index`.
    """

    index: int
    secret: Scalar = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedKey:
    """What a dealer makes and hands out.

    Attributes:
        shares: One for each party, in the order of their indices.
        commitments: One element for each coefficient; the first is the whole key's public key.
    """

    shares: tuple[KeyShare, ...] = field(repr=False)
    commitments: tuple[Element, ...]


def share_key(key: Scalar, *, threshold: int, parties: int) -> SharedKey:
    """Split a key among `parties`, any `threshold` of whom can use it.

    Raises:
        ShareError: Not 1 <= threshold <= parties <= 255.
    """
    if not 1 <= threshold <= parties <= MAX_PARTIES:
        raise ShareError(
            f"{threshold} of {parties} parties: 1 <= threshold <= parties <= {MAX_PARTIES}"
        )
    coefficients = [key, *(random_scalar() for _ in range(threshold - 1))]
    return SharedKey(
        shares=tuple(
            KeyShare(index=index, secret=_value_at(coefficients, index))
            for index in range(1, parties + 1)
        ),
        commitments=tuple(multiply_base(coefficient) for coefficient in coefficients),
    )


def public_share(commitments: Sequence[Element], index: int) -> Element:
    """Return the public key of share `index`.

    Raises:
        ShareError: There is no commitment, the index is out of range, or the commitments are not
            of a key (the share would be 0).
    """
    if not commitments or not 1 <= index <= MAX_PARTIES:
        raise ShareError(f"there is no share {index} of {len(commitments)} commitments")
    point = scalar_of(index)
    value = commitments[-1]
    try:
        for commitment in reversed(commitments[:-1]):
            value = add(multiply(point, value), commitment)
    except GroupFormatError:
        raise ShareError(f"share {index} of these commitments is no key") from None
    return value


def verify_share(share: KeyShare, commitments: Sequence[Element]) -> Element:
    """Return a share's public key, now known to be of the committed polynomial.

    Raises:
        ShareError: The share does not belong to the commitments.
    """
    expected = public_share(commitments, share.index)
    try:
        found = multiply_base(share.secret)
    except GroupFormatError:
        found = None
    if found != expected:
        raise ShareError(f"share {share.index} does not belong to the public commitments")
    return expected


def lagrange_coefficient(index: int, indices: Collection[int]) -> Scalar:
    """Return what share `index` counts when the shares `indices` are joined at 0.

    Raises:
        ShareError: The index is not among the indices, or the indices are not distinct and from 1.
    """
    if index not in indices or len(set(indices)) != len(indices) or min(indices) < 1:
        raise ShareError("shares are joined by distinct indices from 1")
    numerator, denominator = scalar_of(1), scalar_of(1)
    for other in indices:
        if other != index:
            numerator = scalar_multiply(numerator, scalar_of(other))
            difference = scalar_subtract(scalar_of(other), scalar_of(index))
            denominator = scalar_multiply(denominator, difference)
    return scalar_multiply(numerator, scalar_invert(denominator))


def _value_at(coefficients: Sequence[Scalar], index: int) -> Scalar:
    point = scalar_of(index)
    value = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        value = scalar_add(scalar_multiply(value, point), coefficient)
    return value

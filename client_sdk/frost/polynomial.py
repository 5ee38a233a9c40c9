"""Sharing by polynomials: Shamir's scheme with Feldman's commitments (RFC 9591 appendix C)."""

from collections.abc import Collection, Sequence
from itertools import pairwise

from client_sdk.frost.group import (
    IDENTITY,
    ZERO,
    Point,
    Scalar,
    add,
    add_points,
    invert,
    multiply,
    multiply_base,
    multiply_point,
    small_scalar,
    subtract,
)
from client_sdk.frost.secret_scalar import SecretScalar


class SecretPolynomial:
    """A polynomial whose value at zero is shared out; its degree is the threshold less one."""

    __slots__ = ("_coefficients",)

    def __init__(self, coefficients: Sequence[Scalar]) -> None:
        """Take the coefficients, the shared secret first."""
        self._coefficients = tuple(SecretScalar(value) for value in coefficients)

    def commitments(self) -> tuple[Point, ...]:
        """Return the public commitment to each coefficient."""
        return tuple(multiply_base(value.reveal()) for value in self._coefficients)

    def evaluate(self, identifier: int) -> Scalar:
        """Return the share of a participant."""
        x, result = small_scalar(identifier), ZERO
        for value in reversed(self._coefficients):
            result = add(multiply(result, x), value.reveal())
        return result

    def wipe(self) -> None:
        """Overwrite the coefficients."""
        for value in self._coefficients:
            value.wipe()

    def __repr__(self) -> str:
        return f"SecretPolynomial(degree={len(self._coefficients) - 1})"


def evaluate_commitments(commitments: Sequence[Point], identifier: int) -> Point:
    """Return the public half of a participant's share, from the commitments alone."""
    x, result = small_scalar(identifier), IDENTITY
    for commitment in reversed(commitments):
        result = add_points(multiply_point(x, result), commitment)
    return result


def sum_commitments(each: Sequence[Sequence[Point]]) -> tuple[Point, ...]:
    """Return the commitments to the sum of polynomials of one degree."""
    return tuple(sum_points(coefficient) for coefficient in zip(*each, strict=True))


def sum_points(points: Collection[Point]) -> Point:
    """Return the sum of points."""
    total = IDENTITY
    for point in points:
        total = add_points(total, point)
    return total


def lagrange_coefficient(identifier: int, among: Collection[int], at: int = 0) -> Scalar:
    """Return the weight of a participant's share in the polynomial's value at `at`.

    Args:
        identifier: The participant, one of `among`.
        among: Distinct identifiers, as many as the threshold or more.
        at: 0 for the shared secret (RFC 9591 section 4.2), or the identifier of a lost share.
    """
    numerator = denominator = small_scalar(1)
    x, own = small_scalar(at), small_scalar(identifier)
    for other in among:
        if other != identifier:
            numerator = multiply(numerator, subtract(x, small_scalar(other)))
            denominator = multiply(denominator, subtract(own, small_scalar(other)))
    return multiply(numerator, invert(denominator))


def is_ascending(identifiers: Sequence[int]) -> bool:
    """Tell whether each identifier is greater than the one before it."""
    return all(before < after for before, after in pairwise(identifiers))

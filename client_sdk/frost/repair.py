"""Repair of one participant's lost share; nobody else's share changes, and nobody sees another's.

The repairable threshold scheme of Laing and Stinson (ePrint 2017/1155): each helper splits its
weighted share at random among all helpers, each helper passes on the sum of what it got, and the
sums add up to the lost share. Every part is committed to, so that a wrong one has a name.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from client_sdk.errors import FrostFormatError, ParticipantFaultError
from client_sdk.frost.group import (
    ZERO,
    Point,
    Scalar,
    add,
    multiply,
    multiply_base,
    multiply_point,
    random_scalar,
    subtract,
)
from client_sdk.frost.keys import GroupKey, KeyShare
from client_sdk.frost.polynomial import is_ascending, lagrange_coefficient, sum_points


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairTerms:
    """What the helpers agree on before a repair.

    Attributes:
        group: The key.
        lost: The identifier of the participant that lost its share.
        helpers: At least as many others as the threshold, in ascending order.
    """

    group: GroupKey
    lost: int
    helpers: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse terms under which nothing can be repaired.

        Raises:
            FrostFormatError: Too few helpers, or one who holds no share, or the participant itself.
        """
        holders = self.group.verifying_shares.keys()
        if (
            len(self.helpers) < self.group.threshold
            or not is_ascending(self.helpers)
            or not holders >= {self.lost, *self.helpers}
            or self.lost in self.helpers
        ):
            raise FrostFormatError(
                f"repair: at least {self.group.threshold} other holders of the key help"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class HelperParts:
    """What a helper makes in step one.

    Attributes:
        helper: Its identifier.
        parts: For each helper its secret part, to be sent to that helper alone.
        commitments: For each helper the commitment to its part, to be sent to all.
    """

    helper: int
    parts: Mapping[int, Scalar] = field(repr=False)
    commitments: Mapping[int, Point]


def split_for_repair(terms: RepairTerms, share: KeyShare) -> HelperParts:
    """Return a helper's weighted share, split at random among the helpers.

    Raises:
        FrostFormatError: The share is not a helper's share of the key.
    """
    if share.identifier not in terms.helpers or share.group != terms.group:
        raise FrostFormatError("repair: the share is not that of a helper")
    weight = lagrange_coefficient(share.identifier, terms.helpers, terms.lost)
    rest = multiply(weight, share.secret.reveal())
    *others, last = terms.helpers
    parts = {helper: random_scalar() for helper in others}
    for part in parts.values():
        rest = subtract(rest, part)
    parts[last] = rest
    return HelperParts(
        helper=share.identifier,
        parts=parts,
        commitments={helper: multiply_base(part) for helper, part in parts.items()},
    )


def verify_repair_commitments(
    terms: RepairTerms, commitments: Mapping[int, Mapping[int, Point]]
) -> Mapping[int, Point]:
    """Return the commitment to each helper's sum, now known to add up to the lost share.

    Args:
        terms: What was agreed.
        commitments: What each helper sent to all, by helper.

    Raises:
        ParticipantFaultError: A helper sent none, or its parts do not add up to its share.
    """
    wrong = tuple(
        helper
        for helper in terms.helpers
        if set(commitments.get(helper, {})) != set(terms.helpers)
        or sum_points(commitments[helper].values()) != _weighted(terms, helper)
    )
    if wrong:
        raise ParticipantFaultError("repair: parts that do not add up to a share", at_fault=wrong)
    return {
        helper: sum_points([commitments[sender][helper] for sender in terms.helpers])
        for helper in terms.helpers
    }


def sum_repair_parts(
    helper: int,
    received: Mapping[int, Scalar],
    commitments: Mapping[int, Mapping[int, Point]],
) -> Scalar:
    """Return the sum that a helper passes on to the one who lost its share.

    Args:
        helper: This helper.
        received: The part that each helper sent to this one, its own among them.
        commitments: What each helper sent to all, verified.

    Raises:
        ParticipantFaultError: A part is missing or not what its sender committed to.
    """
    wrong = tuple(
        sender
        for sender, committed in commitments.items()
        if sender not in received or multiply_base(received[sender]) != committed[helper]
    )
    if wrong:
        raise ParticipantFaultError("repair: a part that was not committed to", at_fault=wrong)
    return _sum(received.values())


def repair_share(
    terms: RepairTerms, sums: Mapping[int, Scalar], sum_commitments: Mapping[int, Point]
) -> KeyShare:
    """Return the share that was lost.

    Args:
        terms: What was agreed.
        sums: What each helper passed on.
        sum_commitments: From `verify_repair_commitments`.

    Raises:
        ParticipantFaultError: A sum is missing or wrong.
    """
    wrong = tuple(
        helper
        for helper in terms.helpers
        if helper not in sums or multiply_base(sums[helper]) != sum_commitments[helper]
    )
    if wrong:
        raise ParticipantFaultError("repair: a sum that is missing or wrong", at_fault=wrong)
    secret = _sum([sums[helper] for helper in terms.helpers])
    return KeyShare(identifier=terms.lost, secret=secret, group=terms.group)


def _weighted(terms: RepairTerms, helper: int) -> Point:
    weight = lagrange_coefficient(helper, terms.helpers, terms.lost)
    return multiply_point(weight, terms.group.verifying_shares[helper])


def _sum(scalars: Collection[Scalar]) -> Scalar:
    total = ZERO
    for scalar in scalars:
        total = add(total, scalar)
    return total

"""Repair of one lost share: the same share comes back, and every wrong part has a name."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.threshold import deal, sign

from client_sdk.errors import FrostFormatError, ParticipantFaultError
from client_sdk.frost.group import Point, Scalar, add, multiply_base, random_scalar, small_scalar
from client_sdk.frost.keys import KeyShare
from client_sdk.frost.repair import (
    RepairTerms,
    repair_share,
    split_for_repair,
    sum_repair_parts,
    verify_repair_commitments,
)

PAYLOAD = b"what is signed"


class Repair:
    """A repair in the making, of which a test can change any part."""

    def __init__(self, shares: dict[int, KeyShare], lost: int, helpers: tuple[int, ...]) -> None:
        self.terms = RepairTerms(group=shares[1].group, lost=lost, helpers=helpers)
        made = {helper: split_for_repair(self.terms, shares[helper]) for helper in helpers}
        self.parts: dict[int, dict[int, Scalar]] = {i: {**each.parts} for i, each in made.items()}
        self.commitments: dict[int, dict[int, Point]] = {
            i: {**each.commitments} for i, each in made.items()
        }

    def sums(self) -> dict[int, Scalar]:
        return {
            helper: sum_repair_parts(
                helper,
                {sender: parts[helper] for sender, parts in self.parts.items()},
                self.commitments,
            )
            for helper in self.terms.helpers
        }

    def finish(self, sums: dict[int, Scalar]) -> KeyShare:
        verified = verify_repair_commitments(self.terms, self.commitments)
        return repair_share(self.terms, sums, verified)


@given(data=st.data())
def test_the_lost_share_comes_back(data: st.DataObject) -> None:
    participants = data.draw(st.integers(3, 5))
    threshold = data.draw(st.integers(2, participants - 1))
    lost, *others = data.draw(st.permutations(range(1, participants + 1)))
    helpers = tuple(sorted(others[: data.draw(st.integers(threshold, participants - 1))]))
    shares = deal(threshold, participants)
    repair = Repair(shares, lost, helpers)
    sums = repair.sums()
    repaired = repair.finish(sums)
    assert repaired.secret.reveal() == shares[lost].secret.reveal()
    assert sign([repaired, *(shares[i] for i in helpers[: threshold - 1])], PAYLOAD)
    # Nobody was shown a share.
    seen = {part for parts in repair.parts.values() for part in parts.values()} | {*sums.values()}
    assert not seen & {share.secret.reveal() for share in shares.values()}


class TestBlame:
    @pytest.fixture
    def repair(self) -> Repair:
        return Repair(deal(2, 3), 2, (1, 3))

    def test_parts_that_do_not_add_up(self, repair: Repair) -> None:
        repair.commitments[3][1] = multiply_base(random_scalar())
        with pytest.raises(ParticipantFaultError) as refusal:
            repair.finish({})
        assert refusal.value.at_fault == (3,)

    def test_no_commitments(self, repair: Repair) -> None:
        del repair.commitments[3]
        with pytest.raises(ParticipantFaultError) as refusal:
            repair.finish({})
        assert refusal.value.at_fault == (3,)

    def test_a_part_that_was_not_committed_to(self, repair: Repair) -> None:
        repair.parts[3][1] = add(repair.parts[3][1], small_scalar(1))
        with pytest.raises(ParticipantFaultError) as refusal:
            repair.sums()
        assert refusal.value.at_fault == (3,)

    def test_a_part_that_is_missing(self, repair: Repair) -> None:
        with pytest.raises(ParticipantFaultError) as refusal:
            sum_repair_parts(1, {1: repair.parts[1][1]}, repair.commitments)
        assert refusal.value.at_fault == (3,)

    @pytest.mark.parametrize("is_missing", [True, False])
    def test_a_wrong_sum(self, repair: Repair, is_missing: bool) -> None:
        sums = repair.sums()
        sums[1] = add(sums[1], small_scalar(1))
        if is_missing:
            del sums[1]
        with pytest.raises(ParticipantFaultError) as refusal:
            repair.finish(sums)
        assert refusal.value.at_fault == (1,)


def test_who_helps() -> None:
    shares = deal(2, 4)
    terms = RepairTerms(group=shares[1].group, lost=2, helpers=(1, 3))
    for change in ({"helpers": (1,)}, {"helpers": (3, 1)}, {"helpers": (1, 2)}, {"lost": 5}):
        with pytest.raises(FrostFormatError, match="other holders"):
            replace(terms, **change)
    for share in (shares[4], deal(2, 4)[1]):
        with pytest.raises(FrostFormatError, match="not that of a helper"):
            split_for_repair(terms, share)
    assert "parts" not in repr(split_for_repair(terms, shares[1]))

"""Any t of n parties give the output of the whole key; fewer do not; a liar is named."""

from collections.abc import Callable
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client_sdk.errors import ShareError, TooFewEvaluationsError
from client_sdk.threshold_oprf import (
    BlindedInput,
    Evaluation,
    KeyShare,
    SharedKey,
    blind,
    combine,
    evaluate,
    public_share,
    share_key,
    verify_share,
)
from client_sdk.threshold_oprf.ristretto255 import (
    ZERO,
    Element,
    multiply,
    multiply_base,
    random_scalar,
    scalar_add,
    scalar_of,
    scalar_subtract,
)
from client_sdk.threshold_oprf.sharing import lagrange_coefficient
from client_sdk.threshold_oprf.voprf import evaluate_unblinded, finalize

few = settings(max_examples=25)
sizes = st.integers(min_value=1, max_value=6).flatmap(
    lambda parties: st.tuples(st.integers(min_value=1, max_value=parties), st.just(parties))
)


def _answers(shared: SharedKey, blinded: BlindedInput) -> list[Evaluation]:
    return [
        evaluate(share, verify_share(share, shared.commitments), blinded.element)
        for share in shared.shares
    ]


@few
@given(sizes, st.binary(max_size=40))
def test_any_threshold_of_parties_gives_the_output_of_the_whole_key(
    size: tuple[int, int], private_input: bytes
) -> None:
    threshold, parties = size
    key = random_scalar()
    shared = share_key(key, threshold=threshold, parties=parties)
    assert shared.commitments[0] == multiply_base(key)
    blinded = blind(private_input)
    answers = _answers(shared, blinded)
    expected = evaluate_unblinded(key, private_input)
    for some in combinations(answers, threshold):
        output = combine(blinded, some, shared.commitments)
        assert output.value == expected
        assert output.wrong == ()
    assert combine(blinded, reversed(answers), shared.commitments).value == expected


@few
@given(sizes.filter(lambda size: size[0] > 1))
def test_fewer_than_the_threshold_give_nothing(size: tuple[int, int]) -> None:
    threshold, parties = size
    key = random_scalar()
    shared = share_key(key, threshold=threshold, parties=parties)
    blinded = blind(b"password")
    fewer = _answers(shared, blinded)[: threshold - 1]
    with pytest.raises(TooFewEvaluationsError, match=f"{threshold} are needed") as refused:
        combine(blinded, [*fewer, *fewer], shared.commitments)
    assert refused.value.wrong == ()

    # Nor if they join what they have by themselves, as if they were enough.
    indices = [answer.index for answer in fewer]
    terms = [
        multiply(lagrange_coefficient(answer.index, indices), Element(answer.element))
        for answer in fewer
    ]
    expected = evaluate_unblinded(key, b"password")
    assert all(finalize(blinded, term) != expected for term in terms)


def test_a_share_of_another_key_is_named() -> None:
    shared = share_key(random_scalar(), threshold=2, parties=3)
    other = share_key(random_scalar(), threshold=2, parties=3)
    for share in shared.shares:
        with pytest.raises(ShareError, match=f"share {share.index} "):
            verify_share(share, other.commitments)


def _with_wrong_element(answer: Evaluation) -> Evaluation:
    element = multiply(scalar_of(2), Element(answer.element))
    return Evaluation(index=answer.index, element=element, proof=answer.proof)


def _with_wrong_proof(answer: Evaluation) -> Evaluation:
    return Evaluation(index=answer.index, element=answer.element, proof=bytes(64))


def _with_no_element(answer: Evaluation) -> Evaluation:
    return Evaluation(index=answer.index, element=bytes(32), proof=answer.proof)


def _with_nothing(answer: Evaluation) -> Evaluation:
    return Evaluation(index=answer.index, element=b"", proof=b"")


@pytest.mark.parametrize(
    "lie", [_with_wrong_element, _with_wrong_proof, _with_no_element, _with_nothing]
)
@pytest.mark.parametrize("liar", [1, 2, 3])
def test_a_wrong_answer_is_named_and_left_out(
    liar: int, lie: Callable[[Evaluation], Evaluation]
) -> None:
    key = random_scalar()
    shared = share_key(key, threshold=2, parties=3)
    blinded = blind(b"password")
    answers = [
        lie(answer) if answer.index == liar else answer for answer in _answers(shared, blinded)
    ]
    output = combine(blinded, answers, shared.commitments)
    assert output.value == evaluate_unblinded(key, b"password")
    assert output.wrong == (liar,)

    with pytest.raises(TooFewEvaluationsError) as refused:
        combine(
            blinded, [a for a in answers if a.index in {liar, liar % 3 + 1}], shared.commitments
        )
    assert refused.value.wrong == (liar,)


def test_an_answer_of_another_share_or_input_is_wrong() -> None:
    shared = share_key(random_scalar(), threshold=2, parties=3)
    blinded, other = blind(b"password"), blind(b"password")
    first, second, third = _answers(shared, blinded)
    relabelled = Evaluation(index=3, element=first.element, proof=first.proof)
    outsider = Evaluation(index=0, element=first.element, proof=first.proof)
    replayed = _answers(shared, other)[0]
    output = combine(
        blinded, [relabelled, replayed, outsider, second, third, first], shared.commitments
    )
    # Parties 1 and 3 also gave a right answer, so only the stranger is left to blame.
    assert output.wrong == (0,)
    with pytest.raises(TooFewEvaluationsError) as refused:
        combine(blinded, [relabelled, replayed], shared.commitments)
    assert refused.value.wrong == (1, 3)


def test_no_commitments_give_nothing() -> None:
    shared = share_key(random_scalar(), threshold=1, parties=1)
    blinded = blind(b"password")
    with pytest.raises(TooFewEvaluationsError):
        combine(blinded, _answers(shared, blinded), ())


@few
@given(sizes)
def test_a_share_is_verified_against_the_commitments(size: tuple[int, int]) -> None:
    shared = share_key(random_scalar(), threshold=size[0], parties=size[1])
    for share in shared.shares:
        assert verify_share(share, shared.commitments) == public_share(
            shared.commitments, share.index
        )
        moved = scalar_add(share.secret, scalar_of(1))
        for wrong in (moved, ZERO):
            with pytest.raises(ShareError, match=f"share {share.index} "):
                verify_share(KeyShare(index=share.index, secret=wrong), shared.commitments)


@pytest.mark.parametrize(("threshold", "parties"), [(0, 3), (4, 3), (1, 256), (-1, 1)])
def test_a_key_that_cannot_be_split_like_this(threshold: int, parties: int) -> None:
    with pytest.raises(ShareError, match="1 <= threshold"):
        share_key(random_scalar(), threshold=threshold, parties=parties)


@pytest.mark.parametrize("index", [0, -1, 256])
def test_no_share_of_this_index(index: int) -> None:
    shared = share_key(random_scalar(), threshold=1, parties=1)
    with pytest.raises(ShareError):
        public_share(shared.commitments, index)


def test_commitments_that_cancel_out_are_no_key() -> None:
    # G + 1 * (-G): what a dealer would publish whose share 1 is 0.
    generator = multiply_base(scalar_of(1))
    inverse = multiply_base(scalar_subtract(ZERO, scalar_of(1)))
    with pytest.raises(ShareError, match="no key"):
        public_share([generator, inverse], 1)


@pytest.mark.parametrize("indices", [(1, 1), (2, 3), (0, 1)])
def test_shares_are_joined_by_distinct_indices(indices: tuple[int, ...]) -> None:
    with pytest.raises(ShareError):
        lagrange_coefficient(1, indices)


def test_secrets_stay_out_of_reprs() -> None:
    shared = share_key(random_scalar(), threshold=2, parties=2)
    for share in shared.shares:
        assert repr(share.secret)[2:-1] not in repr(share)
        assert repr(share.secret)[2:-1] not in repr(shared)

"""t of n parties evaluate one VOPRF (2HashTDH of Jarecki and others, 2017; RFC 9497 framing).

Each party proves its answer against its committed public share, so a wrong answer is known as such,
its party named, and the right ones give the output without it. The output is the same that RFC 9497
gives for the whole key.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce

from client_sdk.errors import (
    EvaluationProofError,
    GroupFormatError,
    ShareError,
    TooFewEvaluationsError,
)
from client_sdk.threshold_oprf.ristretto255 import Element, add, decode_element, multiply
from client_sdk.threshold_oprf.sharing import (
    KeyShare,
    lagrange_coefficient,
    public_share,
)
from client_sdk.threshold_oprf.voprf import (
    BlindedInput,
    finalize,
    generate_proof,
    verify_proof,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One party's answer, as it came in: nothing of it is checked yet.

    Attributes:
        index: The party, from 1.
        element: 32 bytes.
        proof: 64 bytes.
    """

    index: int
    element: bytes
    proof: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdOutput:
    """The output, and who answered wrongly.

    Attributes:
        value: 64 bytes: the same whichever parties answered.
        wrong: The parties whose answers did not verify, in the order of their indices.
    """

    value: bytes = field(repr=False)
    wrong: tuple[int, ...]


def evaluate(share: KeyShare, public_key: Element, blinded: Element) -> Evaluation:
    """Answer as one party.

    Args:
        share: The party's share.
        public_key: The share's public key, as `verify_share` returned it.
        blinded: The client's element.
    """
    element = multiply(share.secret, blinded)
    proof = generate_proof(share.secret, public_key, [blinded], [element])
    return Evaluation(index=share.index, element=element, proof=proof)


def combine(
    blinded: BlindedInput, evaluations: Iterable[Evaluation], commitments: Sequence[Element]
) -> ThresholdOutput:
    """Verify the answers, leave out the wrong ones, and join the others to the output.

    Args:
        blinded: What the parties were asked.
        evaluations: Their answers; the first right one of a party counts.
        commitments: The key's public commitments; their number is the threshold.

    Raises:
        TooFewEvaluationsError: Fewer than the threshold are right; it names the wrong ones.
    """
    right: dict[int, Element] = {}
    wrong: set[int] = set()
    for evaluation in evaluations:
        try:
            element = verify_evaluation(blinded, evaluation, commitments)
        except (EvaluationProofError, GroupFormatError, ShareError):
            wrong.add(evaluation.index)
        else:
            right.setdefault(evaluation.index, element)
    named = tuple(sorted(wrong - right.keys()))
    threshold = len(commitments)
    if len(right) < max(threshold, 1):
        raise TooFewEvaluationsError(
            f"{len(right)} right answers came and {threshold} are needed", wrong=named
        )
    chosen = sorted(right)[:threshold]
    terms = [multiply(lagrange_coefficient(index, chosen), right[index]) for index in chosen]
    return ThresholdOutput(value=finalize(blinded, reduce(add, terms)), wrong=named)


def verify_evaluation(
    blinded: BlindedInput, evaluation: Evaluation, commitments: Sequence[Element]
) -> Element:
    """Return the element of one party's answer, now known to be made with its committed share.

    Raises:
        EvaluationProofError: It was made with another key.
        GroupFormatError: It is no element.
        ShareError: There is no such party.
    """
    element = decode_element(evaluation.element)
    public_key = public_share(commitments, evaluation.index)
    verify_proof(public_key, [blinded.element], [element], evaluation.proof)
    return element

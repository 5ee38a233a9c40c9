"""VOPRF(ristretto255, SHA-512) of RFC 9497: blinding, proofs of evaluation, and the output."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import reduce
from typing import Final

from client_sdk.errors import EvaluationProofError, GroupFormatError
from client_sdk.threshold_oprf.ristretto255 import (
    SCALAR_BYTES,
    UNIFORM_BYTES,
    Element,
    Scalar,
    add,
    decode_scalar,
    element_from_hash,
    multiply,
    multiply_base,
    random_scalar,
    reduce_scalar,
    scalar_invert,
    scalar_multiply,
    scalar_subtract,
)

OUTPUT_BYTES: Final = 64
PROOF_BYTES: Final = 2 * SCALAR_BYTES
MAX_INPUT_BYTES: Final = (1 << 16) - 1
_SUITE: Final = b"ristretto255-SHA512"


class Mode(IntEnum):
    """RFC 9497 section 3.1. Ours is VOPRF; the plain one is here for the RFC's figures."""

    OPRF = 0
    VOPRF = 1

    @property
    def context(self) -> bytes:
        """The context string of this mode and suite."""
        return b"OPRFV1-" + bytes([self]) + b"-" + _SUITE


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindedInput:
    """What a client keeps while others evaluate: the input and its blind, both secret.

    Attributes:
        element: What is sent; it tells nothing about the input.
    """

    input: bytes = field(repr=False)
    blind: Scalar = field(repr=False)
    element: Element


def blind(
    private_input: bytes, *, mode: Mode = Mode.VOPRF, scalar: Scalar | None = None
) -> BlindedInput:
    """Hide an input of at most 65,535 bytes (Blind, section 3.3.1).

    Args:
        private_input: The input.
        mode: The mode.
        scalar: The blind, where a published vector gives it; random otherwise.

    Raises:
        GroupFormatError: The input is too long.
    """
    if len(private_input) > MAX_INPUT_BYTES:
        raise GroupFormatError(f"an input has at most {MAX_INPUT_BYTES} bytes")
    scalar = scalar or random_scalar()
    element = multiply(scalar, hash_to_group(private_input, mode=mode))
    return BlindedInput(input=private_input, blind=scalar, element=element)


def generate_proof(
    key: Scalar,
    public_key: Element,
    blinded: Sequence[Element],
    evaluated: Sequence[Element],
    *,
    nonce: Scalar | None = None,
) -> bytes:
    """Prove that each evaluated element is key * blinded (GenerateProof, section 2.2.1).

    Args:
        key: The secret key.
        public_key: key * generator.
        blinded: One element or more.
        evaluated: As many.
        nonce: The proof's random scalar, where a published vector gives it.

    Returns:
        The proof: challenge and response, 64 bytes.
    """
    composite, evaluated_composite = _composites(public_key, blinded, evaluated)
    nonce = nonce or random_scalar()
    challenge = _challenge(
        public_key,
        composite,
        evaluated_composite,
        multiply_base(nonce),
        multiply(nonce, composite),
    )
    return challenge + scalar_subtract(nonce, scalar_multiply(challenge, key))


def verify_proof(
    public_key: Element, blinded: Sequence[Element], evaluated: Sequence[Element], proof: bytes
) -> None:
    """Check that the elements were evaluated with the key of `public_key` (section 2.2.2).

    Raises:
        EvaluationProofError: They were not, or the proof is not 64 bytes of two scalars.
    """
    try:
        challenge = decode_scalar(proof[:SCALAR_BYTES])
        response = decode_scalar(proof[SCALAR_BYTES:])
        composite, evaluated_composite = _composites(public_key, blinded, evaluated)
        expected = _challenge(
            public_key,
            composite,
            evaluated_composite,
            add(multiply_base(response), multiply(challenge, public_key)),
            add(multiply(response, composite), multiply(challenge, evaluated_composite)),
        )
    except GroupFormatError:
        is_right = False
    else:
        is_right = hmac.compare_digest(expected, challenge)
    if not is_right:
        raise EvaluationProofError("the answer was not made with the key that was committed to")


def finalize(blinded: BlindedInput, evaluated: Element) -> bytes:
    """Take the blind off and hash to the 64 bytes of output (Finalize, section 3.3.1)."""
    unblinded = multiply(scalar_invert(blinded.blind), evaluated)
    return _output(blinded.input, unblinded)


def evaluate_unblinded(key: Scalar, private_input: bytes, *, mode: Mode = Mode.VOPRF) -> bytes:
    """Return the output for one who knows key and input (Evaluate, section 3.3.1)."""
    return _output(private_input, multiply(key, hash_to_group(private_input, mode=mode)))


def hash_to_group(private_input: bytes, *, mode: Mode) -> Element:
    """Map an input to an element (HashToGroup, section 4.1)."""
    uniform = _expand_message(private_input, b"HashToGroup-" + mode.context)
    return element_from_hash(uniform)


def _output(private_input: bytes, element: Element) -> bytes:
    return hashlib.sha512(_prefixed(private_input, element) + b"Finalize").digest()


def _composites(
    public_key: Element, blinded: Sequence[Element], evaluated: Sequence[Element]
) -> tuple[Element, Element]:
    """Join the pairs to one (ComputeComposites, section 2.2.1), so that one proof is for all."""
    seed = hashlib.sha512(_prefixed(public_key, b"Seed-" + Mode.VOPRF.context)).digest()
    pairs: list[tuple[Element, Element]] = []
    for index, (left, right) in enumerate(zip(blinded, evaluated, strict=True)):
        transcript = _prefixed(seed) + index.to_bytes(2, "big") + _prefixed(left, right)
        factor = _hash_to_scalar(transcript + b"Composite")
        pairs.append((multiply(factor, left), multiply(factor, right)))
    lefts, rights = zip(*pairs, strict=True)
    return reduce(add, lefts), reduce(add, rights)


def _challenge(*elements: Element) -> Scalar:
    return _hash_to_scalar(_prefixed(*elements) + b"Challenge")


def _hash_to_scalar(message: bytes) -> Scalar:
    return reduce_scalar(_expand_message(message, b"HashToScalar-" + Mode.VOPRF.context))


def _prefixed(*values: bytes) -> bytes:
    return b"".join(len(value).to_bytes(2, "big") + value for value in values)


def _expand_message(message: bytes, tag: bytes) -> bytes:
    """Return 64 uniform bytes: expand_message_xmd with SHA-512 (RFC 9380 section 5.3.1).

    One block of SHA-512 is all that 64 bytes need, so the chain of the RFC ends at its first link.
    """
    suffix = tag + bytes([len(tag)])
    length = UNIFORM_BYTES.to_bytes(2, "big")
    block_of_zeros = bytes(hashlib.sha512().block_size)
    first = hashlib.sha512(block_of_zeros + message + length + b"\0" + suffix).digest()
    return hashlib.sha512(first + b"\1" + suffix).digest()

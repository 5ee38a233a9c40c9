"""Proofs that a dealer knows the secret that it commits to (FROST key generation, round one).

Without them the last to speak could choose its commitment so that the group key is its own.
The form is that of the Zcash Foundation's implementation, which RFC 9591 leaves open.
"""

from client_sdk.errors import FrostFormatError
from client_sdk.frost.ciphersuite import Ciphersuite
from client_sdk.frost.group import (
    Point,
    Scalar,
    add,
    add_points,
    multiply,
    multiply_base,
    multiply_point,
    parse_point,
    parse_scalar,
    small_scalar,
)


def prove_possession(suite: Ciphersuite, identifier: int, secret: Scalar, nonce: Scalar) -> bytes:
    """Return a proof of 64 bytes; `nonce` serves for no other proof."""
    commitment = multiply_base(nonce)
    challenge = _challenge(suite, identifier, multiply_base(secret), commitment)
    return commitment + add(nonce, multiply(secret, challenge))


def verify_possession(suite: Ciphersuite, identifier: int, public: Point, proof: bytes) -> Point:
    """Return the commitment, whose secret the prover is now known to have.

    Raises:
        FrostFormatError: The proof is not one of this participant for this commitment.
    """
    commitment, response = parse_point(proof[:32]), parse_scalar(proof[32:])
    challenge = _challenge(suite, identifier, public, commitment)
    if multiply_base(response) != add_points(commitment, multiply_point(challenge, public)):
        raise FrostFormatError("the proof of possession does not verify")
    return public


def _challenge(suite: Ciphersuite, identifier: int, public: Point, commitment: Point) -> Scalar:
    return suite.possession_challenge(small_scalar(identifier) + public + commitment)

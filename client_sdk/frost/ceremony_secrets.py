"""What one participant of a key ceremony keeps to itself: all of it follows from one seed.

So a participant that crashed says the same again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from nacl.utils import random as random_bytes

from client_sdk.errors import FrostFormatError
from client_sdk.frost.ceremony_terms import CeremonyTerms
from client_sdk.frost.group import WIDE_BYTES, Scalar, multiply, reduce_scalar
from client_sdk.frost.keys import KeyShare
from client_sdk.frost.polynomial import SecretPolynomial, lagrange_coefficient

CEREMONY_SEED_BYTES: Final = 32


def new_ceremony_seed() -> bytes:
    """Return a random seed for one ceremony: as secret as the share, until the ceremony is over."""
    return random_bytes(CEREMONY_SEED_BYTES)


class CeremonySecrets:
    """The secrets of one participant in one ceremony. Its repr shows none."""

    def __init__(
        self,
        terms: CeremonyTerms,
        *,
        identifier: int,
        seed: bytes,
        previous_share: KeyShare | None,
    ) -> None:
        """Take over the seed.

        Args:
            terms: What all agreed on.
            identifier: Which of the participants it is.
            seed: Of this ceremony alone, 32 bytes.
            previous_share: A dealer's share of the key that is dealt anew.

        Raises:
            FrostFormatError: The seed is of another length, or the share does not fit the terms.
        """
        if len(seed) != CEREMONY_SEED_BYTES:
            raise FrostFormatError("ceremony: this seed does not belong to its terms")
        if (terms.previous is not None and identifier in terms.dealers) and (
            previous_share is None
            or previous_share.identifier != identifier
            or previous_share.group != terms.previous
        ):
            raise FrostFormatError("ceremony: a dealer needs its share of the key to deal it anew")
        self._terms = terms
        self._identifier = identifier
        self._seed = seed
        self._share = previous_share

    @contextmanager
    def polynomial(self) -> Iterator[tuple[SecretPolynomial, Scalar]]:
        """Give the polynomial that this dealer deals, and what it shares out; wipe it after."""
        if self._share is None:
            constant = self._derive_scalar("coefficient 0")
        else:
            weight = lagrange_coefficient(self._identifier, self._terms.dealers)
            constant = multiply(weight, self._share.secret.reveal())
        higher = [
            self._derive_scalar(f"coefficient {number}")
            for number in range(1, self._terms.threshold)
        ]
        polynomial = SecretPolynomial([constant, *higher])
        try:
            yield polynomial, constant
        finally:
            polynomial.wipe()

    def envelope_key(self, receiver: int) -> bytes:
        """Return the key of a receiver's envelope, 32 bytes."""
        return self._derive(f"envelope {receiver}", length=32)

    def proof_nonce(self) -> Scalar:
        """Return the nonce of the proof of possession."""
        return self._derive_scalar("possession")

    def _derive_scalar(self, use: str) -> Scalar:
        return reduce_scalar(self._derive(use, length=WIDE_BYTES))

    def _derive(self, use: str, *, length: int) -> bytes:
        return HKDF(
            algorithm=SHA512(), length=length, salt=self._terms.session, info=use.encode()
        ).derive(self._seed)

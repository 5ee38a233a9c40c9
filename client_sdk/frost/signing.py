"""Signing in two rounds, and naming whoever spoils it: FROST as RFC 9591 has it.

In round one each signer commits to two nonces. In round two it signs one message with them, once.
Nonces live in the memory of one process and nowhere else: a process that dies takes them along, and
what it was asked to sign is begun again. So no crash, restored file or copied disk brings one back.
"""

import os
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, NoReturn, Self

from nacl.utils import random as random_bytes

from chaincode.encoding import JsonObject, encode_base64url
from chaincode.errors import SignatureInvalidError
from chaincode.signatures import verify_signature
from client_sdk.errors import (
    FrostFormatError,
    NonceUsedError,
    ParticipantFaultError,
    SecretWipedError,
)
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
from client_sdk.frost.keys import GroupKey, KeyShare, decode_element
from client_sdk.frost.polynomial import is_ascending, lagrange_coefficient, sum_points
from client_sdk.frost.secret_scalar import SecretScalar

NONCE_RANDOM_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningCommitment:
    """What a signer says in round one.

    Attributes:
        identifier: The signer.
        hiding: The commitment to its hiding nonce.
        binding: The commitment to its binding nonce.
    """

    identifier: int
    hiding: Point
    binding: Point

    def __post_init__(self) -> None:
        """Refuse what cannot be a commitment.

        Raises:
            FrostFormatError: Not two points of the group.
        """
        parse_point(self.hiding)
        parse_point(self.binding)

    def encode(self) -> bytes:
        """Return the form that is hashed (RFC 9591 section 4.3)."""
        return small_scalar(self.identifier) + self.hiding + self.binding

    def to_fields(self) -> JsonObject:
        """Return the commitment as a JSON object."""
        return {
            "identifier": self.identifier,
            "hiding": encode_base64url(self.hiding),
            "binding": encode_base64url(self.binding),
        }

    @classmethod
    def from_fields(cls, fields: JsonObject) -> Self:
        """Return the commitment that a JSON object stands for.

        Raises:
            FrostFormatError: A field is missing or not acceptable.
        """
        return cls(
            identifier=_decode_identifier(fields),
            hiding=Point(decode_element(fields.get("hiding"))),
            binding=Point(decode_element(fields.get("binding"))),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningPackage:
    """What the signers are asked to sign, and with whom.

    Attributes:
        payload: The bytes that the signature will be checked against.
        commitments: Those of all signers, in ascending order.
    """

    payload: bytes
    commitments: tuple[SigningCommitment, ...]

    def __post_init__(self) -> None:
        """Refuse commitments that are not in one order.

        Raises:
            FrostFormatError: Not in ascending order, or a signer twice.
        """
        if not is_ascending(self.signers):
            raise FrostFormatError("signing package: signers in ascending order, each once")

    @property
    def signers(self) -> tuple[int, ...]:
        """The identifiers of those who sign."""
        return tuple(commitment.identifier for commitment in self.commitments)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureShare:
    """What a signer says in round two.

    Attributes:
        identifier: The signer.
        value: Its part of the signature.
    """

    identifier: int
    value: Scalar

    def __post_init__(self) -> None:
        """Refuse what cannot be a share.

        Raises:
            FrostFormatError: Not a scalar.
        """
        parse_scalar(self.value)

    def to_fields(self) -> JsonObject:
        """Return the share as a JSON object."""
        return {"identifier": self.identifier, "value": encode_base64url(self.value)}

    @classmethod
    def from_fields(cls, fields: JsonObject) -> Self:
        """Return the share that a JSON object stands for.

        Raises:
            FrostFormatError: A field is missing or not acceptable.
        """
        return cls(
            identifier=_decode_identifier(fields),
            value=Scalar(decode_element(fields.get("value"))),
        )


class SigningNonces:
    """Two secret nonces, good for one signature, in the process that made them.

    Attributes:
        commitment: What the others may know of them.
    """

    __slots__ = ("_binding", "_hiding", "_lock", "_process", "commitment")

    def __init__(self, identifier: int, hiding: Scalar, binding: Scalar) -> None:
        """Take two nonces that were drawn for this signature."""
        self._hiding = SecretScalar(hiding)
        self._binding = SecretScalar(binding)
        self._lock = threading.Lock()
        self._process = os.getpid()
        self.commitment = SigningCommitment(
            identifier=identifier, hiding=multiply_base(hiding), binding=multiply_base(binding)
        )

    def take(self) -> tuple[Scalar, Scalar]:
        """Return hiding and binding nonce, and forget them.

        Raises:
            NonceUsedError: They were taken before, or belong to another process (a fork).
        """
        with self._lock, self._hiding, self._binding:
            if os.getpid() != self._process:
                raise NonceUsedError("these nonces belong to another process")
            try:
                return self._hiding.reveal(), self._binding.reveal()
            except SecretWipedError:
                raise NonceUsedError(
                    "these nonces were used; a signature is begun again with new ones"
                ) from None

    def wipe(self) -> None:
        """Forget the nonces: nothing will be signed with them."""
        with self._lock, self._hiding, self._binding:
            pass

    def __repr__(self) -> str:
        return f"SigningNonces(identifier={self.commitment.identifier})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("nonces are neither copied nor pickled")


def commit(share: KeyShare) -> SigningNonces:
    """Begin a signature: draw two nonces (RFC 9591 sections 4.1 and 5.1)."""
    hiding, binding = (
        derive_nonce(share, random_bytes(NONCE_RANDOM_BYTES)) for _ in ("hiding", "binding")
    )
    return SigningNonces(share.identifier, hiding, binding)


def derive_nonce(share: KeyShare, random: bytes) -> Scalar:
    """Return a nonce from 32 fresh random bytes, hedged with the secret (RFC 9591 section 4.1)."""
    return share.group.suite.nonce(random + share.secret.reveal())


def sign_share(share: KeyShare, nonces: SigningNonces, package: SigningPackage) -> SignatureShare:
    """Return this participant's part of the signature, and use its nonces up.

    The caller has read the payload and agrees to it: nothing here knows what it says.

    Raises:
        FrostFormatError: The package does not fit the key or these nonces; they stay unused.
        NonceUsedError: The nonces were used before.
    """
    _validate_signers(share.group, package)
    if nonces.commitment not in package.commitments or (
        nonces.commitment.identifier != share.identifier
    ):
        raise FrostFormatError("signing package: it does not hold this signer's commitment")
    round_two = _RoundTwo(share.group, package)
    hiding, binding = nonces.take()
    identifier = share.identifier
    weight = multiply(lagrange_coefficient(identifier, package.signers), round_two.challenge)
    return SignatureShare(
        identifier=identifier,
        value=add(
            add(hiding, multiply(binding, round_two.factors[identifier])),
            multiply(weight, share.secret.reveal()),
        ),
    )


def verify_signature_share(
    group: GroupKey, package: SigningPackage, signature_share: SignatureShare
) -> SignatureShare:
    """Return a signer's part, now known to be right (RFC 9591 section 5.3).

    Raises:
        FrostFormatError: The package does not fit the key.
        ParticipantFaultError: It is wrong, or its signer is not one of the package.
    """
    _validate_signers(group, package)
    if not _RoundTwo(group, package).is_share(signature_share):
        raise _wrong_shares((signature_share.identifier,))
    return signature_share


def aggregate(
    group: GroupKey, package: SigningPackage, signature_shares: Collection[SignatureShare]
) -> bytes:
    """Return the 64-byte signature, verified (RFC 9591 section 5.3).

    Raises:
        FrostFormatError: The package does not fit the key.
        ParticipantFaultError: A part is wrong or missing; all who are at fault are named.
    """
    _validate_signers(group, package)
    round_two = _RoundTwo(group, package)
    parts = {part.identifier: part for part in signature_shares}
    missing = tuple(signer for signer in package.signers if signer not in parts)
    if missing or len(parts) != len(signature_shares) or len(parts) != len(package.signers):
        raise ParticipantFaultError(
            "one part from each signer of the package is needed", at_fault=missing
        )
    total = small_scalar(0)
    for part in parts.values():
        total = add(total, part.value)
    signature = round_two.commitment + total
    try:
        verify_signature(
            public_key=group.ledger_key, signature=signature.hex(), payload=package.payload
        )
    except SignatureInvalidError:
        wrong = [signer for signer, part in parts.items() if not round_two.is_share(part)]
        raise _wrong_shares(tuple(sorted(wrong))) from None
    return signature


class _RoundTwo:
    """What follows from a package for every signer: binding factors, commitment, challenge."""

    def __init__(self, group: GroupKey, package: SigningPackage) -> None:
        suite = group.suite
        message = suite.prehash(package.payload)
        encoded = b"".join(commitment.encode() for commitment in package.commitments)
        prefix = group.public_key + suite.message_hash(message) + suite.commitments_hash(encoded)
        self.factors: Mapping[int, Scalar] = {
            signer: suite.binding_factor(prefix + small_scalar(signer))
            for signer in package.signers
        }
        self._commitments = {
            commitment.identifier: add_points(
                commitment.hiding,
                multiply_point(self.factors[commitment.identifier], commitment.binding),
            )
            for commitment in package.commitments
        }
        self.commitment = sum_points(self._commitments.values())
        self.challenge = suite.challenge(self.commitment, group.public_key, message)
        self._group = group
        self._signers = package.signers

    def is_share(self, part: SignatureShare) -> bool:
        signer = part.identifier
        if signer not in self._commitments:
            return False
        weight = multiply(self.challenge, lagrange_coefficient(signer, self._signers))
        expected = add_points(
            self._commitments[signer],
            multiply_point(weight, self._group.verifying_shares[signer]),
        )
        return multiply_base(part.value) == expected


def _validate_signers(group: GroupKey, package: SigningPackage) -> None:
    if len(package.signers) < group.threshold:
        raise FrostFormatError(
            f"signing package: {group.threshold} signers are needed, it has {len(package.signers)}"
        )
    if not group.verifying_shares.keys() >= set(package.signers):
        raise FrostFormatError("signing package: a signer has no share of this key")


def _wrong_shares(at_fault: tuple[int, ...]) -> ParticipantFaultError:
    names = ", ".join(str(identifier) for identifier in at_fault)
    return ParticipantFaultError(
        f"wrong signature share from participant {names}", at_fault=at_fault
    )


def _decode_identifier(fields: JsonObject) -> int:
    identifier = fields.get("identifier")
    if not isinstance(identifier, int) or isinstance(identifier, bool):
        raise FrostFormatError("identifier: a whole number is expected")
    return identifier

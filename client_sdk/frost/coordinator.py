"""The coordinator of a signature: asks signers wherever they are, and goes on without liars.

It holds no secret and cannot forge: it can only fail to come to a signature.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from client_sdk.errors import (
    ClientError,
    FrostFormatError,
    NotEnoughSignersError,
    ParticipantFaultError,
)
from client_sdk.frost.keys import GroupKey
from client_sdk.frost.signing import (
    SignatureShare,
    SigningCommitment,
    SigningPackage,
    aggregate,
)


class RemoteSigner(Protocol):
    """One holder of a share, reached over a network. Its errors are `ClientError`s."""

    @property
    def identifier(self) -> int:
        """The holder's identifier in the group key."""

    def commit(self) -> tuple[str, SigningCommitment]:
        """Return the name of a session that was begun, and the signer's commitment in it."""

    def sign(self, session: str, package: SigningPackage) -> SignatureShare:
        """Return the signer's part in round two of a session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdSignature:
    """A signature of the group.

    Attributes:
        signature: 64 bytes, verified.
        left_out: Who was asked and gave no good answer, by identifier, and why.
    """

    signature: bytes
    left_out: dict[int, str]


def sign_together(
    group: GroupKey, payload: bytes, signers: Iterable[RemoteSigner]
) -> ThresholdSignature:
    """Return a signature of as many signers as the threshold; each that fails is replaced.

    Args:
        group: The key.
        payload: What is signed.
        signers: Those who may be asked, in order of preference.

    Raises:
        NotEnoughSignersError: Too few gave a good answer; it says what each of the others did.
    """
    waiting, left_out = list(signers), dict[int, str]()
    sessions: list[tuple[RemoteSigner, str, SigningCommitment]] = []
    while True:
        while len(sessions) < group.threshold:
            if not waiting:
                raise NotEnoughSignersError(
                    f"{group.threshold} signers are needed; "
                    + "; ".join(f"signer {i}: {why}" for i, why in sorted(left_out.items())),
                    left_out=left_out,
                )
            signer = waiting.pop(0)
            try:
                sessions.append((signer, *_begin(signer)))
            except ClientError as error:
                left_out[signer.identifier] = str(error)
        faults, signature = _round_two(group, payload, sessions)
        if signature is not None:
            return ThresholdSignature(signature=signature, left_out=left_out)
        # Nonces serve once: those who did their part begin again too.
        waiting[:0] = [signer for signer, *_ in sessions if signer.identifier not in faults]
        left_out |= faults
        sessions = []


def _begin(signer: RemoteSigner) -> tuple[str, SigningCommitment]:
    session, commitment = signer.commit()
    if commitment.identifier != signer.identifier:
        raise FrostFormatError(f"it calls itself signer {commitment.identifier}")
    return session, commitment


def _round_two(
    group: GroupKey,
    payload: bytes,
    sessions: list[tuple[RemoteSigner, str, SigningCommitment]],
) -> tuple[dict[int, str], bytes | None]:
    """Return what went wrong, by signer, or the signature."""
    commitments = sorted((c for *_, c in sessions), key=lambda c: c.identifier)
    package = SigningPackage(payload=payload, commitments=tuple(commitments))
    parts, faults = [], dict[int, str]()
    for signer, session, _ in sessions:
        try:
            part = signer.sign(session, package)
        except ClientError as error:
            faults[signer.identifier] = str(error)
        else:
            if part.identifier == signer.identifier:
                parts.append(part)
            else:
                faults[signer.identifier] = f"it calls itself signer {part.identifier}"
    if faults:
        return faults, None
    try:
        return {}, aggregate(group, package, parts)
    except ParticipantFaultError as error:
        return dict.fromkeys(error.at_fault, "its part of the signature is wrong"), None

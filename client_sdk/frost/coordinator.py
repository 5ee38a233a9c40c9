"""The coordinator of a signature: asks signers wherever they are, and goes on without liars.

It holds no secret and cannot forge: it can only fail to come to a signature.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from client_sdk.errors import (
    ClientError,
    FrostFormatError,
    NotEnoughSignersError,
    ParticipantFaultError,
    SignerFault,
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


_Session: TypeAlias = tuple[RemoteSigner, str, SigningCommitment]


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdSignature:
    """A signature of the group.

    Attributes:
        signature: 64 bytes, verified.
        left_out: Who was asked and gave no good answer, and why.
    """

    signature: bytes
    left_out: tuple[SignerFault, ...]


def sign_together(
    group: GroupKey, payload: bytes, signers: Iterable[RemoteSigner]
) -> ThresholdSignature:
    """Return a signature of as many signers as the threshold; each that fails is replaced.

    Args:
        group: The key.
        payload: What is signed.
        signers: Those who may be asked, in order of preference. Where two go by one identifier,
            they are tried one after the other.

    Raises:
        NotEnoughSignersError: Too few gave a good answer; it says what each of the others did.
    """
    waiting, left_out = list(signers), list[SignerFault]()
    while True:
        sessions, waiting = _round_one(group.threshold, waiting, left_out)
        if len(sessions) < group.threshold:
            told = "; ".join(f"signer {fault.identifier}: {fault.reason}" for fault in left_out)
            raise NotEnoughSignersError(
                f"{group.threshold} signers are needed; {told or 'there are fewer'}",
                left_out=tuple(left_out),
            )
        faults, signature = _round_two(group, payload, sessions)
        if signature is not None:
            return ThresholdSignature(signature=signature, left_out=tuple(left_out))
        left_out += [SignerFault(identifier=i, reason=why) for i, why in faults.items()]
        # Nonces serve once: those who did their part begin again too.
        waiting[:0] = [signer for signer, *_ in sessions if signer.identifier not in faults]


def _round_one(
    threshold: int, waiting: list[RemoteSigner], left_out: list[SignerFault]
) -> tuple[list[_Session], list[RemoteSigner]]:
    """Return enough sessions, if there are, and those who were not asked."""
    sessions: list[_Session] = []
    rest: list[RemoteSigner] = []
    for signer in waiting:
        taken = {begun.identifier for begun, *_ in sessions}
        if len(sessions) == threshold or signer.identifier in taken:
            rest.append(signer)
            continue
        try:
            sessions.append((signer, *_begin(signer)))
        except ClientError as error:
            left_out.append(SignerFault(identifier=signer.identifier, reason=str(error)))
    return sessions, rest


def _begin(signer: RemoteSigner) -> tuple[str, SigningCommitment]:
    session, commitment = signer.commit()
    if commitment.identifier != signer.identifier:
        raise FrostFormatError(f"it calls itself signer {commitment.identifier}")
    return session, commitment


def _round_two(
    group: GroupKey,
    payload: bytes,
    sessions: list[_Session],
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

"""What goes wrong with keys that several parties share."""

from dataclasses import dataclass

from client_sdk.errors.root import ClientError


class FrostError(ClientError):
    """A threshold key cannot be made or used."""


class FrostFormatError(FrostError):
    """A message, key or share of a threshold key is not well formed, or does not fit the others."""


class SecretWipedError(FrostError):
    """The secret was wiped from memory."""


class NonceUsedError(FrostError):
    """These nonces are used up or gone. Begin the signature again: they serve once only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerFault:
    """A signer that gave no good answer.

    Attributes:
        identifier: As it is known in the group.
        reason: What it answered, or that it did not.
    """

    identifier: int
    reason: str


class NotEnoughSignersError(FrostError):
    """Fewer signers than the threshold gave a good answer.

    Attributes:
        left_out: Who was asked and gave none, and why.
    """

    def __init__(self, message: str, *, left_out: tuple[SignerFault, ...]) -> None:
        super().__init__(message)
        self.left_out = left_out


class ParticipantFaultError(FrostError):
    """A participant of a threshold key did wrong or stayed silent; the rest can go on without it.

    Attributes:
        at_fault: The identifiers of those to blame, ascending; empty where nobody can be named.
        is_proof: Whether a third party can be convinced, by messages that those at fault signed.
            Otherwise the one who reports it, or who carried the messages, may be the liar.
    """

    def __init__(self, message: str, *, at_fault: tuple[int, ...], is_proof: bool = False) -> None:
        super().__init__(message)
        self.at_fault = at_fault
        self.is_proof = is_proof


class ThresholdError(ClientError):
    """A key that several parties share cannot be used."""


class GroupFormatError(ThresholdError):
    """Bytes are no element or scalar of the group, or an input is too long."""


class ShareError(ThresholdError):
    """A share does not belong to the key, or a key cannot be split like this."""


class EvaluationProofError(ThresholdError):
    """A party evaluated with another key than the one it committed to."""


class TooFewEvaluationsError(ThresholdError):
    """Fewer parties than needed gave a right answer.

    Attributes:
        wrong: The indices of the parties whose answers did not verify.
    """

    def __init__(self, message: str, *, wrong: tuple[int, ...]) -> None:
        super().__init__(message)
        self.wrong = wrong

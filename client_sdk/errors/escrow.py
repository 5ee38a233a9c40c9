"""What goes wrong with escrow agents and recovery cards."""

from client_sdk.errors.root import ClientError


class EscrowError(ClientError):
    """Protection by escrow agents cannot be set up or used."""


class EscrowFormatError(EscrowError):
    """A recovery card, or what an agent keeps, is not in the form that Tegata reads."""


class RequestProofError(EscrowError):
    """A request does not prove that its sender holds the key."""


class AccessLogError(EscrowError):
    """An agent's log was changed, or is not the one that it signed before."""


class WeakPasswordError(EscrowError):
    """The password is too easily guessed."""


class WrongPasswordError(EscrowError):
    """The password is not the one that the backup was protected with.

    Attributes:
        attempts_left: How many more attempts the strictest agent gives.
    """

    def __init__(self, message: str, *, attempts_left: int) -> None:
        super().__init__(message)
        self.attempts_left = attempts_left


class NotProtectedError(EscrowError):
    """The wallet is not protected against loss yet."""


class TooFewAgentsError(EscrowError):
    """Fewer agents than needed did their part; the text names each other one, and why.

    Attributes:
        may_pass: Whether there are enough with those that cannot be reached now, and asking again
            costs no attempt.
    """

    def __init__(self, message: str, *, may_pass: bool = False) -> None:
        super().__init__(message)
        self.may_pass = may_pass

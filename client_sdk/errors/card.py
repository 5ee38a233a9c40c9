"""What goes wrong with a My Number card."""

from client_sdk.errors.root import ClientError


class CardError(ClientError):
    """The My Number card, or its reader, does not do what is asked of it."""


class WrongPinError(CardError):
    """The PIN is another one.

    Attributes:
        remaining_tries: How often it may still be given wrongly.
    """

    def __init__(self, *, remaining_tries: int) -> None:
        super().__init__(f"the PIN is wrong; {remaining_tries} tries are left")
        self.remaining_tries = remaining_tries


class LastTryError(CardError):
    """One more wrong PIN would block the card."""


class PinBlockedError(CardError):
    """The card's PIN is blocked; the city office sets a new one."""


class CardFormatError(CardError):
    """The card holds something in another form than its profile says."""


class CardProofError(CardError):
    """A card's certificate or signature does not verify."""

"""A card on a PC/SC reader, by pyscard: the extra `tegata[card]`."""

from typing import Self

from smartcard.CardRequest import CardRequest
from smartcard.Exceptions import CardRequestTimeoutException, SmartcardException
from smartcard.PassThruCardService import PassThruCardService

from client_sdk.errors import CardError


class PcscTransport:
    """The first card that is laid on any reader. Use it as a context."""

    def __init__(self, *, timeout_s: float = 30) -> None:
        """Wait for a card, at most `timeout_s` seconds.

        Raises:
            CardError: There is no reader, or no card came.
        """
        try:
            self._service: PassThruCardService = CardRequest(timeout=timeout_s).waitforcard()
            self._service.connection.connect()
        except CardRequestTimeoutException:
            raise CardError("no card was laid on the reader") from None
        except SmartcardException as error:
            raise CardError(f"the card reader cannot be used: {type(error).__name__}") from None

    def transmit(self, command: bytes) -> bytes:
        """Send a command, and return the card's answer with its two status bytes."""
        try:
            data, first, second = self._service.connection.transmit(list(command))
        except SmartcardException:
            raise CardError("the card was taken away; lay it on the reader again") from None
        return bytes([*data, first, second])

    def close(self) -> None:
        """Let the card go."""
        self._service.connection.disconnect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

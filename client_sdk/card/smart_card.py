"""Commands to a contact or contactless card (ISO/IEC 7816-4), over any way to transmit them."""

from typing import Final, Protocol

from client_sdk.card.ber import measure_tlv
from client_sdk.errors import CardError, CardFormatError, PinBlockedError, WrongPinError

MAX_FILE_BYTES: Final = 0x7FFF
"""READ BINARY has 15 bits for the place."""

_CHUNK_BYTES: Final = 256
_HEAD_BYTES: Final = 7
_DONE: Final = 0x9000
_WRONG_PIN: Final = 0x63C0
_BLOCKED: Final = (0x6983, 0x6984)
_MEANINGS: Final = {
    0x6700: "the command has a wrong length",
    0x6982: "a PIN must be verified first",
    0x6985: "the card does not allow this now",
    0x6986: "no application is selected",
    0x6A82: "the card has no such application or file",
    0x6A86: "the command has wrong parameters",
    0x6D00: "the card does not know the command",
}


class CardTransport(Protocol):
    """A way to a card: a reader, or a virtual card."""

    def transmit(self, command: bytes) -> bytes:
        """Send a command, and return the card's answer with the two status bytes at its end.

        Raises:
            CardError: The card was taken away, or the reader failed.
        """
        ...


class SmartCard:
    """A card: its applications and files, its PINs, its signatures."""

    def __init__(self, transport: CardTransport) -> None:
        """Talk over `transport`."""
        self._transport = transport

    def select_application(self, name: bytes) -> None:
        """Select an application by its identifier.

        Raises:
            CardError: The card has no such application, or failed.
        """
        self._command(bytes.fromhex("00A4040C") + bytes([len(name)]) + name)

    def select_file(self, file_id: int) -> None:
        """Select a file of the application.

        Raises:
            CardError: There is no such file, or the card failed.
        """
        self._command(bytes.fromhex("00A4020C02") + file_id.to_bytes(2, "big"))

    def remaining_tries(self) -> int:
        """Return how often the selected PIN may still be given wrongly.

        Raises:
            CardError: No PIN is selected, or the card failed.
        """
        status, _ = self._transmit(bytes.fromhex("00200080"))
        if status in _BLOCKED:
            return 0
        if status & 0xFFF0 != _WRONG_PIN:
            raise _error(status)
        return status & 0x0F

    def verify_pin(self, pin: str) -> None:
        """Verify the selected PIN.

        Raises:
            WrongPinError: It is another one; the error says how many tries are left.
            PinBlockedError: No try is left. The city office sets a new PIN.
            CardError: The card failed.
        """
        data = pin.encode("ascii")
        status, _ = self._transmit(bytes.fromhex("00200080") + bytes([len(data)]) + data)
        if status in _BLOCKED or status == _WRONG_PIN:
            raise PinBlockedError("the PIN is blocked; the city office can set a new one")
        if status & 0xFFF0 == _WRONG_PIN:
            raise WrongPinError(remaining_tries=status & 0x0F)
        if status != _DONE:
            raise _error(status)

    def read_object(self) -> bytes:
        """Return the data object that the selected file holds, without what pads the file.

        Raises:
            CardFormatError: The file holds no data object, or one longer than a file can be.
            CardError: The file may not be read, or the card failed.
        """
        length = measure_tlv(self._read(0, _HEAD_BYTES))
        if length > MAX_FILE_BYTES:
            raise CardFormatError(f"the card's file tells of {length} bytes")
        data = bytearray()
        while len(data) < length:
            part = self._read(len(data), min(_CHUNK_BYTES, length - len(data)))
            if not part:
                raise CardFormatError("the card's file ends before its data object")
            data += part
        return bytes(data[:length])

    def sign(self, digest_info: bytes) -> bytes:
        """Return the selected key's signature, RSA with PKCS #1 v1.5 padding, of a DigestInfo.

        Raises:
            CardError: The PIN of the key was not verified, or the card failed.
        """
        head = bytes.fromhex("802A0080") + bytes([len(digest_info)])
        return self._command(head + digest_info + b"\x00")

    def _read(self, place: int, length: int) -> bytes:
        # A length of 256 is written as 0.
        head = bytes.fromhex("00B0") + place.to_bytes(2, "big")
        return self._command(head + bytes([length & 0xFF]))

    def _command(self, command: bytes) -> bytes:
        status, data = self._transmit(command)
        if status != _DONE:
            raise _error(status)
        return data

    def _transmit(self, command: bytes) -> tuple[int, bytes]:
        answer = self._transport.transmit(command)
        if len(answer) < 2:
            raise CardError("the card gave no answer; lay it on the reader again")
        return int.from_bytes(answer[-2:], "big"), answer[:-2]


def _error(status: int) -> CardError:
    meaning = _MEANINGS.get(status, "the card refused the command")
    return CardError(f"{meaning} (status {status:04X})")

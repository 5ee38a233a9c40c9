"""The BER-TLV that the card's files are written in (ISO/IEC 7816-4 section 5.2.2)."""

from dataclasses import dataclass, field
from typing import Final

from client_sdk.errors import CardFormatError

_MORE_TAG_BYTES: Final = 0x1F
_MAX_LENGTH_BYTES: Final = 3


@dataclass(frozen=True, slots=True)
class Tlv:
    """One data object.

    Attributes:
        tag: All bytes of the tag, as a number.
        value: What it holds.
    """

    tag: int
    value: bytes = field(repr=False)


def measure_tlv(data: bytes) -> int:
    """Return how many bytes the object at the beginning takes; `data` may be cut behind its head.

    Raises:
        CardFormatError: The head is cut, or of a form that the card does not use.
    """
    start, length = _read_head(data)
    return start + length


def parse_tlv(data: bytes) -> tuple[Tlv, bytes]:
    """Return the object at the beginning, and the bytes behind it.

    Raises:
        CardFormatError: It is cut, or of a form that the card does not use.
    """
    start, length = _read_head(data)
    if len(data) < start + length:
        raise CardFormatError("a data object of the card is cut")
    tag = int.from_bytes(data[: _tag_size(data)], "big")
    return Tlv(tag, data[start : start + length]), data[start + length :]


def parse_all(data: bytes) -> dict[int, bytes]:
    """Return the values of objects that follow each other, by tag.

    Raises:
        CardFormatError: One is malformed, or a tag stands there twice.
    """
    values: dict[int, bytes] = {}
    while data:
        item, data = parse_tlv(data)
        if item.tag in values:
            raise CardFormatError(f"the card has two data objects with tag {item.tag:X}")
        values[item.tag] = item.value
    return values


def _tag_size(data: bytes) -> int:
    if not data:
        raise CardFormatError("a data object of the card is empty")
    # The card's tags have one byte, or two where the low bits of the first are all set.
    return 2 if data[0] & _MORE_TAG_BYTES == _MORE_TAG_BYTES else 1


def _read_head(data: bytes) -> tuple[int, int]:
    """Return where the value begins, and its length."""
    place = _tag_size(data)
    if len(data) <= place:
        raise CardFormatError("a data object of the card is cut")
    first = data[place]
    if first < 0x80:
        return place + 1, first
    size = first & 0x7F
    if not 1 <= size <= _MAX_LENGTH_BYTES or len(data) < place + 1 + size:
        raise CardFormatError("a data object of the card has a length of another form")
    return place + 1 + size, int.from_bytes(data[place + 1 : place + 1 + size], "big")

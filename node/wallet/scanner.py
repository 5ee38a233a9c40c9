"""Looking for a QR code in a picture of the holder's own camera. No picture is kept."""

from typing import Final

import zxingcpp

MAX_SIDE: Final = 1600
_MIN_SIDE: Final = 32
_QR_CODE: Final = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)


def find_code(grey: bytes, *, width: int) -> str | None:
    """Return the text of a QR code; None where the picture shows none.

    Args:
        grey: One byte a pixel, row by row.
        width: Pixels of a row.
    """
    height, rest = divmod(len(grey), width) if width > 0 else (0, 1)
    if rest or not all(_MIN_SIDE <= side <= MAX_SIDE for side in (width, height)):
        return None
    picture = memoryview(grey).cast("B", (height, width))
    found = zxingcpp.read_barcodes(picture, formats=_QR_CODE)
    return found[0].text if found else None

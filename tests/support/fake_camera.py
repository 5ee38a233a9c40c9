"""What Chromium's fake camera sees: one picture, as an uncompressed video (YUV4MPEG2)."""

from pathlib import Path
from typing import Final

import segno

WIDTH: Final = 640
HEIGHT: Final = 480
_DARK, _LIGHT, _GREY = 16, 235, 128
_BORDER: Final = 4


def show_qr_code(path: Path, text: str) -> None:
    """Write the video of a QR code in the middle of the picture."""
    rows = [
        list(row) for row in segno.make(text, micro=False, error="l").matrix_iter(border=_BORDER)
    ]
    scale = HEIGHT // len(rows)
    luma = bytearray([_LIGHT]) * (WIDTH * HEIGHT)
    left = (WIDTH - scale * len(rows)) // 2
    top = (HEIGHT - scale * len(rows)) // 2
    for y, row in enumerate(rows):
        line = bytes(_DARK if dark else _LIGHT for dark in row for _ in range(scale))
        for below in range(scale):
            start = (top + y * scale + below) * WIDTH + left
            luma[start : start + len(line)] = line
    chroma = bytes([_GREY]) * (WIDTH * HEIGHT // 2)
    frame = b"FRAME\n" + bytes(luma) + chroma
    # Chromium wants more than one frame.
    path.write_bytes(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F10:1 Ip C420jpeg\n".encode() + 2 * frame)

"""Pictures from outside: what is read, and what is refused before it costs anything."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow

from node.errors import ImageError
from node.face.vision import decode_image
from node.face.vision.images import MAX_IMAGE_BYTES


def encode(form: str, *, size: tuple[int, int] = (96, 128), **options: object) -> bytes:
    ramp = np.linspace(0, 255, size[0] * size[1] * 3).reshape(size[1], size[0], 3)
    out = io.BytesIO()
    Pillow.fromarray(ramp.astype(np.uint8)).save(out, form, **options)
    return out.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "JPEG2000", "PNG", "WEBP"])
def test_the_four_formats_give_the_same_picture(form: str) -> None:
    image = decode_image(encode(form))
    assert image.shape == (128, 96, 3)
    assert np.abs(image.astype(int) - decode_image(encode("PNG"))).mean() < 4


def test_a_picture_that_lies_on_its_side_is_set_upright() -> None:
    exif = Pillow.Exif()
    exif[0x0112] = 6
    assert decode_image(encode("JPEG", exif=exif)).shape == (96, 128, 3)


def test_a_large_picture_is_made_smaller() -> None:
    assert max(decode_image(encode("JPEG", size=(1600, 900)), max_side=640).shape) == 640


@pytest.mark.parametrize(
    ("side", "said"), [(60_000, "far more than 24000000 pixels"), (6_000, "6000 x 6000 pixels")]
)
def test_a_bomb_is_refused_by_its_header(side: int, said: str) -> None:
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    png += struct.pack(">I", zlib.crc32(chunk)) + struct.pack(">I", 1 << 20) + b"IDAT"
    with pytest.raises(ImageError, match=said):
        decode_image(png)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "cannot be read"),
        (b"<svg/>", "cannot be read"),
        (b"GIF89a" + bytes(40), "cannot be read"),
        (encode("JPEG")[:900], "cannot be read"),
        (encode("PNG", size=(20, 200)), "at least 64"),
        (bytes(MAX_IMAGE_BYTES + 1), "bytes"),
    ],
    ids=["nothing", "svg", "gif", "cut", "thin", "long"],
)
def test_what_is_no_fit_picture_is_refused_in_words(data: bytes, said: str) -> None:
    with pytest.raises(ImageError, match=said):
        decode_image(data)

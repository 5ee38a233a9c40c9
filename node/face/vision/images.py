"""Pictures from outside to arrays, within bounds of time and memory."""

import io
import warnings
from typing import Final

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps

from node.errors import ImageError
from node.face.vision.arrays import Image

MAX_IMAGE_BYTES: Final = 8 * 1024 * 1024
MAX_PIXELS: Final = 24_000_000
# Of what is not made smaller while it is decoded: OpenJPEG takes 12 bytes for each pixel, and more.
MAX_WHOLE_PIXELS: Final = 6_000_000
# What no check needs more of. Larger JPEG pictures are made smaller while they are decoded.
_MAX_SIDE: Final = 1280
_MIN_SIDE: Final = 64
FORMATS: Final = ("JPEG", "JPEG2000", "PNG", "WEBP")


def decode_image(
    data: bytes, *, max_side: int = _MAX_SIDE, formats: tuple[str, ...] = FORMATS
) -> Image:
    """Return the picture of a JPEG, JPEG 2000, PNG or WebP file, upright and in RGB.

    The size is read from the header before anything is decoded, so that a small file that claims
    to be a huge picture costs nothing.

    Args:
        data: The file.
        max_side: The longer side of the result is at most this many pixels.
        formats: Pillow's names of the formats that are taken.

    Raises:
        ImageError: It is no such picture, is damaged, or is larger or smaller than we take.
    """
    if len(data) > MAX_IMAGE_BYTES:
        raise ImageError(f"the picture has {len(data)} bytes; we take at most {MAX_IMAGE_BYTES}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)
            with Pillow.open(io.BytesIO(data), formats=formats) as picture:
                most = MAX_PIXELS if picture.format == "JPEG" else MAX_WHOLE_PIXELS
                _check_size(*picture.size, most)
                picture.draft("RGB", (max_side, max_side))
                ImageOps.exif_transpose(picture, in_place=True)
                picture.load()
                upright = picture if picture.mode == "RGB" else picture.convert("RGB")
    except Pillow.DecompressionBombError as error:
        raise ImageError(f"the picture has far more than {MAX_PIXELS} pixels; send less") from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise ImageError(
            "the picture cannot be read; send a whole JPEG, JPEG 2000, PNG or WebP file"
        ) from error
    upright.thumbnail((max_side, max_side), Pillow.Resampling.BILINEAR)
    return np.asarray(upright, dtype=np.uint8)


def _check_size(width: int, height: int, most: int) -> None:
    if width * height > most:
        raise ImageError(f"the picture has {width} x {height} pixels; we take at most {most}")
    if min(width, height) < _MIN_SIDE:
        raise ImageError(
            f"the picture has {width} x {height} pixels; a side must have at least {_MIN_SIDE}"
        )

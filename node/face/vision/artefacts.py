"""What a screen or a print leaves in a picture: the regular grid of its dots."""

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from node.face.vision.arrays import Floats, Image

_SIDE: Final = 128
# Frequencies looked at, in cycles over the side: below are features of a face, above is noise.
_LOWEST: Final = 14
_HIGHEST: Final = 62
# JPEG's blocks and the camera's rows put peaks on the axes.
_AXIS: Final = 2


def grid_peak(image: Image, landmarks: Floats) -> float:
    """Return how high the highest peak of the face's spectrum stands over its surroundings.

    The dots of a screen or the raster of a print, filmed, make a regular pattern (moire) that skin
    has not. Each peak is compared with the median power at its distance from the middle.

    Args:
        image: The picture.
        landmarks: The face in it.
    """
    middle = landmarks[:, :2].mean(axis=0)
    # At the camera's own scale: to scale it down would wipe out what is looked for.
    patch = cv2.getRectSubPix(
        np.ascontiguousarray(image[:, :, 1]), (_SIDE, _SIDE), (float(middle[0]), float(middle[1]))
    )
    window = np.outer(np.hanning(_SIDE), np.hanning(_SIDE))
    values = np.asarray(patch, dtype=np.float32)
    spectrum = np.fft.fftshift(np.abs(np.fft.fft2((values - values.mean()) * window)) ** 2)
    ticks = np.arange(_SIDE) - _SIDE // 2
    across, down = np.meshgrid(ticks, ticks)
    radius = np.hypot(across, down).astype(np.int64)
    off_axis = (np.abs(across) > _AXIS) & (np.abs(down) > _AXIS) & ~_is_jpeg_grid(across, down)
    peak = 0.0
    for ring in range(_LOWEST, _HIGHEST, 4):
        power = spectrum[(radius >= ring) & (radius < ring + 4) & off_axis]
        peak = max(peak, float(power.max() / (np.median(power) + 1e-3)))
    return float(np.log1p(peak))


def _is_jpeg_grid(across: NDArray[Any], down: NDArray[Any]) -> NDArray[np.bool_]:
    """Multiples of 16 cycles in 128 pixels: the corners of JPEG's blocks."""
    return np.asarray((np.abs((across + 8) % 16 - 8) <= 1) & (np.abs((down + 8) % 16 - 8) <= 1))

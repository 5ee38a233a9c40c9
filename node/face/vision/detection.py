"""Where the faces are: MediaPipe's short-range detector (BlazeFace), up to about two metres."""

from dataclasses import dataclass
from functools import cache
from typing import Final

import cv2
import numpy as np

from node.face.vision.arrays import Floats, Image
from node.face.vision.models import Network

_SIDE: Final = 128
# Two anchors a cell of 16 x 16, then six a cell of 8 x 8 (face_detection_short_range.pbtxt).
_ANCHOR_GRIDS: Final = ((16, 2), (8, 6))
_MIN_SCORE: Final = 0.5
_MAX_OVERLAP: Final = 0.3


@dataclass(frozen=True)
class DetectedFace:
    """A face in the picture, in pixels.

    Attributes:
        box: Left, top, right, bottom.
        eyes: 2 x 2: the eye on the picture's left, then the other.
        score: How sure, 0 to 1.
    """

    box: Floats
    eyes: Floats
    score: float


def detect_faces(network: Network, image: Image) -> list[DetectedFace]:
    """Return the faces of a picture, the surest first."""
    height, width = image.shape[:2]
    side = max(height, width)
    scale = _SIDE / side
    square = np.zeros((_SIDE, _SIDE, 3), np.uint8)
    # Letterboxed, as the network was trained.
    small = cv2.resize(
        image, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA
    )
    top, left = (_SIDE - small.shape[0]) // 2, (_SIDE - small.shape[1]) // 2
    square[top : top + small.shape[0], left : left + small.shape[1]] = small
    regressors, logits = sorted(
        network.run((square.astype(np.float32) / 127.5 - 1)[None]), key=lambda out: -out.shape[-1]
    )
    scores = 1 / (1 + np.exp(-np.clip(logits.reshape(-1), -80, 80)))
    chosen = np.flatnonzero(scores >= _MIN_SCORE)
    if not chosen.size:
        return []
    values = regressors.reshape(-1, 16)[chosen] / _SIDE
    centres = _anchors()[chosen]
    middle, size = values[:, :2] + centres, values[:, 2:4]
    points = values[:, 4:].reshape(-1, 6, 2) + centres[:, None]
    offset = np.array([left, top], np.float32) / _SIDE
    to_pixels = np.float32(side)
    boxes = np.hstack([middle - size / 2 - offset, middle + size / 2 - offset]) * to_pixels
    eyes = (points[:, :2] - offset) * to_pixels
    faces = [
        DetectedFace(box.astype(np.float32), eye.astype(np.float32), float(score))
        for box, eye, score in zip(boxes, eyes, scores[chosen], strict=True)
    ]
    return _without_overlaps(sorted(faces, key=lambda face: -face.score))


@cache
def _anchors() -> Floats:
    """The middle of each anchor, 896 x 2, as parts of the side."""
    grids = []
    for cells, count in _ANCHOR_GRIDS:
        ticks = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
        grids.append(np.repeat(grid, count, axis=0))
    return np.concatenate(grids).astype(np.float32)


def _without_overlaps(faces: list[DetectedFace]) -> list[DetectedFace]:
    kept: list[DetectedFace] = []
    for face in faces:
        if all(_overlap(face.box, other.box) < _MAX_OVERLAP for other in kept):
            kept.append(face)
    return kept


def _overlap(first: Floats, second: Floats) -> float:
    """Intersection over union."""
    low, high = np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])
    shared = float(np.prod(np.clip(high - low, 0, None)))
    areas = float(np.prod(first[2:] - first[:2])) + float(np.prod(second[2:] - second[:2]))
    return shared / max(areas - shared, 1e-6)

"""The two-stream deepfake detector: how a face looks, and how it moves.

After Simonyan and Zisserman's two streams: one small network sees the texture of the face, the
other the optical flow and how far it departs from the movement of the mesh. Each gives a log-odds a
frame; their means are weighed into one score. The score is advice: the card beside the weights says
on what they were trained and how they did.
"""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np

from node.face.vision.arrays import Floats, Gray, Image
from node.face.vision.embedding import align_face
from node.face.vision.features import PATCH_SIDE, face_patch
from node.face.vision.models import DetectorModels

MOTION_SIDE: Final = 32
# Frames farther apart than this do not show one movement.
_MAX_PAIR_MS: Final = 300
_EVERY: Final = 6
_CANONICAL_SPREAD_CM: Final = 1.2


@dataclass(frozen=True)
class DetectorScore:
    """How likely a face was made or changed by a machine, 0 to 1, and of how much that is said.

    Attributes:
        score: Both streams together.
        appearance: The picture alone.
        motion: The movement alone; None when there were no two frames near each other.
        frames: Pictures looked at.
        pairs: Pairs of frames looked at.
    """

    score: float
    appearance: float
    motion: float | None
    frames: int
    pairs: int


class DeepfakeDetector:
    """Scores the frames of one face as they come. Holds one small grey picture, no frame."""

    def __init__(self, networks: DetectorModels, canonical: Floats) -> None:
        """Begin with no frame.

        Args:
            networks: The two streams and their card.
            canonical: The canonical face.
        """
        self._networks = networks
        self._weights: dict[str, Any] = networks.card["fusion"]
        self._spread = spread_of_landmarks(canonical)
        self._appearance: list[float] = []
        self._motion: list[float] = []
        self._last: tuple[int, Gray, Floats] | None = None
        self._count = 0

    def add(self, image: Image, landmarks: Floats, at_ms: int) -> None:
        """Take a frame in which a face was found."""
        if self._count % _EVERY == 0:
            batch = appearance_input(image, landmarks)[None]
            self._appearance.append(float(self._networks.appearance.run(batch)[0].reshape(-1)[0]))
        self._count += 1
        patch, placed = motion_patch(image, landmarks)
        if self._last is not None and 0 < at_ms - self._last[0] <= _MAX_PAIR_MS:
            batch = motion_input(self._last[1:], (patch, placed), self._spread)[None]
            self._motion.append(float(self._networks.motion.run(batch)[0].reshape(-1)[0]))
        self._last = (at_ms, patch, placed)

    def score(self) -> DetectorScore | None:
        """Return the score of what was added; None when nothing was."""
        if not self._appearance:
            return None
        weights = self._weights
        appearance = float(np.mean(self._appearance))
        motion = float(np.mean(self._motion)) if self._motion else None
        total = weights["bias"] + weights["appearance"] * appearance
        # Without movement the other stream speaks alone.
        total += weights["motion"] * (weights["motion_mean"] if motion is None else motion)
        return DetectorScore(
            score=_sigmoid(total),
            appearance=_sigmoid(appearance),
            motion=None if motion is None else _sigmoid(motion),
            frames=len(self._appearance),
            pairs=len(self._motion),
        )


def appearance_input(image: Image, landmarks: Floats) -> Floats:
    """Return what the first stream sees: the face as it is embedded, 224 x 224 x 3, 0 to 255."""
    return align_face(image, landmarks).astype(np.float32)


def motion_patch(image: Image, landmarks: Floats) -> tuple[Gray, Floats]:
    """Return the face in grey, 64 x 64, and the landmarks in its pixels, 468 x 2."""
    patch, matrix = face_patch(image, landmarks)
    inverse = np.linalg.inv(matrix[:, :2])
    return patch, ((landmarks[:, :2] - matrix[:, 2]) @ inverse.T).astype(np.float32)


def motion_input(before: tuple[Gray, Floats], after: tuple[Gray, Floats], spread: Floats) -> Floats:
    """Return what the second stream sees: 32 x 32 x 4.

    The optical flow between two frames and, beside it, what the mesh's movement does not explain
    of it; both in pixels of the patch.

    Args:
        before: A frame's `motion_patch`.
        after: The next one's.
        spread: `spread_of_landmarks`.
    """
    flow = cv2.calcOpticalFlowFarneback(
        before[0], after[0], np.zeros((PATCH_SIDE, PATCH_SIDE, 2), np.float32),
        pyr_scale=0.5, levels=2, winsize=9, iterations=2, poly_n=5, poly_sigma=1.1, flags=0,
    )  # fmt: skip
    small = cv2.resize(flow, (MOTION_SIDE, MOTION_SIDE), interpolation=cv2.INTER_AREA)
    explained = (spread @ (after[1] - before[1])).reshape(MOTION_SIDE, MOTION_SIDE, 2)
    return np.dstack([small, small - explained]).astype(np.float32)


def spread_of_landmarks(canonical: Floats) -> Floats:
    """Return the 1024 x 468 matrix that spreads the landmarks' movement over the patch."""
    low, high = canonical[:, :2].min(axis=0), canonical[:, :2].max(axis=0)
    side = float((high - low).max()) * 1.5 / 1.4
    ticks = ((np.arange(MOTION_SIDE) + 0.5) / MOTION_SIDE - 0.5) * side
    across, down = np.meshgrid(ticks, ticks)
    middle = (low + high) / 2
    cells = np.stack([middle[0] + across.reshape(-1), middle[1] - down.reshape(-1)], axis=1)
    squares = ((cells[:, None] - canonical[None, :, :2]) ** 2).sum(axis=-1)
    nearness = np.exp(-squares / (2 * _CANONICAL_SPREAD_CM**2)) + 1e-9
    return np.asarray(nearness / nearness.sum(axis=1, keepdims=True), dtype=np.float32)


def _sigmoid(value: float) -> float:
    return float(1 / (1 + np.exp(-np.clip(value, -40, 40))))

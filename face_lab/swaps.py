"""A face laid over another's, frame by frame: the makings of a deepfake, without a network."""

from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from face_lab.performer import FACE_OVAL, HEIGHT, WIDTH, Performer, Pose
from node.face.vision.arrays import Floats, Image


class Swap(StrEnum):
    """How the face is laid over. A detector that was trained on one is tested on the other."""

    # Faded in at its edge, colours fitted by their mean and spread, softened, trembling.
    BLENDED = "blended"
    # Poisson's equation at its edge (Perez, Gangnet, Blake 2003): no seam, still sharp and steady.
    POISSON = "poisson"


class SwappedPerformer:
    """A performer whose face is another's, in each frame anew."""

    def __init__(
        self, target: Performer, donor: Performer, seed: int, swap: Swap = Swap.BLENDED
    ) -> None:
        """Lay `donor`'s face over `target`'s."""
        self._target = target
        self._rng = np.random.default_rng(seed)
        laid, _ = cv2.findHomography(donor.landmarks[:, :2], target.landmarks[:, :2])
        moved = np.asarray(
            cv2.warpPerspective(
                donor.photograph, laid, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE
            ),
            dtype=np.uint8,
        )
        if swap is Swap.BLENDED:
            self._tremble = float(self._rng.uniform(0.4, 1.6))
            self._prepare_blend(moved)
        else:
            self._tremble = 0.0
            self._prepare_poisson(moved)

    def frame(self, pose: Pose) -> Image:
        """Return the frame of a pose."""
        off = self._rng.normal(0, self._tremble, 2)
        shift = np.array([[1, 0, off[0]], [0, 1, off[1]]], np.float32)
        face = cv2.warpAffine(self._face, shift, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
        mixed = face * self._mask + self._target.photograph * (1 - self._mask)
        return self._target.with_photograph(np.clip(mixed, 0, 255).astype(np.uint8)).frame(pose)

    def _prepare_blend(self, moved: Image) -> None:
        mask = self._face_mask(float(self._rng.uniform(0.82, 0.98)))
        feather = int(self._rng.integers(2, 9)) * 2 + 1
        soft = np.asarray(cv2.GaussianBlur(mask, (feather, feather), 0), dtype=np.float32)
        blur = float(self._rng.uniform(0.4, 1.4))
        face = np.asarray(cv2.GaussianBlur(moved, (0, 0), blur), dtype=np.float32)
        self._mask = soft[..., None]
        self._face = _fit_colours(face, self._target.photograph.astype(np.float32), mask > 0)

    def _prepare_poisson(self, moved: Image) -> None:
        mask = (self._face_mask(0.9) * 255).astype(np.uint8)
        left, top, width, height = cv2.boundingRect(mask)
        middle = (left + width // 2, top + height // 2)
        joined = cv2.seamlessClone(moved, self._target.photograph, mask, middle, cv2.NORMAL_CLONE)
        self._mask = np.ones((HEIGHT, WIDTH, 1), np.float32)
        self._face = np.asarray(joined, dtype=np.float32)

    def _face_mask(self, size: float) -> Floats:
        inner = self._target.landmarks[list(FACE_OVAL), :2]
        centre = inner.mean(axis=0)
        mask = np.zeros((HEIGHT, WIDTH), np.float32)
        cv2.fillConvexPoly(mask, np.round(centre + (inner - centre) * size).astype(np.int32), 1.0)
        return mask


def _fit_colours(face: Floats, like: Floats, where: NDArray[np.bool_]) -> Floats:
    """Give one face the mean and spread of another's colours."""
    ours, theirs = face[where], like[where]
    spread = theirs.std(axis=0) / np.maximum(ours.std(axis=0), 1)
    return np.asarray((face - ours.mean(axis=0)) * spread + theirs.mean(axis=0), np.float32)

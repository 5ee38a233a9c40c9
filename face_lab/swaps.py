"""A face laid over another's, frame by frame: the makings of a deepfake, without a network."""

import cv2
import numpy as np

from face_lab.performer import FACE_OVAL, HEIGHT, WIDTH, Performer, Pose
from node.face.vision.arrays import Image


class SwappedPerformer:
    """A performer whose face is another's, blended in each frame anew.

    It has what swaps are known by: a seam, colours that were fitted, a blurred inner face, and a
    place that trembles from frame to frame.
    """

    def __init__(self, target: Performer, donor: Performer, seed: int) -> None:
        """Lay `donor`'s face over `target`'s."""
        self._target = target
        rng = np.random.default_rng(seed)
        self._rng = rng
        self._tremble = float(rng.uniform(0.4, 1.6))
        blur = float(rng.uniform(0.4, 1.4))
        inner = target.landmarks[list(FACE_OVAL), :2]
        centre = inner.mean(axis=0)
        shrunk = centre + (inner - centre) * float(rng.uniform(0.82, 0.98))
        mask = np.zeros((HEIGHT, WIDTH), np.float32)
        cv2.fillConvexPoly(mask, np.round(shrunk).astype(np.int32), 1.0)
        feather = int(rng.integers(2, 9)) * 2 + 1
        self._mask = np.asarray(cv2.GaussianBlur(mask, (feather, feather), 0))[..., None]
        laid, _ = cv2.findHomography(donor.landmarks[:, :2], target.landmarks[:, :2])
        moved = cv2.warpPerspective(
            donor.photograph, laid, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE
        )
        moved = np.asarray(cv2.GaussianBlur(moved, (0, 0), blur), dtype=np.float32)
        self._face = _fit_colours(moved, target.photograph.astype(np.float32), mask > 0)

    def frame(self, pose: Pose) -> Image:
        """Return the frame of a pose."""
        off = self._rng.normal(0, self._tremble, 2)
        shift = np.array([[1, 0, off[0]], [0, 1, off[1]]], np.float32)
        face = cv2.warpAffine(self._face, shift, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
        mask = self._mask
        mixed = face * mask + self._target.photograph * (1 - mask)
        return self._target.with_photograph(np.clip(mixed, 0, 255).astype(np.uint8)).frame(pose)


def _fit_colours(face: "np.ndarray", like: "np.ndarray", where: "np.ndarray") -> "np.ndarray":
    """Give one face the mean and spread of another's colours."""
    ours, theirs = face[where], like[where]
    spread = theirs.std(axis=0) / np.maximum(ours.std(axis=0), 1)
    return (face - ours.mean(axis=0)) * spread + theirs.mean(axis=0)

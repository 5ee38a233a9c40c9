"""Points of a face: MediaPipe's mesh of 468 points, and its contour of each eye."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from node.face.vision.arrays import Floats, Image
from node.face.vision.detection import DetectedFace
from node.face.vision.models import Network

_MESH_SIDE: Final = 192
_EYE_SIDE: Final = 64
# How much larger the region is than the face or the eye (MediaPipe's graphs).
_FACE_MARGIN: Final = 1.5
_EYE_MARGIN: Final = 2.3
_MIN_PRESENCE: Final = 0.5
# Corners of the two eyes, the one on the picture's left first; outer, inner.
RIGHT_EYE_CORNERS: Final = (33, 133)
LEFT_EYE_CORNERS: Final = (263, 362)
# Of the 71 points the first 16 are the lids: 9 of the lower with both corners, 7 of the upper.
LID_POINTS: Final = 16


@dataclass(frozen=True)
class Region:
    """A turned square in the picture."""

    centre: Floats
    side: float
    angle: float

    def to_picture(self, crop_side: int) -> Floats:
        """Return the 2 x 3 matrix from the crop's pixels to the picture's."""
        step = self.side / crop_side
        cos, sin = np.cos(self.angle) * step, np.sin(self.angle) * step
        turn = np.array([[cos, -sin], [sin, cos]])
        corner = self.centre - turn @ np.array([crop_side / 2, crop_side / 2])
        return np.hstack([turn, corner[:, None]]).astype(np.float32)

    def crop(self, image: Image, side: int) -> tuple[Floats, Floats]:
        """Return the square as the networks take it, 0 to 1, and its matrix to the picture."""
        matrix = self.to_picture(side)
        pixels = cv2.warpAffine(
            image,
            matrix,
            (side, side),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return pixels.astype(np.float32) / 255, matrix


def region_of_detection(face: DetectedFace) -> Region:
    """Return where the mesh is to be looked for, from the detector's box."""
    low, high = face.box[:2], face.box[2:]
    across = face.eyes[1] - face.eyes[0]
    return Region((low + high) / 2, float((high - low).max()) * _FACE_MARGIN, _angle(across))


def region_of_landmarks(landmarks: Floats) -> Region:
    """Return where the mesh is to be looked for in the next frame."""
    points = landmarks[:, :2]
    low, high = points.min(axis=0), points.max(axis=0)
    across = points[LEFT_EYE_CORNERS[0]] - points[RIGHT_EYE_CORNERS[0]]
    return Region((low + high) / 2, float((high - low).max()) * _FACE_MARGIN, _angle(across))


def find_landmarks(network: Network, image: Image, region: Region) -> Floats | None:
    """Return the 468 x 3 points in pixels (z too, towards the camera negative), if a face is there.

    Args:
        network: The face mesh.
        image: The picture.
        region: Where to look.
    """
    crop, matrix = region.crop(image, _MESH_SIDE)
    points, presence = sorted(network.run(crop[None]), key=lambda out: -out.size)
    if 1 / (1 + np.exp(-float(presence.reshape(-1)[0]))) < _MIN_PRESENCE:
        return None
    mesh = points.reshape(468, 3)
    placed = mesh[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    depth = mesh[:, 2:] * (region.side / _MESH_SIDE)
    return np.hstack([placed, depth]).astype(np.float32)


def find_lids(network: Network, image: Image, landmarks: Floats) -> Floats:
    """Return the lids, 2 eyes x 16 points x 2, in pixels.

    In each eye: the outer corner, 7 points of the lower lid, the inner corner, 7 of the upper lid
    from outside to inside. The eye on the picture's left comes first.
    """
    return np.stack(
        [
            _lids_of_eye(network, image, landmarks, RIGHT_EYE_CORNERS, mirrored=False),
            _lids_of_eye(network, image, landmarks, LEFT_EYE_CORNERS, mirrored=True),
        ]
    )


def _lids_of_eye(
    network: Network,
    image: Image,
    landmarks: Floats,
    corners: tuple[int, int],
    *,
    mirrored: bool,
) -> Floats:
    outer, inner = landmarks[corners[0], :2], landmarks[corners[1], :2]
    across = (outer - inner) if mirrored else (inner - outer)
    region = Region((outer + inner) / 2, float(np.hypot(*across)) * _EYE_MARGIN, _angle(across))
    crop, matrix = region.crop(image, _EYE_SIDE)
    if mirrored:
        crop = np.ascontiguousarray(crop[:, ::-1])
    contour = max(network.run(crop[None]), key=lambda out: out.size)
    points = contour.reshape(-1, 3)[:LID_POINTS, :2].copy()
    if mirrored:
        points[:, 0] = _EYE_SIDE - points[:, 0]
    return (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def _angle(across: Floats) -> float:
    return float(np.arctan2(across[1], across[0]))

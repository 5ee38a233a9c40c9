"""Measures of a face that do not depend on where it is, nor on which flat thing it is printed."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from node.face.vision.arrays import Floats
from node.face.vision.mesh import LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS

# Points that no expression moves much: corners of the eyes, nose, forehead, cheekbones, temples.
RIGID: Final = (
    33, 133, 362, 263, 168, 6, 197, 195, 5, 4, 1, 2, 98, 327, 10, 151, 9, 117, 346, 234, 454,
)  # fmt: skip
_MOUTH_CORNERS: Final = (61, 291)
_INNER_LIPS: Final = (13, 14)


@dataclass(frozen=True)
class HeadPose:
    """Where a head looks, in degrees: to the person's left, up, and leaning to the person's left.

    A camera that stands too low adds to `pitch`: compare with the pose at rest.
    """

    yaw: float
    pitch: float
    roll: float


def eye_distance(landmarks: Floats) -> float:
    """Return the distance of the eyes' outer corners, in pixels: the unit of other lengths."""
    outer = landmarks[LEFT_EYE_CORNERS[0], :2] - landmarks[RIGHT_EYE_CORNERS[0], :2]
    return float(np.hypot(*outer))


def find_pose(landmarks: Floats, canonical: Floats, size: tuple[int, int]) -> HeadPose:
    """Return where the head looks, by fitting the canonical face to the rigid points.

    Args:
        landmarks: The 468 points.
        canonical: The canonical face, 468 x 3.
        size: The picture's width and height; the focal length is taken as the longer of them.
    """
    rigid = list(RIGID)
    # The model has y up and z towards the camera; a camera's axes are the other way round.
    model = canonical[rigid].astype(np.float64) * np.array([1, -1, -1])
    width, height = size
    focal = float(max(width, height))
    camera = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    _, turn, _ = cv2.solvePnP(
        model, landmarks[rigid, :2].astype(np.float64), camera, None, flags=cv2.SOLVEPNP_SQPNP
    )
    rotation, _ = cv2.Rodrigues(turn)
    forward = -rotation[:, 2]
    return HeadPose(
        yaw=float(np.degrees(np.arctan2(forward[0], -forward[2]))),
        pitch=float(np.degrees(np.arctan2(-forward[1], -forward[2]))),
        roll=float(np.degrees(np.arctan2(rotation[1, 0], rotation[0, 0]))),
    )


def rectify(landmarks: Floats, rest: Floats) -> Floats:
    """Return the 3 x 3 homography that lays the rigid points onto those of the face at rest.

    What a flat picture shows stays the same under it however the picture is turned.
    """
    rigid = list(RIGID)
    homography, _ = cv2.findHomography(
        landmarks[rigid, :2].astype(np.float64), rest[rigid, :2].astype(np.float64)
    )
    return np.asarray(homography, dtype=np.float32)


def apply(homography: Floats, points: Floats) -> Floats:
    """Return points (... x 2) moved by a homography."""
    flat = points.reshape(-1, 2) @ homography[:, :2].T + homography[:, 2]
    return (flat[:, :2] / flat[:, 2:]).reshape(points.shape).astype(np.float32)


def parallax(laid: Floats, rest: Floats) -> float:
    """Return how far the rigid points are from any flat picture of the face at rest.

    The residual of the homography, root mean square, in eye distances: a turned head leaves about
    0.08, a turned print 0.02.

    Args:
        laid: The points as `rectify` lays them onto the face at rest.
        rest: The points of the face at rest.
    """
    rigid = list(RIGID)
    gaps = laid[rigid, :2] - rest[rigid, :2]
    return float(np.sqrt((gaps**2).sum(axis=1).mean())) / eye_distance(rest)


def proportion(landmarks: Floats) -> float:
    """Return how wide the rigid points lie for their height, as a natural logarithm."""
    points = landmarks[list(RIGID), :2]
    across = landmarks[LEFT_EYE_CORNERS[0], :2] - landmarks[RIGHT_EYE_CORNERS[0], :2]
    along = across / np.hypot(*across)
    wide = (points @ along).std()
    high = (points @ np.array([-along[1], along[0]])).std()
    return float(np.log(wide / high))


@dataclass(frozen=True)
class MouthShape:
    """The mouth in eye distances: its width, the gap of the lips, and how high the corners are."""

    width: float
    gap: float
    corners: float


def mouth_shape(points: Floats, unit: float) -> MouthShape:
    """Return the shape of the mouth.

    Args:
        points: The 468 points, at least 2 wide, upright.
        unit: The eye distance.
    """
    left, right = points[_MOUTH_CORNERS[0], :2], points[_MOUTH_CORNERS[1], :2]
    upper, lower = points[_INNER_LIPS[0], :2], points[_INNER_LIPS[1], :2]
    return MouthShape(
        width=float(np.hypot(*(right - left))) / unit,
        gap=float(np.hypot(*(lower - upper))) / unit,
        corners=float(upper[1] - (left[1] + right[1]) / 2) / unit,
    )


def eye_openness(lids: Floats) -> float:
    """Return how far the eyes are open: the mean gap of the lids over the width of the eye.

    Args:
        lids: 2 x 16 x 2, as `find_lids` gives them.
    """
    gaps = np.hypot(*np.moveaxis(lids[:, 1:8] - lids[:, 9:16], -1, 0)).mean(axis=1)
    widths = np.hypot(*np.moveaxis(lids[:, 8] - lids[:, 0], -1, 0))
    # The eye that is open wider decides: a wink is no blink.
    return float((gaps / np.maximum(widths, 1e-3)).max())

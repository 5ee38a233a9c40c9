"""Makes a photograph of a face move: turns, shut lids, an open mouth, a smile, as a camera sees it.

The face's mesh is moved in space and the photograph is drawn over it, triangle by triangle, the
farthest first. It is a stand-in for a living person in tests, no more: it has the person's depth
and skin, and none of their surprises.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from node.errors import ImageError
from node.face.vision.arrays import Floats, Image
from node.face.vision.detection import detect_faces
from node.face.vision.mesh import (
    find_landmarks,
    find_lids,
    region_of_detection,
    region_of_landmarks,
)
from node.face.vision.models import FaceModels

WIDTH: Final = 640
HEIGHT: Final = 480
# The eyes' outer corners in the frame, in pixels.
EYES_APART: Final = 104
# From the camera to the face, in eye distances: half a metre.
_DISTANCE: Final = 5.5
# What stands still: the edge of the frame.
_EDGE_STEPS: Final = 8
FACE_OVAL: Final = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
# Upper lid, the lower lid below it, and the fold above, from outside to inside; both eyes.
_UPPER_LIDS: Final = (246, 161, 160, 159, 158, 157, 173, 466, 388, 387, 386, 385, 384, 398)
_LOWER_LIDS: Final = (7, 163, 144, 145, 153, 154, 155, 249, 390, 373, 374, 380, 381, 382)
_FOLDS: Final = (247, 30, 29, 27, 28, 56, 190, 467, 260, 259, 257, 258, 286, 414)
_UPPER_LIP: Final = (
    61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 78, 191, 80, 81, 82, 13, 312, 311, 310, 415,
    308, 76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306, 62, 183, 42, 41, 38, 12, 268, 271, 272,
    407, 292,
)  # fmt: skip
_INNER_MOUTH: Final = (
    78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95,
)  # fmt: skip
_LOWER_LIP: Final = (
    146, 91, 181, 84, 17, 314, 405, 321, 375, 95, 88, 178, 87, 14, 317, 402, 318, 324, 77, 90, 180,
    85, 16, 315, 404, 320, 307, 96, 89, 179, 86, 15, 316, 403, 319, 325,
)  # fmt: skip
# Points of the inner lips, lower below upper.
_INNER_LOWER: Final = (95, 88, 178, 87, 14, 317, 402, 318, 324)
_INNER_UPPER: Final = (191, 80, 81, 82, 13, 312, 311, 310, 415)
_CORNERS: Final = (61, 291)
# Each eye's contour in the mesh, in the order of `find_lids`.
_EYES: Final = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173),
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398),
)


@dataclass(frozen=True)
class Pose:
    """What a face does at one moment.

    Attributes:
        yaw: Degrees to the person's left.
        pitch: Degrees up.
        roll: Degrees, leaning to the person's left.
        blink: 0 open to 1 shut.
        smile: 0 to 1.
        mouth: 0 shut to 1 wide open.
        shift: Right and down, in eye distances.
        scale: Size, 1 as in the photograph.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    blink: float = 0.0
    smile: float = 0.0
    mouth: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    scale: float = 1.0


class Performer:
    """One photograph of a face, ready to move. It is laid into the frame once."""

    def __init__(self, models: FaceModels, photograph: Image) -> None:
        """Find the face.

        Raises:
            ImageError: There is none.
        """
        landmarks = _landmarks(models, photograph)
        for eye, lids in zip(
            _EYES, find_lids(models.eye_contour, photograph, landmarks), strict=True
        ):
            landmarks[list(eye), :2] = lids
        self.photograph, to_frame = _lay_into_frame(photograph, landmarks)
        flat = landmarks[:, :2] @ to_frame[:, :2].T + to_frame[:, 2]
        depth = landmarks[:, 2:] * float(np.hypot(*to_frame[:, 0]))
        self.landmarks = np.hstack([flat, depth]).astype(np.float32)
        self._points = _surround(self.landmarks)
        self._triangles = _triangulate(self._points)

    def frame(self, pose: Pose) -> Image:
        """Return the frame that a camera without noise takes of a pose."""
        moved = self._place(self._express(pose), pose)
        drawn = self._draw(moved)
        if pose.mouth > 0:
            _fill_mouth(drawn, moved[list(_INNER_MOUTH), :2], pose.mouth)
        return drawn

    def with_photograph(self, photograph: Image) -> "Performer":
        """Return one that moves as this one and looks as a changed photograph in the frame."""
        other = copy(self)
        other.photograph = photograph
        return other

    @property
    def _first_of_edge(self) -> int:
        return len(self.landmarks) + 2 * len(FACE_OVAL)

    def _express(self, pose: Pose) -> Floats:
        """Return the points with the expression, the head still."""
        points = self._points.copy()
        lids, lower, folds = list(_UPPER_LIDS), list(_LOWER_LIDS), list(_FOLDS)
        drop = points[lower] - points[lids]
        points[lids] += 0.96 * pose.blink * drop
        points[folds] += 0.5 * pose.blink * drop
        middle = points[[13, 14], :2].mean(axis=0)
        face = slice(0, self._first_of_edge)
        if pose.smile:
            for corner, outwards in zip(_CORNERS, (-1, 1), strict=True):
                gaps = points[face, :2] - points[corner, :2]
                near = np.exp(-(gaps**2).sum(axis=1) / (2 * (0.28 * EYES_APART) ** 2))
                reach = pose.smile * EYES_APART
                points[face, 0] += near * outwards * 0.12 * reach
                points[face, 1] -= near * 0.09 * reach
        # Who shows teeth in the photograph is at rest with shut lips.
        shut = 1 - pose.mouth
        gaps = points[list(_INNER_UPPER), 1] - points[list(_INNER_LOWER), 1]
        points[list(_LOWER_LIP), 1] += 0.4 * shut * float(gaps.mean())
        points[list(_INNER_LOWER), 1] += 0.5 * shut * gaps
        if pose.mouth:
            off = points[face, :2] - middle
            width = np.abs(off[:, 0]) / (0.8 * EYES_APART)
            drops = np.clip(1 - 0.75 * width**2, 0, 1) * (off[:, 1] > -1)
            # What lies under the face, neck and clothes, follows less and less.
            drops *= np.clip(2.2 - off[:, 1] / (0.6 * EYES_APART), 0, 1)
            lips = list(_LOWER_LIP)
            half = np.abs(points[list(_CORNERS), 0] - middle[0]).mean()
            drops[lips] = np.clip(1 - 0.9 * (off[lips, 0] / half) ** 2, 0, 1)
            drops[list(_UPPER_LIP)] = 0
            drops[list(_CORNERS)] = 0.12
            points[face, 1] += drops * pose.mouth * 0.36 * EYES_APART
            # Wide open, a mouth is narrower.
            narrower = np.exp(-(off**2).sum(axis=1) / (2 * (0.4 * EYES_APART) ** 2))
            points[face, 0] -= 0.12 * pose.mouth * narrower * off[:, 0]
        return points

    def _place(self, points: Floats, pose: Pose) -> Floats:
        """Return the points turned, shifted and seen by the camera; the edge stays."""
        pivot = self.landmarks.mean(axis=0) + np.array([0, 0.1, 0.75], np.float32) * EYES_APART
        yaw, pitch, roll = np.radians([pose.yaw, pose.pitch, pose.roll])
        turned = (points - pivot) @ _rotation(yaw, pitch, roll).T + pivot
        depth = turned[:, 2] + _DISTANCE * EYES_APART
        scale = pose.scale * _DISTANCE * EYES_APART / np.maximum(depth, EYES_APART)
        centre = np.array([WIDTH / 2, HEIGHT / 2], np.float32)
        seen = (turned[:, :2] - centre) * scale[:, None] + centre
        # At rest every point stands where the photograph has it.
        at_rest = _DISTANCE * EYES_APART / (points[:, 2] + _DISTANCE * EYES_APART)
        seen += (self._points[:, :2] - centre) * (1 - at_rest)[:, None]
        seen += np.array(pose.shift) * EYES_APART
        # The outer ring joins the head to what stands behind it.
        outer = slice(self._first_of_edge - len(FACE_OVAL), self._first_of_edge)
        seen[outer] = 0.6 * seen[outer] + 0.4 * points[outer, :2]
        placed = np.hstack([seen, turned[:, 2:]])
        placed[self._first_of_edge :] = self._points[self._first_of_edge :]
        return placed.astype(np.float32)

    def _draw(self, moved: Floats) -> Image:
        """Draw the photograph over the moved points, the farthest triangles first."""
        triangles = self._triangles
        corners = moved[triangles]
        before, after = self._points[triangles][:, :, :2], corners[:, :, :2]
        order = np.argsort(-corners[:, :, 2].mean(axis=1))
        order = order[_is_seen(before[order], after[order])]
        owner = np.full((HEIGHT, WIDTH), -1, np.int32)
        fixed = np.round(after * 16).astype(np.int32)
        for index in order:
            cv2.fillConvexPoly(owner, fixed[index], int(index), lineType=cv2.LINE_8, shift=4)
        # From the drawn triangle back to the photograph: one affine map each.
        ones = np.ones((*after.shape[:2], 1), np.float32)
        drawable = np.abs(_areas(after)) > 1e-2
        maps = np.zeros((len(triangles), 3, 2))
        maps[drawable] = np.linalg.solve(
            np.concatenate([after, ones], axis=2)[drawable].astype(np.float64), before[drawable]
        )
        down, across = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
        chosen = maps[np.maximum(owner, 0)].astype(np.float32)
        source = chosen[:, :, 0] * across[..., None] + chosen[:, :, 1] * down[..., None]
        source += chosen[:, :, 2]
        source[owner < 0] = np.dstack([across, down])[owner < 0]
        drawn = cv2.remap(
            self.photograph, source, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(drawn, dtype=np.uint8)


def _landmarks(models: FaceModels, photograph: Image) -> Floats:
    faces = detect_faces(models.face_detector, photograph)
    if faces:
        face = max(faces, key=lambda f: float(f.box[2] - f.box[0]))
        landmarks = find_landmarks(models.face_mesh, photograph, region_of_detection(face))
        if landmarks is not None:
            again = find_landmarks(models.face_mesh, photograph, region_of_landmarks(landmarks))
            return landmarks if again is None else again
    raise ImageError("the photograph shows no face; take one that looks at the camera")


def _surround(landmarks: Floats) -> Floats:
    """Return the mesh, a ring of hair and neck around it, and the frame's edge: N x 3."""
    oval = landmarks[list(FACE_OVAL)]
    middle = landmarks.mean(axis=0)
    rings = []
    for size, behind in ((1.25, 0.35), (1.6, 0.7)):
        ring = middle + (oval - middle) * np.array([size, size, 1], np.float32)
        ring[:, 2] = oval[:, 2] + behind * EYES_APART
        rings.append(ring)
    across = np.linspace(0, WIDTH - 1, _EDGE_STEPS)
    down = np.linspace(0, HEIGHT - 1, _EDGE_STEPS)
    edge = [(x, y, 0) for x in across for y in (0, HEIGHT - 1)]
    edge += [(x, y, 0) for x in (0, WIDTH - 1) for y in down[1:-1]]
    return np.vstack([landmarks, *rings, np.array(edge)]).astype(np.float32)


def _triangulate(points: Floats) -> NDArray[np.int64]:
    """Return Delaunay's triangles over the points as they stand in the photograph: M x 3."""
    flat = np.clip(points[:, :2], 0, (WIDTH - 1, HEIGHT - 1)).astype(np.float32)
    # Points that fall together (shut lips) are told apart by a hair's breadth.
    flat += np.random.default_rng(0).uniform(0, 0.01, flat.shape).astype(np.float32)
    plane = cv2.Subdiv2D((-2, -2, WIDTH + 4, HEIGHT + 4))
    plane.insert([(float(x), float(y)) for x, y in flat])
    known = {(x, y): index for index, (x, y) in enumerate(flat.tolist())}
    corners = plane.getTriangleList().reshape(-1, 3, 2).tolist()
    found = [[known.get((x, y), -1) for x, y in triangle] for triangle in corners]
    # The plane's own far corners are none of ours.
    return np.array([triangle for triangle in found if -1 not in triangle], dtype=np.int64)


def _lay_into_frame(photograph: Image, landmarks: Floats) -> tuple[Image, Floats]:
    """Return the photograph with the face level in the middle, and the matrix that laid it."""
    right, left = landmarks[33, :2], landmarks[263, :2]
    across = left - right
    scale = EYES_APART / float(np.hypot(*across))
    angle = float(np.arctan2(across[1], across[0]))
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    turn = np.array([[cos, sin], [-sin, cos]])
    middle = landmarks[:, :2].mean(axis=0)
    matrix = np.hstack([turn, (np.array([WIDTH / 2, HEIGHT / 2]) - turn @ middle)[:, None]])
    laid = cv2.warpAffine(
        photograph, matrix, (WIDTH, HEIGHT),
        flags=cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    return np.asarray(laid, dtype=np.uint8), matrix.astype(np.float32)


def _rotation(yaw: float, pitch: float, roll: float) -> Floats:
    """Return the rotation for axes right, down and away from the camera."""
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (np.cos, np.sin))
    # The nose points to negative depth: to the picture's right for a positive yaw, up for a pitch.
    about_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x, dtype=np.float32)


def _areas(corners: Floats) -> Floats:
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return np.asarray(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0], dtype=np.float32)


def _is_seen(before: Floats, after: Floats) -> NDArray[np.bool_]:
    """Tell which triangles still show their front."""
    return np.asarray(_areas(before) * _areas(after) > 0)


def _fill_mouth(drawn: Image, lips: Floats, openness: float) -> None:
    """Darken what is between the lips, in place."""
    mask = np.zeros(drawn.shape[:2], np.float32)
    cv2.fillPoly(mask, [np.round(lips).astype(np.int32)], min(1.0, 3 * openness))
    mask = np.asarray(cv2.GaussianBlur(mask, (5, 5), 0), dtype=np.float32)[..., None]
    inside = np.array([52, 22, 24], np.float32)
    drawn[:] = (drawn * (1 - mask) + inside * mask).astype(np.uint8)


def write_y4m(path: str, frames: Sequence[Image], rate_hz: int) -> None:
    """Write frames as YUV4MPEG2, which Chromium's `--use-file-for-fake-video-capture` plays."""
    height, width = frames[0].shape[:2]
    with open(path, "wb") as file:  # noqa: PTH123 - many writes to one file
        file.write(f"YUV4MPEG2 W{width} H{height} F{rate_hz}:1 Ip A1:1 C420jpeg\n".encode())
        for frame in frames:
            planes = cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420)
            file.write(b"FRAME\n" + np.asarray(planes, dtype=np.uint8).tobytes())

"""What is kept of a frame once its pixels are gone."""

import hashlib
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from node.face.vision.arrays import Floats, Gray, Image
from node.face.vision.detection import detect_faces
from node.face.vision.geometry import HeadPose, eye_distance, find_pose
from node.face.vision.limits import FrameLimits
from node.face.vision.mesh import (
    Region,
    find_landmarks,
    find_lids,
    region_of_detection,
    region_of_landmarks,
)
from node.face.vision.models import FaceModels
from node.face.vision.reasons import Reason

# The detector looks again at least this often; between, the mesh follows the face.
_DETECT_EVERY: Final = 6
# A second face that is smaller than this part of the first one's width is background.
_MIN_SECOND: Final = 0.4
PATCH_SIDE: Final = 64
# The mesh looks at half as much again as the face; a patch at a little more than the face.
_PATCH_MARGIN: Final = 1.4


@dataclass(frozen=True)
class FrameFeatures:
    """One frame in which one face was found.

    Attributes:
        at_ms: When it was taken.
        size: Width and height of the picture.
        landmarks: 468 x 3, pixels.
        lids: 2 x 16 x 2, pixels, where they were looked for.
        pose: Where the head looks.
        unit: Eye distance in pixels.
    """

    at_ms: int
    size: tuple[int, int]
    landmarks: Floats
    lids: Floats | None
    pose: HeadPose
    unit: float


class FaceReader:
    """Reads the frames of one camera in their order, following the face from frame to frame."""

    def __init__(self, models: FaceModels, limits: FrameLimits) -> None:
        self._models = models
        self._limits = limits
        self._region: Region | None = None
        self._until_detection = 0

    def read(
        self, image: Image, at_ms: int, *, with_lids: bool
    ) -> tuple[FrameFeatures | None, tuple[Reason, ...]]:
        """Return what a frame shows, if it shows one face, and what is wrong with it, if anything.

        Args:
            image: The picture.
            at_ms: When it was taken.
            with_lids: Look for the lids, too; it takes as long as all the rest.
        """
        landmarks, reasons = self._landmarks(image)
        if landmarks is None:
            return None, reasons
        size = (image.shape[1], image.shape[0])
        features = FrameFeatures(
            at_ms=at_ms,
            size=size,
            landmarks=landmarks,
            lids=find_lids(self._models.eye_contour, image, landmarks) if with_lids else None,
            pose=find_pose(landmarks, self._models.canonical_face, size),
            unit=eye_distance(landmarks),
        )
        return features, (*reasons, *_quality(image, features, self._limits))

    def _landmarks(self, image: Image) -> tuple[Floats | None, tuple[Reason, ...]]:
        reasons: tuple[Reason, ...] = ()
        self._until_detection -= 1
        if self._region is None or self._until_detection < 0:
            faces = detect_faces(self._models.face_detector, image)
            self._until_detection = _DETECT_EVERY
            if faces:
                widths = sorted((float(face.box[2] - face.box[0]) for face in faces), reverse=True)
                if len(widths) > 1 and widths[1] >= _MIN_SECOND * widths[0]:
                    reasons = (Reason.SEVERAL_FACES,)
                largest = max(faces, key=lambda face: float(face.box[2] - face.box[0]))
                self._region = region_of_detection(largest)
            # A head that looks down far is no face to the detector; the mesh still follows it.
        if self._region is None:
            return None, (Reason.NO_FACE,)
        landmarks = find_landmarks(self._models.face_mesh, image, self._region)
        if landmarks is None:
            self._region = None
            return None, (Reason.NO_FACE,)
        self._region = region_of_landmarks(landmarks)
        return landmarks, reasons


def _quality(image: Image, face: FrameFeatures, limits: FrameLimits) -> tuple[Reason, ...]:
    points = face.landmarks[:, :2]
    low, high = points.min(axis=0), points.max(axis=0)
    size = np.array(face.size, np.float32)
    outside = float((np.maximum(-low, 0) + np.maximum(high - size, 0)).max())
    patch, _ = face_patch(image, face.landmarks)
    brightness = float(patch.mean())
    sharpness = float(np.asarray(cv2.Laplacian(patch, cv2.CV_32F)).std())
    checks = (
        (Reason.FACE_TOO_SMALL, face.unit < limits.min_eye_distance_px),
        (Reason.FACE_AT_EDGE, outside > limits.max_outside * float((high - low).max())),
        (Reason.TOO_DARK, brightness < limits.min_brightness),
        (Reason.TOO_BRIGHT, brightness > limits.max_brightness),
        (Reason.BLURRED, sharpness < limits.min_sharpness),
    )
    return tuple(reason for reason, found in checks if found)


def face_patch(image: Image, landmarks: Floats, side: int = PATCH_SIDE) -> tuple[Gray, Floats]:
    """Return the face in grey, upright, and the 2 x 3 matrix from its pixels to the picture's."""
    region = region_of_landmarks(landmarks)
    matrix = Region(region.centre, region.side / _PATCH_MARGIN, region.angle).to_picture(side)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    patch = cv2.warpAffine(image, matrix, (side, side), flags=flags)
    return np.asarray(cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY), dtype=np.uint8), matrix


class RepetitionWatch:
    """Knows a frame that came before, in a stream that pretends to be a camera's.

    A camera's noise makes each frame differ. Only hashes and the last frame's middle are kept.
    """

    def __init__(self, same_picture: float) -> None:
        self._same_picture = same_picture
        self._seen: set[bytes] = set()
        self._last: Gray | None = None

    def is_repeated(self, image: Image) -> bool:
        """Tell whether a frame is, pixel for pixel or nearly so, one that was seen."""
        height, width = image.shape[:2]
        top, left = height // 4, width // 4
        # Without scaling, so that the noise stays.
        middle = np.ascontiguousarray(image[top : height - top, left : width - left, 1])
        digest = hashlib.blake2b(middle.tobytes(), digest_size=16).digest()
        repeated = digest in self._seen
        last, self._last = self._last, middle
        self._seen.add(digest)
        if not repeated and last is not None and last.shape == middle.shape:
            repeated = float(np.asarray(cv2.absdiff(middle, last)).mean()) < self._same_picture
        return repeated

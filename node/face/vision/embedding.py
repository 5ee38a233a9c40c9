"""A face as 1024 numbers, by which faces of one person are near each other (human's faceres)."""

from typing import Final

import cv2
import numpy as np

from node.face.vision.arrays import Floats, Image
from node.face.vision.detection import detect_faces
from node.face.vision.mesh import find_landmarks, region_of_detection, region_of_landmarks
from node.face.vision.models import FaceModels

_SIDE: Final = 224
# Where the eyes' middle is laid, and how far apart their outer corners, as parts of the side.
_EYES_AT: Final = (0.5, 0.40)
_EYES_APART: Final = 0.44
_LENGTH: Final = 1024


def align_face(image: Image, landmarks: Floats) -> Image:
    """Return the face upright, 224 pixels square, as `embed` takes it."""
    right, left = landmarks[33, :2], landmarks[263, :2]
    across = left - right
    scale = _EYES_APART * _SIDE / max(float(np.hypot(*across)), 1.0)
    angle = float(np.arctan2(across[1], across[0]))
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    turn = np.array([[cos, sin], [-sin, cos]])
    target = np.array(_EYES_AT) * _SIDE
    matrix = np.hstack([turn, (target - turn @ ((right + left) / 2))[:, None]])
    aligned = cv2.warpAffine(
        image, matrix, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(aligned, dtype=np.uint8)


def embed(models: FaceModels, aligned: Image, *, with_mirror: bool = True) -> Floats:
    """Return the embedding of an aligned face, of length 1.

    Args:
        models: The networks.
        aligned: The face (`align_face`).
        with_mirror: Take the mean with its mirror image: surer, at twice the time.
    """
    total = np.zeros(_LENGTH, np.float32)
    for view in (aligned, aligned[:, ::-1]) if with_mirror else (aligned,):
        outputs = models.embedding.run(view.astype(np.float32)[None])
        total += next(out for out in outputs if out.size == _LENGTH).reshape(-1)
    return total / max(float(np.linalg.norm(total)), 1e-6)


def embed_portrait(models: FaceModels, image: Image) -> Floats | None:
    """Return the embedding of the one large face of a portrait; None when there is none."""
    faces = detect_faces(models.face_detector, image)
    if not faces:
        return None
    face = max(faces, key=lambda f: float(f.box[2] - f.box[0]))
    landmarks = find_landmarks(models.face_mesh, image, region_of_detection(face))
    if landmarks is not None:
        # Once more from where the face was found: the detector's box is coarse.
        again = find_landmarks(models.face_mesh, image, region_of_landmarks(landmarks))
        landmarks = again if again is not None else landmarks
    return None if landmarks is None else embed(models, align_face(image, landmarks))


def similarity(first: Floats, second: Floats) -> float:
    """Return the cosine of two embeddings."""
    return float(first @ second)

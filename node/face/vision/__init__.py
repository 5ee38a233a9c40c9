"""What the frames of a camera show: the prompts followed, one live face, and whose it is.

`FaceModels.load()` once a process; a `FaceTest` for each test; `decode_image` for what comes from
outside. Nothing here waits, stores or sends anything.
"""

from node.face.vision.arrays import Image
from node.face.vision.detector import DetectorScore
from node.face.vision.face_test import FaceTest, FrameFinding, PromptFinding, TestFinding
from node.face.vision.images import decode_image
from node.face.vision.limits import Limits
from node.face.vision.models import FaceModels
from node.face.vision.prompts import (
    SERIES_LENGTH,
    draw_series,
    is_fit_series,
    redraw_series,
)
from node.face.vision.reasons import Reason

__all__ = [
    "SERIES_LENGTH",
    "DetectorScore",
    "FaceModels",
    "FaceTest",
    "FrameFinding",
    "Image",
    "Limits",
    "PromptFinding",
    "Reason",
    "TestFinding",
    "decode_image",
    "draw_series",
    "is_fit_series",
    "redraw_series",
]

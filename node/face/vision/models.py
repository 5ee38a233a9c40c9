"""The networks that the face test runs: found in the package, checked, and loaded once."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import onnxruntime

from node.errors import ModelError
from node.face.vision.arrays import Floats

_DATA: Final = Path(__file__).parent / "data"
MANIFEST_NAME: Final = "manifest.json"


class Network:
    """One network in ONNX Runtime, on one thread; several threads may run it at once."""

    def __init__(self, content: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name

    def run(self, batch: Floats) -> list[Floats]:
        """Return the outputs for one input, in the order of the file."""
        outputs: list[Any] = self._session.run(None, {self._input: batch})
        return [np.asarray(output, dtype=np.float32) for output in outputs]


@dataclass(frozen=True)
class DetectorModels:
    """The deepfake detector's networks, and the card of what they were trained on."""

    appearance: Network
    motion: Network
    card: dict[str, Any]


@dataclass(frozen=True)
class FaceModels:
    """Every network and table of the face test. Load it once a process, and share it."""

    face_detector: Network
    face_mesh: Network
    eye_contour: Network
    embedding: Network
    # 468 x 3, centimetres, x to the picture's right, y up, z towards the camera.
    canonical_face: Floats
    # None where the folder holds none: no weights ship (ADR 0063).
    detector: "DetectorModels | None"

    @classmethod
    def load(cls, folder: Path = _DATA) -> "FaceModels":
        """Load the models of the package, or of a folder made like it (`make face-models`).

        Raises:
            ModelError: A file is missing or is not the one that the manifest names.
        """
        # Tests run beside each other on threads; one of them must not take every core.
        cv2.setNumThreads(1)
        store = _ModelFolder(folder)
        return cls(
            face_detector=store.network("face_detection_short_range.onnx"),
            face_mesh=store.network("face_landmark.onnx"),
            eye_contour=store.network("iris_landmark.onnx"),
            embedding=store.network("faceres.onnx"),
            canonical_face=np.frombuffer(store.read("canonical_face.f32"), dtype="<f4")
            .reshape(468, 3)
            .astype(np.float32),
            detector=store.detector(),
        )


class _ModelFolder:
    """Files of which the manifest gives the SHA-256."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def _hashes(self) -> dict[str, str]:
        try:
            manifest = json.loads((self._folder / MANIFEST_NAME).read_bytes())
            return {entry["file"]: entry["sha256"] for entry in manifest["files"]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"{self._folder / MANIFEST_NAME} cannot be read: install tegata[face] again"
            ) from error

    def read(self, name: str) -> bytes:
        path = self._folder / name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ModelError(f"{path} is missing: install tegata[face] again") from error
        if hashlib.sha256(content).hexdigest() != self._hashes.get(name):
            raise ModelError(f"{path} is not the file that the manifest names: install it again")
        return content

    def network(self, name: str) -> Network:
        return Network(self.read(name))

    def detector(self) -> DetectorModels | None:
        if "detector_card.json" not in self._hashes:
            return None
        return DetectorModels(
            appearance=self.network("detector_appearance.onnx"),
            motion=self.network("detector_motion.onnx"),
            card=json.loads(self.read("detector_card.json")),
        )

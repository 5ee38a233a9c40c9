"""The frames of one prompt: what is kept of them, and what they show."""

from collections import Counter
from dataclasses import dataclass, field

from client_sdk.face.prompts import Prompt
from node.face.vision.actions import judge_window
from node.face.vision.arrays import Image
from node.face.vision.artefacts import grid_peak
from node.face.vision.detector import DeepfakeDetector, DetectorScore
from node.face.vision.embedding import align_face
from node.face.vision.features import FaceReader, FrameFeatures, RepetitionWatch
from node.face.vision.limits import Limits
from node.face.vision.models import FaceModels
from node.face.vision.reasons import Reason
from node.face.vision.stream import judge_stream

_FRONTAL_DEG = 12.0


@dataclass
class WindowRecord:
    """What is kept of the frames of one prompt.

    Attributes:
        times: When each frame was taken, milliseconds.
        repeated: How many of them repeat an earlier one.
        features: The frames that were looked at and showed a face.
        lost: How many were looked at and showed none.
        faults: How many frames had which fault.
        rest_face: The face at rest, aligned for the embedding.
        last_face: The face in the last frame.
        grid_peak: What a screen or print leaves, in the frame of `rest_face`.
    """

    times: list[int] = field(default_factory=list)
    repeated: int = 0
    features: list[FrameFeatures] = field(default_factory=list)
    lost: int = 0
    faults: Counter[Reason] = field(default_factory=Counter)
    rest_face: Image | None = None
    last_face: Image | None = None
    grid_peak: float | None = None


class WindowReader:
    """Reads one camera's frames, prompt by prompt. No frame stays once `add` returns."""

    def __init__(self, models: FaceModels, limits: Limits) -> None:
        self._limits = limits.stream
        self._reader = FaceReader(models, limits.frame)
        self._watch = RepetitionWatch(limits.stream.same_picture)
        self._detector = (
            DeepfakeDetector(models.detector, models.canonical_face) if models.detector else None
        )
        self.record = WindowRecord()

    @property
    def detector_score(self) -> DetectorScore | None:
        """What the deepfake detector says of all frames; None where there is none, or no frame."""
        return self._detector.score() if self._detector else None

    def begin(self) -> None:
        """Start the frames of another prompt."""
        self.record = WindowRecord()

    def add(self, image: Image, at_ms: int, *, with_lids: bool) -> tuple[Reason, ...]:
        """Take a frame, and return what is wrong with it.

        Args:
            image: The frame.
            at_ms: When it was taken.
            with_lids: Look for the lids, as a blink needs it.
        """
        record = self.record
        before_ms = record.times[-1] if record.times else None
        record.times.append(at_ms)
        if self._watch.is_repeated(image):
            record.repeated += 1
            return ()
        looked_at = [face.at_ms for face in record.features[-1:]]
        soon = any(at_ms - last_ms < self._limits.spacing_ms for last_ms in looked_at)
        backwards = before_ms is not None and at_ms <= before_ms
        if soon or backwards or len(record.features) >= self._limits.max_frames:
            return ()
        face, reasons = self._reader.read(image, at_ms, with_lids=with_lids)
        record.faults.update(reasons)
        if face is None:
            record.lost += 1
            return reasons
        record.features.append(face)
        if self._detector:
            self._detector.add(image, face.landmarks, at_ms)
        record.last_face = align_face(image, face.landmarks)
        if record.rest_face is None and abs(face.pose.yaw) < _FRONTAL_DEG:
            record.rest_face = record.last_face
            record.grid_peak = grid_peak(image, face.landmarks)
        return reasons


def judge_record(prompt: Prompt, record: WindowRecord, limits: Limits) -> tuple[Reason, ...]:
    """Return why the frames do not show a prompt followed by a live face; nothing when they do.

    Whose face it is, is not looked at.
    """
    stream = judge_stream(
        record.times, record.repeated, record.features, record.lost, limits.stream
    )
    looked_at = len(record.features) + record.lost
    # A frame or two in between are nobody's fault; a second face is never by chance.
    faults = [
        reason
        for reason, count in record.faults.items()
        if count > (1 if reason is Reason.SEVERAL_FACES else looked_at / 3)
    ]
    reasons = tuple(dict.fromkeys((*faults, *stream)))
    return reasons or judge_window(prompt, record.features, limits.action)

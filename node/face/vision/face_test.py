"""One person's test: frames in, prompt by prompt, and what they showed out.

No frame is kept. Between frames the test holds points, a few numbers, hashes, and the aligned face
of at most two frames of the prompt under way; after the prompt only their embeddings.
"""

from dataclasses import dataclass

import numpy as np

from client_sdk.face.prompts import Prompt
from node.face.vision.arrays import Floats, Image
from node.face.vision.detector import DetectorScore
from node.face.vision.embedding import embed, embed_portrait, similarity
from node.face.vision.limits import Limits
from node.face.vision.models import FaceModels
from node.face.vision.reasons import Reason
from node.face.vision.window import WindowReader, WindowRecord, judge_record


@dataclass(frozen=True)
class FrameFinding:
    """What the person at the camera can mend now; nothing when the frame is good."""

    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class PromptFinding:
    """Whether one prompt was followed.

    Attributes:
        prompt: What was asked.
        accepted: It was followed, by the same live face as before.
        reasons: Why not, the most telling first; nothing when accepted.
        frames: How many frames were judged.
    """

    prompt: Prompt
    accepted: bool
    reasons: tuple[Reason, ...]
    frames: int


@dataclass(frozen=True)
class TestFinding:
    """What the whole test showed.

    Attributes:
        accepted: One live face was seen throughout and, where a portrait was given, it is the
            portrait's. The detector has no part in it.
        reasons: Why not, the most telling first; nothing when accepted.
        accepted_prompts: The prompts that were followed, in their order.
        similarity: Cosine with the portrait, -1 to 1; None without one. Never shown or logged.
        detector: The deepfake detector's advice, where there are weights. Never shown or logged.
    """

    __test__ = False

    accepted: bool
    reasons: tuple[Reason, ...]
    accepted_prompts: tuple[Prompt, ...]
    similarity: float | None
    detector: DetectorScore | None


class FaceTest:
    """For each prompt `begin`, `add` for each frame, `end`; then `finish`. Not thread-safe."""

    def __init__(
        self, models: FaceModels, *, portrait: Image | None = None, limits: Limits | None = None
    ) -> None:
        """Begin a test.

        Args:
            models: The networks; several tests may share them.
            portrait: Whose face is expected (`decode_image`), or None for any.
            limits: Thresholds, if not the calibrated ones.
        """
        self._models = models
        self._limits = limits or Limits()
        self._with_portrait = portrait is not None
        self._portrait = None if portrait is None else embed_portrait(models, portrait)
        self._reader = WindowReader(models, self._limits)
        self._prompt: Prompt | None = None
        self._followed: list[Prompt] = []
        self._faces: list[Floats] = []
        self._grid_peaks: list[float] = []

    @property
    def has_fit_portrait(self) -> bool:
        """Whether a face was found in the portrait."""
        return self._portrait is not None

    def begin(self, prompt: Prompt) -> None:
        """Start the frames of a prompt. Frames of one that was not ended are dropped."""
        self._prompt = prompt
        self._reader.begin()

    def add(self, image: Image, at_ms: int) -> FrameFinding:
        """Take the next frame of the prompt.

        Args:
            image: The frame, not mirrored (`decode_image`).
            at_ms: When it was taken, by any clock that goes on over the whole test.

        Raises:
            RuntimeError: No prompt was begun.
        """
        with_lids = self._begun() is Prompt.BLINK
        return FrameFinding(self._reader.add(image, at_ms, with_lids=with_lids))

    def end(self) -> PromptFinding:
        """End the frames of a prompt, and say whether it was followed.

        Raises:
            RuntimeError: No prompt was begun.
        """
        prompt, record = self._begun(), self._reader.record
        self._prompt = None
        self._reader.begin()
        if record.grid_peak is not None:
            self._grid_peaks.append(record.grid_peak)
        reasons = judge_record(prompt, record, self._limits) or self._judge_identity(record)
        if not reasons:
            self._followed.append(prompt)
        return PromptFinding(prompt, not reasons, reasons, len(record.features))

    def finish(self) -> TestFinding:
        """Say what the whole test showed. A prompt that was missed does no harm by itself."""
        likeness = None
        if self._portrait is not None and self._faces:
            likeness = float(np.median([similarity(self._portrait, face) for face in self._faces]))
        wrong = likeness is not None and likeness < self._limits.match.portrait
        grid = float(np.median(self._grid_peaks)) if self._grid_peaks else 0.0
        checks = (
            (Reason.PROMPTS_MISSING, not self._followed),
            (Reason.UNFIT_PORTRAIT, self._with_portrait and self._portrait is None),
            (Reason.WRONG_PERSON, wrong),
            (Reason.SCREEN_OR_PRINT, grid > self._limits.max_grid_peak),
        )
        reasons = tuple(reason for reason, found in checks if found)
        return TestFinding(
            accepted=not reasons,
            reasons=reasons,
            accepted_prompts=tuple(self._followed),
            similarity=likeness,
            detector=self._reader.detector_score,
        )

    def _begun(self) -> Prompt:
        if self._prompt is None:
            raise RuntimeError("no prompt was begun")
        return self._prompt

    def _judge_identity(self, record: WindowRecord) -> tuple[Reason, ...]:
        """Return whether the face at rest and in the last frame is that of the prompts before."""
        if record.rest_face is None or record.last_face is None:
            return (Reason.NOT_NEUTRAL_AT_START,)
        at_rest = embed(self._models, record.rest_face)
        last = embed(self._models, record.last_face, with_mirror=False)
        first = self._faces[0] if self._faces else at_rest
        match = self._limits.match
        same = similarity(first, at_rest) >= match.same_face_in_test
        if not same or similarity(at_rest, last) < match.same_face_turned:
            return (Reason.FACE_CHANGED,)
        self._faces.append(at_rest)
        return ()

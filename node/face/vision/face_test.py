"""One person's test: frames in, prompt by prompt, and what they showed out.

No frame is kept. Between frames the test holds points, a few numbers, hashes, and the aligned face
of at most two frames of the prompt under way; after the prompt only their embeddings.
"""

from dataclasses import dataclass

from client_sdk.face.prompts import Prompt
from node.face.vision.arrays import Image
from node.face.vision.detector import DetectorScore
from node.face.vision.embedding import embed, embed_portrait
from node.face.vision.judge import Judge, PromptFaces
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
        self._portrait = None if portrait is None else embed_portrait(models, portrait)
        self._judge = Judge(self._limits, self._portrait, with_portrait=portrait is not None)
        self._reader = WindowReader(models, self._limits)
        self._prompt: Prompt | None = None

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
        reasons = self._judge.judge_prompt(
            prompt,
            judge_record(prompt, record, self._limits),
            record.grid_peak,
            lambda: embed_faces(self._models, record),
        )
        return PromptFinding(prompt, not reasons, reasons, len(record.features))

    def finish(self) -> TestFinding:
        """Say what the whole test showed. A prompt that was missed does no harm by itself."""
        reasons = self._judge.conclude()
        return TestFinding(
            accepted=not reasons,
            reasons=reasons,
            accepted_prompts=tuple(self._judge.followed),
            similarity=self._judge.likeness,
            detector=self._reader.detector_score,
        )

    def _begun(self) -> Prompt:
        if self._prompt is None:
            raise RuntimeError("no prompt was begun")
        return self._prompt


def embed_faces(models: FaceModels, record: WindowRecord) -> PromptFaces | None:
    """Return the embeddings of the face of one prompt; None where it was never seen at rest."""
    if record.rest_face is None or record.last_face is None:
        return None
    return PromptFaces(
        rest=embed(models, record.rest_face),
        last=embed(models, record.last_face, with_mirror=False),
    )

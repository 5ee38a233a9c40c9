"""Clips read once: what the face test keeps of each, so that every question can be asked of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from client_sdk.face.prompts import Prompt
from face_lab.clips import ClipFrame
from node.face.vision.face_test import embed_faces
from node.face.vision.judge import PromptFaces
from node.face.vision.limits import Limits
from node.face.vision.models import FaceModels
from node.face.vision.reasons import Reason
from node.face.vision.window import WindowReader, WindowRecord, judge_record

LIVE = "live"


@dataclass(frozen=True)
class Recording:
    """One clip.

    Attributes:
        prompt: What was followed, or what the attack was aimed at.
        kind: `live`, or the attack's name.
        record: What the face test kept, without pictures.
        faces: Its face, if there was one at rest.
    """

    prompt: Prompt
    kind: str
    record: WindowRecord
    faces: PromptFaces | None


class Verdicts:
    """Judges each recording for each prompt once: a draw of tests asks the same again and again."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        # The recording is kept beside its verdict, so that no other one gets its identity.
        self._known: dict[tuple[int, Prompt], tuple[Recording, tuple[Reason, ...]]] = {}

    def of(self, recording: Recording, asked: Prompt) -> tuple[Reason, ...]:
        """Return why a recording does not show a prompt followed; nothing when it does."""
        key = id(recording), asked
        if key not in self._known:
            reasons = judge_record(asked, recording.record, self._limits)
            if not reasons and recording.faces is None:
                reasons = (Reason.NOT_NEUTRAL_AT_START,)
            self._known[key] = recording, reasons
        return self._known[key][1]


def read_clip(
    models: FaceModels,
    frames: Sequence[ClipFrame],
    *,
    prompt: Prompt,
    kind: str,
    limits: Limits,
    with_lids: bool = True,
) -> Recording:
    """Read a clip as the face test does."""
    reader = WindowReader(models, limits)
    for frame in frames:
        reader.add(frame.image, frame.at_ms, with_lids=with_lids)
    record = reader.record
    faces = embed_faces(models, record)
    record.rest_face = record.last_face = None
    return Recording(prompt, kind, record, faces)

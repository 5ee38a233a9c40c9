"""Clips read once: what the face test keeps of each, so that every question can be asked of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from client_sdk.face.prompts import Prompt
from face_lab.clips import ClipFrame
from node.face.vision.arrays import Floats
from node.face.vision.detector import DetectorScore
from node.face.vision.embedding import embed, similarity
from node.face.vision.limits import Limits
from node.face.vision.models import FaceModels
from node.face.vision.reasons import Reason
from node.face.vision.window import WindowReader, WindowRecord, judge_record


@dataclass(frozen=True)
class Recording:
    """One clip.

    Attributes:
        person: Whose face it shows.
        prompt: What was followed, or what the attack was aimed at.
        attack: Its name; `live` for none.
        record: What the face test kept, without pictures.
        rest: The embedding of the face at rest, if there was one.
        last: The embedding of the last frame's face.
        detector: The deepfake detector's score.
    """

    person: int
    prompt: Prompt
    attack: str
    record: WindowRecord
    rest: Floats | None
    last: Floats | None
    detector: DetectorScore | None

    def judge(self, asked: Prompt, limits: Limits) -> tuple[Reason, ...]:
        """Return why the clip does not answer a prompt; nothing when it does."""
        reasons = judge_record(asked, self.record, limits)
        if reasons or self.rest is None or self.last is None:
            return reasons or (Reason.NOT_NEUTRAL_AT_START,)
        if similarity(self.rest, self.last) < limits.match.same_face_turned:
            return (Reason.FACE_CHANGED,)
        return ()


def read_clip(
    models: FaceModels,
    frames: Sequence[ClipFrame],
    *,
    person: int,
    prompt: Prompt,
    attack: str,
    limits: Limits,
    with_lids: bool = True,
) -> Recording:
    """Read a clip as the face test does."""
    reader = WindowReader(models, limits)
    for frame in frames:
        reader.add(frame.image, frame.at_ms, with_lids=with_lids)
    record = reader.record
    rest, last = record.rest_face, record.last_face
    record.rest_face = record.last_face = None
    return Recording(
        person=person,
        prompt=prompt,
        attack=attack,
        record=record,
        rest=None if rest is None else embed(models, rest),
        last=None if last is None else embed(models, last),
        detector=reader.detector_score,
    )

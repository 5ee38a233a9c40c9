"""The verdict of a test, from what is left of its prompts once no picture is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from client_sdk.face.prompts import Prompt
from node.face.vision.arrays import Floats
from node.face.vision.embedding import similarity
from node.face.vision.limits import Limits
from node.face.vision.reasons import Reason


@dataclass(frozen=True)
class PromptFaces:
    """The face of one prompt as embeddings: at rest, and in the last frame."""

    rest: Floats
    last: Floats


class Judge:
    """Judges the prompts of one test in their order, then the whole.

    Attributes:
        followed: The prompts that were followed, in their order.
    """

    def __init__(self, limits: Limits, portrait: Floats | None, *, with_portrait: bool) -> None:
        """Begin a test.

        Args:
            limits: The thresholds.
            portrait: The embedding of the expected face; None where the portrait shows none.
            with_portrait: Whether a face is expected at all.
        """
        self._limits = limits
        self._portrait = portrait
        self._with_portrait = with_portrait
        self._faces: list[Floats] = []
        self._grid_peaks: list[float] = []
        self.followed: list[Prompt] = []

    def judge_prompt(
        self,
        prompt: Prompt,
        reasons: tuple[Reason, ...],
        grid_peak: float | None,
        faces: Callable[[], PromptFaces | None],
    ) -> tuple[Reason, ...]:
        """Return why a prompt was not followed by the face of the prompts before; or nothing.

        Args:
            prompt: What was asked.
            reasons: What speaks against it already (`judge_record`).
            grid_peak: What a screen or print leaves in it.
            faces: Gives its face; asked for only where nothing spoke against it.
        """
        if grid_peak is not None:
            self._grid_peaks.append(grid_peak)
        reasons = reasons or self._judge_identity(faces())
        if not reasons:
            self.followed.append(prompt)
        return reasons

    @property
    def likeness(self) -> float | None:
        """The cosine with the portrait, -1 to 1; None without one, or before any prompt."""
        return None if self._portrait is None else likeness(self._portrait, self._faces)

    def conclude(self) -> tuple[Reason, ...]:
        """Return what speaks against the whole test; nothing when it is passed."""
        found = self.likeness
        wrong = found is not None and found < self._limits.match.portrait
        grid = float(np.median(self._grid_peaks)) if self._grid_peaks else 0.0
        checks = (
            (Reason.PROMPTS_MISSING, not self.followed),
            (Reason.UNFIT_PORTRAIT, self._with_portrait and self._portrait is None),
            (Reason.WRONG_PERSON, wrong),
            (Reason.SCREEN_OR_PRINT, grid > self._limits.max_grid_peak),
        )
        return tuple(reason for reason, is_found in checks if is_found)

    def _judge_identity(self, faces: PromptFaces | None) -> tuple[Reason, ...]:
        """Return whether the face at rest and in the last frame is that of the prompts before."""
        if faces is None:
            return (Reason.NOT_NEUTRAL_AT_START,)
        first = self._faces[0] if self._faces else faces.rest
        match = self._limits.match
        same = similarity(first, faces.rest) >= match.same_face_in_test
        if not same or similarity(faces.rest, faces.last) < match.same_face_turned:
            return (Reason.FACE_CHANGED,)
        self._faces.append(faces.rest)
        return ()


def likeness(portrait: Floats, faces: Sequence[Floats]) -> float | None:
    """Return the median cosine of a portrait with the faces of a test; None without any."""
    return float(np.median([similarity(portrait, face) for face in faces])) if faces else None

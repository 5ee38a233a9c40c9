"""Whole tests in the lab: prompts are drawn, clips are shown, the service's own judge decides."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from client_sdk.face.prompts import Prompt
from face_lab.recordings import Recording, Verdicts
from node.face.vision.arrays import Floats
from node.face.vision.judge import Judge
from node.face.vision.limits import Limits
from node.face.vision.prompts import SERIES_LENGTH, draw_series, redraw_series
from node.face.vision.reasons import Reason


@dataclass(frozen=True)
class Rules:
    """How a test goes: how many prompts, how many of them may be missed and drawn anew."""

    length: int
    most_missed: int


RULES: Final = Rules(length=SERIES_LENGTH, most_missed=1)
# Of a prompt that is asked: the clip that is shown; None when there is nothing left to show.
Actor = Callable[[Prompt], Recording | None]


@dataclass(frozen=True)
class Shown:
    """A prompt, what was shown for it, and why that was not accepted."""

    asked: Prompt
    recording: Recording
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Trial:
    """A whole test.

    Attributes:
        kind: `live`, or the attack's name.
        shown: What was shown, in its order.
        reasons: Why the test was not passed; nothing when it was.
    """

    kind: str
    shown: tuple[Shown, ...]
    reasons: tuple[Reason, ...]

    @property
    def passed(self) -> bool:
        """Whether the test was passed."""
        return not self.reasons


def run_trial(
    kind: str,
    actor: Actor,
    *,
    portrait: Floats,
    limits: Limits,
    verdicts: Verdicts,
    rng: np.random.Generator,
    rules: Rules = RULES,
) -> Trial:
    """Draw a test, and have an actor make it.

    Args:
        kind: `live`, or the attack's name.
        actor: Shows a clip for each prompt.
        portrait: The embedding of whose face is expected.
        limits: The thresholds.
        verdicts: What is known of recordings under them.
        rng: Draws the prompts.
        rules: How a test goes.
    """

    def below(bound: int) -> int:
        return int(rng.integers(bound))

    judge = Judge(limits, portrait, with_portrait=True)
    series, place, missed = draw_series(rules.length, below=below), 0, 0
    shown: list[Shown] = []
    while place < len(series):
        asked = series[place]
        recording = actor(asked)
        if recording is None:
            return Trial(kind, tuple(shown), (Reason.PROMPTS_MISSING,))
        reasons = judge.judge_prompt(
            asked,
            verdicts.of(recording, asked),
            recording.record.grid_peak,
            lambda faces=recording.faces: faces,  # type: ignore[misc]
        )
        shown.append(Shown(asked, recording, reasons))
        if not reasons:
            place += 1
            continue
        missed += 1
        if missed > rules.most_missed:
            return Trial(kind, tuple(shown), reasons)
        series = redraw_series(series, place, below=below)
    return Trial(kind, tuple(shown), judge.conclude())


def replaying(recordings: Iterable[Recording]) -> Actor:
    """Return one who plays what was recorded of other tests, in its order, whatever is asked."""
    order = iter(recordings)
    return lambda _asked: next(order, None)


def choosing(recordings: Iterable[Recording]) -> Actor:
    """Return one who plays what fits, each clip once: a program that poses as a camera."""
    left = list(recordings)

    def show(asked: Prompt) -> Recording | None:
        fit = [place for place, each in enumerate(left) if each.prompt is asked]
        return left.pop(fit[0] if fit else 0) if left else None

    return show

"""Whole tests, drawn from recordings: who passes, and what a recording of another test is worth."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from client_sdk.face.prompts import Prompt
from face_lab.recordings import Recording
from node.face.vision.arrays import Floats
from node.face.vision.embedding import similarity
from node.face.vision.limits import Limits
from node.face.vision.prompts import draw_replacement, draw_series


@dataclass(frozen=True)
class Rules:
    """How a test goes: how many prompts, how many of them may be missed and drawn anew."""

    length: int
    most_missed: int


# Of a person, for a prompt that is asked: a clip to show.
Actor = Callable[[Prompt], Recording]


class Sessions:
    """Draws tests over judged recordings."""

    def __init__(
        self, recordings: Sequence[Recording], limits: Limits, rng: np.random.Generator
    ) -> None:
        """Judge every recording for every prompt."""
        self._limits = limits
        self._rng = rng
        self._accepted = {
            (id(recording), asked): not recording.judge(asked, limits)
            for recording in recordings
            for asked in Prompt
        }
        self._clips: dict[tuple[int, str, Prompt], list[Recording]] = defaultdict(list)
        for recording in recordings:
            self._clips[recording.person, recording.attack, recording.prompt].append(recording)

    def accepts(self, recording: Recording, asked: Prompt) -> bool:
        """Tell whether a clip answers a prompt."""
        return self._accepted[id(recording), asked]

    def run(self, rules: Rules, actor: Actor) -> bool:
        """Draw one test, and tell whether it was passed."""
        series, missed, place = draw_series(rules.length, below=self._below), 0, 0
        first: Floats | None = None
        while place < len(series):
            clip = actor(series[place])
            good = self.accepts(clip, series[place])
            if good and clip.rest is not None:
                first = clip.rest if first is None else first
                good = similarity(first, clip.rest) >= self._limits.match.same_face_in_test
            if good:
                place += 1
                continue
            missed += 1
            if missed > rules.most_missed:
                return False
            instead = draw_replacement(series, place, below=self._below)
            series = (*series[:place], instead, *series[place + 1 :])
        return True

    def follower(self, person: int, attack: str = "live") -> Actor:
        """Return one who shows a clip made for the prompt that is asked."""
        return lambda asked: self._draw(self._clips[person, attack, asked])

    def replayer(self, person: int, rules: Rules) -> Actor:
        """Return one who plays what was recorded of another test of the same person, in order."""
        recorded = list(draw_series(rules.length, below=self._below))
        while len(recorded) <= rules.length + rules.most_missed:
            recorded.append(draw_replacement(recorded, len(recorded) - 1, below=self._below))
        order = iter(recorded)
        return lambda _asked: self._draw(self._clips[person, "live", next(order)])

    def _draw(self, clips: Sequence[Recording]) -> Recording:
        return clips[self._below(len(clips))]

    def _below(self, bound: int) -> int:
        return int(self._rng.integers(bound))


def passes_by_person(
    sessions: Sessions,
    rules: Rules,
    actors: Mapping[int, Callable[[], Actor]],
    draws: int,
) -> dict[int, tuple[int, int]]:
    """Return of each person how many tests passed, of how many.

    Args:
        sessions: The judged recordings.
        rules: How a test goes.
        actors: For each person, who answers; made anew for each test.
        draws: How many tests of each.
    """
    return {
        person: (sum(sessions.run(rules, actor()) for _ in range(draws)), draws)
        for person, actor in actors.items()
    }

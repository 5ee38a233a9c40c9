"""Films people for trials and for the calibration. What was read of a clip is a file of its own."""

import hashlib
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Final

import numpy as np

from client_sdk.face.prompts import TURNS, Prompt
from face_lab.clips import Attack, attack_clip, live_clip
from face_lab.films import kept
from face_lab.people import Person
from face_lab.recordings import LIVE, Recording, Verdicts, read_clip
from face_lab.trials import Trial, run_trial
from node.face.vision.limits import Limits
from node.face.vision.models import FaceModels

# A test's prompts follow each other by so much.
_PROMPT_MS: Final = 9_000
_EXPRESSIONS: Final = tuple(prompt for prompt in Prompt if prompt not in TURNS)
# What the thresholds are set on: prompts followed, and the attacks that measures tell from them.
_CALIBRATION: Final[tuple[tuple[str, tuple[Prompt, ...]], ...]] = (
    (LIVE, tuple(Prompt)),
    (Attack.FLAT_PRINT, (Prompt.LOOK_LEFT, Prompt.LOOK_UP, *_EXPRESSIONS)),
    (Attack.BENT_PRINT, (Prompt.LOOK_RIGHT, Prompt.LOOK_DOWN, *_EXPRESSIONS)),
    (Attack.MOVED_PHOTO, _EXPRESSIONS),
    (Attack.SCREEN, (Prompt.LOOK_LEFT, Prompt.SMILE)),
)


class Studio:
    """Films the people of one half."""

    def __init__(
        self,
        models: FaceModels,
        limits: Limits,
        people: Sequence[Person],
        folder: Path | None = None,
    ) -> None:
        """Take the people.

        Args:
            models: The networks.
            limits: The thresholds that trials are judged by.
            people: Who is filmed; each is the next one's impostor.
            folder: Where what was read is kept, if anywhere. It is good for other thresholds, too:
                what a frame must be alone decides of what is read.
        """
        self._models = models
        self._limits = limits
        self._people = people
        self._verdicts = Verdicts(limits)
        read_with = repr((limits.frame, limits.stream)).encode()
        digest = hashlib.sha256(read_with).hexdigest()[:12]
        self._folder = None if folder is None else folder / digest

    def trial(self, place: int, kind: str, take: int) -> Trial:
        """Make a whole test: clips are rendered for the prompts as they are drawn.

        Args:
            place: Which person.
            kind: `live`, or the attack's name.
            take: Which of the person's tests.
        """
        person = self._people[place]
        windows = count()

        def show(asked: Prompt) -> Recording:
            window = next(windows)
            name = f"{person.name}-{kind}-{take}-{window}-{asked}"
            return kept(
                self._folder,
                name,
                lambda: self._film(
                    place, kind, asked, _generator(name), start_ms=_PROMPT_MS * window
                ),
            )

        return run_trial(
            kind,
            show,
            portrait=person.portrait,
            limits=self._limits,
            verdicts=self._verdicts,
            rng=_generator(f"{person.name}-{kind}-{take}"),
        )

    def calibration_clips(self, place: int) -> list[Recording]:
        """Film what the thresholds are set on: every prompt followed, and attacks."""
        person = self._people[place]

        def film() -> list[Recording]:
            return [
                self._film(place, kind, prompt, _generator(f"{person.name}-{kind}-{prompt}"))
                for kind, prompts in _CALIBRATION
                for prompt in prompts
            ]

        return kept(self._folder, f"{person.name}-calibration", film)

    def _film(
        self,
        place: int,
        kind: str,
        prompt: Prompt,
        rng: np.random.Generator,
        *,
        start_ms: int = 0,
    ) -> Recording:
        performer = self._people[place].performer
        if kind == LIVE:
            clip = live_clip(performer, prompt, rng, start_ms=start_ms)
        else:
            other = self._people[(place + 1) % len(self._people)].performer
            clip = attack_clip(
                Attack(kind), performer, prompt, rng, start_ms=start_ms, other=other
            )  # fmt: skip
        # Of a living face every question is asked later, that of a blink among them.
        with_lids = kind == LIVE or prompt is Prompt.BLINK
        return read_clip(
            self._models, clip, prompt=prompt, kind=kind, limits=self._limits, with_lids=with_lids
        )


def _generator(name: str) -> np.random.Generator:
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))

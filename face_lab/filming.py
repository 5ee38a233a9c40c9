"""Films people for trials and for the calibration. Each trial is a file of its own."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from client_sdk.face.prompts import TURNS, Prompt
from face_lab.clips import Attack, attack_clip, live_clip
from face_lab.films import kept
from face_lab.people import Person
from face_lab.recordings import LIVE, Recording, Verdicts, read_clip
from face_lab.trials import Actor, Trial, run_trial
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
            folder: Where what was read is kept, if anywhere; other thresholds have other files.
        """
        self._models = models
        self._limits = limits
        self._people = people
        self._verdicts = Verdicts(limits)
        digest = hashlib.sha256(repr(limits).encode()).hexdigest()[:12]
        self._folder = None if folder is None else folder / digest

    def trial(self, place: int, kind: str, take: int) -> Trial:
        """Film a whole test: clips are rendered for the prompts as they are drawn.

        Args:
            place: Which person.
            kind: `live`, or the attack's name.
            take: Which of the person's tests.
        """
        person = self._people[place]

        def film() -> Trial:
            rng = _generator(person, kind, take)
            return run_trial(
                kind,
                self._performing(place, kind, rng),
                portrait=person.portrait,
                limits=self._limits,
                verdicts=self._verdicts,
                rng=rng,
            )

        return kept(self._folder, f"{person.name}-{kind}-{take}", film)

    def calibration_clips(self, place: int) -> list[Recording]:
        """Film what the thresholds are set on: every prompt followed, and attacks."""
        person = self._people[place]

        def film() -> list[Recording]:
            return [
                self._film(place, kind, prompt, _generator(person, kind, place_of(prompt)))
                for kind, prompts in _CALIBRATION
                for prompt in prompts
            ]

        return kept(self._folder, f"{person.name}-calibration", film)

    def _performing(self, place: int, kind: str, rng: np.random.Generator) -> Actor:
        starts = iter(range(0, 1 << 40, _PROMPT_MS))
        return lambda asked: self._film(place, kind, asked, rng, start_ms=next(starts))

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


def place_of(prompt: Prompt) -> int:
    """Return a prompt's place among all."""
    return list(Prompt).index(prompt)


def _generator(person: Person, kind: str, take: int) -> np.random.Generator:
    digest = hashlib.sha256(f"{person.name} {kind}".encode()).digest()
    return np.random.default_rng((int.from_bytes(digest[:8], "big"), take))

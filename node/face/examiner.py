"""The checks of `node.face.vision` as a test needs them."""

from collections.abc import Callable, Iterable, Mapping
from secrets import randbelow
from typing import Final, Literal

import structlog

from client_sdk.face.prompts import Prompt
from node.errors import ImageError
from node.face.challenge import Examination, Frame
from node.face.vision import (
    FaceModels,
    FaceTest,
    Limits,
    decode_image,
    draw_series,
    redraw_series,
)

FRAME_SIDE: Final = 640
"""Larger frames are made smaller, in pixels: no check sees more in them."""
CHECKS: Final = ("prompts", "one_face", "solid_face", "live_stream", "portrait_match")
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.face")


class Examiner:
    """Examines faces with the networks of the package."""

    def __init__(
        self,
        models: FaceModels,
        *,
        detector: Literal["off", "advice", "refusal"],
        detector_threshold: float,
        limits: Limits | None = None,
    ) -> None:
        """Take the networks.

        Args:
            models: The networks, loaded once.
            detector: What the deepfake detector's word does.
            detector_threshold: From which score on it gives that word.
            limits: Thresholds, if not the calibrated ones.
        """
        self._models = models
        self._limits = limits or Limits()
        self._suspicion = detector_threshold if detector != "off" else None
        self._refuses = detector == "refusal"

    @property
    def checks(self) -> tuple[str, ...]:
        """The names of the checks that a face passes."""
        return (*CHECKS, "deepfake_detector") if self._refuses else CHECKS

    @property
    def thresholds(self) -> Mapping[str, float]:
        """How strict they are: cosines of the match, the residual that makes a face solid."""
        return {
            "portrait_match": self._limits.match.portrait,
            "solid_face": self._limits.action.parallax,
        }

    def examine(self, portrait: bytes) -> Examination:
        """Begin a test.

        Raises:
            ImageError: The portrait is no picture, or shows no face to compare with.
        """
        test = FaceTest(self._models, portrait=decode_image(portrait), limits=self._limits)
        if not test.has_fit_portrait:
            raise ImageError("no face was found in the portrait; it must show one, from the front")
        return _Examination(test, suspicion=self._suspicion, refuses=self._refuses)


class _Examination:
    def __init__(self, test: FaceTest, *, suspicion: float | None, refuses: bool) -> None:
        self._test = test
        self._suspicion = suspicion
        self._refuses = refuses

    def judge_prompt(self, prompt: Prompt, frames: Iterable[Frame]) -> str | None:
        self._test.begin(prompt)
        for frame in frames:
            self._test.add(decode_image(frame.data, max_side=FRAME_SIDE), frame.time_ms)
        finding = self._test.end()
        return None if finding.accepted else finding.reasons[0].value

    def conclude(self) -> str | None:
        finding = self._test.finish()
        if finding.reasons:
            return finding.reasons[0].value
        score = finding.detector
        if score is not None and self._suspicion is not None and score.score >= self._suspicion:
            # That it spoke, and never how loudly.
            _log.warning("deepfake_suspected")
            if self._refuses:
                return "suspected_deepfake"
        return None


class RandomSeries:
    """Prompts from the system's cryptographic generator, or from a test's own."""

    def __init__(self, below: Callable[[int], int] = randbelow) -> None:
        """Take the generator.

        Args:
            below: Draws a whole number from 0 up to, but without, its argument.
        """
        self._below = below

    def draw(self) -> tuple[Prompt, ...]:
        """Return what is to be done in a test."""
        return draw_series(below=self._below)

    def redraw(self, series: tuple[Prompt, ...], missed: int) -> tuple[Prompt, ...]:
        """Return the series after a prompt was missed: another one instead, and one more."""
        return redraw_series(series, missed, below=self._below)

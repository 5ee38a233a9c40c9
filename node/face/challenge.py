"""One face test: which prompt is shown, what came of the ones before, and the verdict.

It keeps no frame: each is looked at and dropped. The portrait's and the face's features, which the
examination keeps to compare, go with the verdict.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from client_sdk.face.prompts import Prompt

State = Literal["waiting", "prompting", "passed", "refused", "expired"]
FINAL: Final = frozenset({"passed", "refused", "expired"})
CLOCK_SLACK_MS: Final = 1_500
"""How much longer a capture may seem to take than the time in which it came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One picture of a capture, still as it came.

    Attributes:
        time_ms: When it was taken, by the sender's clock.
        data: The file.
    """

    time_ms: int
    data: bytes


class Examination(Protocol):
    """The checks of one face, from its portrait to the verdict."""

    def judge_prompt(self, prompt: Prompt, frames: Iterable[Frame]) -> str | None:
        """Tell why a prompt was not followed by a live face; None where it was.

        Raises:
            ImageError: A frame is no picture.
        """

    def conclude(self) -> str | None:
        """Tell why the test as a whole is not passed; None where it is."""


class Vision(Protocol):
    """What examines faces."""

    @property
    def checks(self) -> tuple[str, ...]:
        """The names of the checks that a face passes."""

    @property
    def thresholds(self) -> Mapping[str, float]:
        """How strict they are."""

    def examine(self, portrait: bytes) -> Examination:
        """Begin a test.

        Raises:
            ImageError: The portrait is no picture, or shows no face to compare with.
        """


class Series(Protocol):
    """How prompts are drawn."""

    def draw(self) -> tuple[Prompt, ...]:
        """Return what is to be done in a test."""

    def redraw(self, series: tuple[Prompt, ...], missed: int) -> tuple[Prompt, ...]:
        """Return the series after a prompt was missed, with another one in its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a test lasts, and how much of it may fail.

    Attributes:
        test_ms: How long after its beginning it ends.
        prompt_ms: How long the frames of a prompt may take.
        most_missed: How many prompts may be missed.
    """

    test_ms: int
    prompt_ms: int
    most_missed: int


class Challenge:
    """One test. Its calls are made one after the other; each waits for the one before."""

    def __init__(self, examination: Examination, series: Series, *, limits: Limits) -> None:
        """Draw the prompts; nobody sees one before `start`.

        Args:
            examination: Compares with the portrait.
            series: Draws prompts.
            limits: How long, and how often.
        """
        self._examination: Examination | None = examination
        self._drawer = series
        self._limits = limits
        self._series = series.draw()
        self._passed = 0
        self._missed = 0
        self._window = 0
        self._prompted_ms = 0
        self._ends_ms = 0
        self._last_frame_ms: int | None = None
        self._lock = threading.Lock()
        self.state: State = "waiting"
        self.code: str | None = None

    @property
    def window(self) -> int:
        """The number of the prompt that is shown, from 0."""
        return self._window

    @property
    def prompt(self) -> Prompt | None:
        """What is to be done now."""
        return self._series[self._passed] if self.state == "prompting" else None

    @property
    def passed(self) -> int:
        """How many prompts were followed."""
        return self._passed

    @property
    def needed(self) -> int:
        """How many prompts there are to follow."""
        return len(self._series)

    def start(self, now_ms: int) -> None:
        """Show the first prompt; once it is shown this does nothing more."""
        with self._lock:
            if self.state == "waiting":
                self.state = "prompting"
                self._prompted_ms = now_ms
                self._ends_ms = now_ms + self._limits.test_ms

    def expire(self, now_ms: int) -> None:
        """End a test whose time is over."""
        # Where an answer is being judged, it came in time.
        if not self._lock.acquire(blocking=False):
            return
        try:
            if self.state == "prompting" and now_ms >= self._ends_ms:
                self._end("expired", "test_expired")
        finally:
            self._lock.release()

    def abandon(self) -> None:
        """End a test that nobody will go on with."""
        with self._lock:
            if self.state not in FINAL:
                self._end("expired", "test_expired")

    def answer(
        self,
        window: int,
        frames: Iterable[Frame],
        *,
        clock: Callable[[], int],
        place: AbstractContextManager[object],
        follows: bool = True,
    ) -> bool:
        """Judge what the camera saw of a prompt.

        Args:
            window: The prompt's number; an answer to an earlier one changes nothing.
            frames: What came, decoded no sooner than it is looked at.
            clock: Milliseconds; the time of judging, and of waiting for a place, is given back.
            place: What is held while it is judged.
            follows: Whether the frames' times go on from one prompt to the next.

        Returns:
            Whether it was for the prompt that is shown, or one before; False for one to come.

        Raises:
            ImageError: A frame is no picture; the prompt can be answered again.
        """
        with self._lock:
            if self.state != "prompting" or window < self._window:
                return True
            if window > self._window:
                return False
            arrived_ms = clock()
            if arrived_ms >= self._ends_ms:
                self._end("expired", "test_expired")
                return True
            with place:
                reason = self._judge(frames, arrived_ms, follows=follows)
            now_ms = clock()
            self._ends_ms += now_ms - arrived_ms
            self._prompted_ms = now_ms
            self._window += 1
            self._go_on(reason)
            return True

    def _judge(self, frames: Iterable[Frame], arrived_ms: int, *, follows: bool) -> str | None:
        taken_ms = arrived_ms - self._prompted_ms
        if taken_ms > self._limits.prompt_ms:
            return "too_late"
        assert self._examination is not None
        capture = _Capture(frames)
        reason = self._examination.judge_prompt(self._series[self._passed], capture)
        # Frames that would not be decoded were not looked at: the rest is counted too.
        for _ in capture:
            pass
        if capture.span_ms > taken_ms + CLOCK_SLACK_MS:
            return "times_in_disorder"
        first_ms, before_ms = capture.first_ms, self._last_frame_ms
        if follows and first_ms is not None and before_ms is not None and first_ms <= before_ms:
            return "times_in_disorder"
        if follows:
            self._last_frame_ms = capture.last_ms
        return reason

    def _go_on(self, reason: str | None) -> None:
        if reason is None:
            self._passed += 1
            self.code = None
            if self._passed == len(self._series):
                self._conclude()
            return
        self._missed += 1
        self.code = reason
        if self._missed > self._limits.most_missed:
            self._end("refused", reason)
            return
        self._series = self._drawer.redraw(self._series, self._passed)

    def _conclude(self) -> None:
        assert self._examination is not None
        reason = self._examination.conclude()
        if reason is None:
            self._end("passed", None)
        else:
            self._end("refused", reason)

    def _end(self, state: State, code: str | None) -> None:
        self.state, self.code = state, code
        # The only features of a face that there are go here.
        self._examination = None


class _Capture:
    """The frames of one prompt on their way: what they say of themselves is noted."""

    def __init__(self, frames: Iterable[Frame]) -> None:
        self._frames = iter(frames)
        self.first_ms: int | None = None
        self.last_ms = 0

    @property
    def span_ms(self) -> int:
        return 0 if self.first_ms is None else self.last_ms - self.first_ms

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._frames:
            if self.first_ms is None:
                self.first_ms = frame.time_ms
            self.last_ms = max(self.last_ms, frame.time_ms)
            yield frame

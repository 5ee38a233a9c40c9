"""What stands before the camera in the story, for want of a person: a photograph that moves.

`face_lab.demo_film` made it of a photograph in the public domain. A camera that is none is what a
face service cannot tell from one (docs/face.md).
"""

import io
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib import import_module
from importlib.resources import files
from itertools import count, islice
from typing import Any, Final

from client_sdk.face.client import CapturedFrame
from client_sdk.face.prompts import FREQUENT_BY_CHANCE, Prompt

FOLDER: Final = files("node.cli.demo") / "film"
PORTRAIT: Final = "portrait.jpg"
_TAKES: Final = 3
_SOONER_S: Final = 1.0
"""What the story saves of each take: a service bears a camera's clock that is as wrong as that."""
_QUALITY: Final = 90
_STILL_FRAMES: Final = 20
_STEP_MS: Final = 83


def takes_of(prompt: Prompt) -> int:
    """Return how many takes there are of a prompt: as many as one test asks for."""
    return 1 if prompt in FREQUENT_BY_CHANCE else _TAKES


def take_file(prompt: Prompt, take: int) -> str:
    """Return the name of the file of a take, counted from 0."""
    return f"{prompt.value}-{take}.webp"


def portrait() -> bytes:
    """Return the photograph, JPEG."""
    return (FOLDER / PORTRAIT).read_bytes()


class _Clock:
    """A camera's clock. It goes before ours as far as a face service bears."""

    def __init__(self) -> None:
        self._last_ms = 0

    def film(self, frames: Iterable[tuple[int, bytes]]) -> list[CapturedFrame]:
        """Return frames at the times at which they are taken; wait as long as that takes."""
        start = max(time.monotonic_ns() // 1_000_000, self._last_ms + _STEP_MS)
        filmed = [CapturedFrame(time_ms=start + at, jpeg=jpeg) for at, jpeg in frames]
        self._last_ms = filmed[-1].time_ms
        time.sleep(max(0.0, (self._last_ms - start) / 1000 - _SOONER_S))
        return filmed


class FilmCamera:
    """A camera before which the film is shown: another take each time that a prompt comes."""

    def __init__(self) -> None:
        """Begin with the first takes."""
        self._shown: Counter[Prompt] = Counter()
        self._clock = _Clock()

    def capture(self, prompt: Prompt, *, capture_ms: int) -> list[CapturedFrame]:
        """Return what the camera sees while a prompt is followed."""
        del capture_ms
        take = self._shown[prompt] % takes_of(prompt)
        self._shown[prompt] += 1
        return self._clock.film(read_take((FOLDER / take_file(prompt, take)).read_bytes()))


class PhotographCamera:
    """A camera before which a thief holds the photograph, in a hand that trembles."""

    def __init__(self) -> None:
        """Begin where the hand is still."""
        self._moves = count()
        self._clock = _Clock()

    def capture(self, prompt: Prompt, *, capture_ms: int) -> list[CapturedFrame]:
        """Return what the camera sees of it."""
        del prompt, capture_ms
        pillow, chops = import_module("PIL.Image"), import_module("PIL.ImageChops")
        with pillow.open(io.BytesIO(portrait())) as still:
            near = still.resize((still.width * 2, still.height * 2))
        return self._clock.film(
            (at * _STEP_MS, _to_jpeg(chops.offset(near, move % 7 - 3, move // 7 % 7 - 3)))
            for at, move in enumerate(islice(self._moves, _STILL_FRAMES))
        )


def read_take(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the frames of a take: when each comes, in milliseconds, and the JPEG."""
    # An extra, which the face service needs as well.
    pillow, sequence = import_module("PIL.Image"), import_module("PIL.ImageSequence")
    at_ms = 0
    with pillow.open(io.BytesIO(data)) as film:
        for frame in sequence.Iterator(film):
            yield at_ms, _to_jpeg(frame.convert("RGB"))
            at_ms += frame.info["duration"]


def _to_jpeg(picture: Any) -> bytes:
    jpeg = io.BytesIO()
    picture.save(jpeg, "JPEG", quality=_QUALITY)
    return jpeg.getvalue()

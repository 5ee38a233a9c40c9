"""A rendered face before a face service's camera: one that lives, or what an attacker shows."""

import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Final

import cv2
import numpy as np
from support.face_world import FaceWorld
from support.faces import face_models, performers

from client_sdk.face.client import CapturedFrame
from client_sdk.face.prompts import Prompt
from face_lab.clips import Attack, ClipFrame, attack_clip, live_clip
from face_lab.people import FREE_FACES, find_pictures
from node.face.examiner import Examiner, RandomSeries
from node.face.vision import Image

_JPEG_QUALITY: Final = 90
Clip = tuple[CapturedFrame, ...]
Shown = Callable[[Prompt, int], Clip]
"""Takes a prompt and a seed; returns what a camera sees, its first frame at 0 ms or later."""


def portrait(person: int) -> bytes:
    """Return the photograph of a person, as a credential holds it."""
    return find_pictures(FREE_FACES)[person].read_bytes()


@cache
def examiner() -> Examiner:
    """Return the real checks, loaded once."""
    return Examiner(face_models(), detector="advice", detector_threshold=0.9)


def seeing_world(*, seed: int = 1, **settings: object) -> FaceWorld:
    """Return a service with the real checks, whose prompts a seed decides."""
    draw = random.Random(seed)
    return FaceWorld(vision=examiner(), series=RandomSeries(below=draw.randrange), **settings)


def live_person(person: int) -> Shown:
    """Return a person who follows each prompt."""
    return lambda prompt, seed: _live(person, prompt, seed)


def attacker(attack: Attack, person: int) -> Shown:
    """Return one who shows something of a person instead."""
    return lambda prompt, seed: _attack(attack, person, prompt, seed)


# Rendered once, for all tests: a clip is as good for one as for another.
@cache
def _live(person: int, prompt: Prompt, seed: int) -> Clip:
    return _encode(live_clip(performers()[person], prompt, np.random.default_rng(seed)))


@cache
def _attack(attack: Attack, person: int, prompt: Prompt, seed: int) -> Clip:
    rng = np.random.default_rng(seed)
    return _encode(attack_clip(attack, performers()[person], prompt, rng))


def _encode(clip: list[ClipFrame]) -> Clip:
    """Return a clip as a browser's canvas gives it."""
    return tuple(CapturedFrame(time_ms=frame.at_ms, jpeg=_to_jpeg(frame.image)) for frame in clip)


def _to_jpeg(image: Image) -> bytes:
    picture = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return data.tobytes()


class RenderedCamera:
    """The camera of an application, before which somebody or something is.

    Attributes:
        shown: The prompts that were shown.
    """

    def __init__(self, world: FaceWorld, show: Shown, *, seed: int = 1) -> None:
        self._world = world
        self._show = show
        self._seed = seed
        self.shown: list[Prompt] = []

    def capture(self, prompt: Prompt, *, capture_ms: int) -> list[CapturedFrame]:
        self.shown.append(prompt)
        clip = self._show(prompt, self._seed + len(self.shown))
        assert clip[-1].time_ms - clip[0].time_ms <= capture_ms
        start = self._world.clock()
        self._world.clock.now_ms += clip[-1].time_ms + 50
        return [replace(frame, time_ms=start + frame.time_ms) for frame in clip]

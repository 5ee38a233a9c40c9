"""Rendered people before a camera, for tests of the face test."""

from functools import cache

import numpy as np

from client_sdk.face.prompts import Prompt
from face_lab.clips import ClipFrame, live_clip
from face_lab.people import free_faces
from face_lab.performer import Performer
from node.face.vision import FaceModels, FaceTest, PromptFinding


@cache
def face_models() -> FaceModels:
    """Return the networks, loaded once."""
    return FaceModels.load()


@cache
def performers() -> tuple[Performer, ...]:
    """Return the people of the public domain photographs, ready to move."""
    return tuple(Performer(face_models(), picture) for picture in free_faces())


def live(person: int, prompt: Prompt, *, seed: int = 1, start_ms: int = 0) -> list[ClipFrame]:
    """Return a person who follows a prompt."""
    rng = np.random.default_rng(seed)
    return live_clip(performers()[person], prompt, rng, start_ms=start_ms)


def show(test: FaceTest, prompt: Prompt, clip: list[ClipFrame]) -> PromptFinding:
    """Show a clip for a prompt."""
    test.begin(prompt)
    for frame in clip:
        test.add(frame.image, frame.at_ms)
    return test.end()

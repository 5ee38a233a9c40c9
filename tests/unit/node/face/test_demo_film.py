"""The film of the demo: the checks take each of its takes, and no photograph."""

import pytest
from support.rendered_person import examiner

from client_sdk.face.client import CapturedFrame
from client_sdk.face.prompts import Prompt
from node.cli.demo import film
from node.face.challenge import Frame


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(film, "_SOONER_S", 60.0)


def frames_of(captured: list[CapturedFrame]) -> list[Frame]:
    return [Frame(time_ms=frame.time_ms, data=frame.jpeg) for frame in captured]


@pytest.mark.parametrize("prompt", Prompt)
def test_each_take_follows_its_prompt(prompt: Prompt) -> None:
    camera, examination = film.FilmCamera(), examiner().examine(film.portrait())
    for _ in range(film.takes_of(prompt)):
        captured = camera.capture(prompt, capture_ms=3000)
        assert captured[-1].time_ms - captured[0].time_ms < 3000
        assert examination.judge_prompt(prompt, frames_of(captured)) is None
    assert examination.conclude() is None


def test_a_photograph_follows_none() -> None:
    examination = examiner().examine(film.portrait())
    captured = film.PhotographCamera().capture(Prompt.LOOK_LEFT, capture_ms=3000)
    reason = examination.judge_prompt(Prompt.LOOK_LEFT, frames_of(captured))
    assert reason not in (None, "repeated_frames")

"""Short videos instead of frames: what is one is read, and what is none costs nothing."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from support.face_world import SERIES, FaceWorld

from client_sdk.errors import ServiceRefusedError
from client_sdk.face.client import StartedTest
from node.face.errors import ImageRefusedError
from node.face.video import read_video

Film = Callable[..., bytes]


@pytest.fixture
def film(tmp_path: Path) -> Film:
    """Makes videos."""

    def make(
        codec: str = "VP80", container: str = "webm", *, side: int = 320, frames: int = 30
    ) -> bytes:
        path = tmp_path / f"video.{container}"
        writer = cv2.VideoWriter(
            str(path), cv2.VideoWriter.fourcc(*codec), 20, (side, side * 3 // 4)
        )
        for at in range(frames):
            writer.write(np.full((side * 3 // 4, side, 3), at * 5 % 255, np.uint8))
        writer.release()
        return path.read_bytes()

    return make


@pytest.mark.parametrize(("codec", "container"), [("VP80", "webm"), ("vp09", "mp4")])
def test_a_video_is_its_frames(film: Film, codec: str, container: str) -> None:
    frames = [*read_video(film(codec, container))]
    # Of two pictures 50 ms apart one is looked at.
    assert len(frames) == 15
    times = [frame.time_ms for frame in frames]
    assert times == sorted(set(times))
    assert 1300 <= times[-1] - times[0] <= 1500
    assert all(frame.data.startswith(b"\x89PNG") for frame in frames)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda film: film("mp4v", "mp4"), "wrong_codec"),
        (lambda film: film("MJPG", "avi"), "not_a_video"),
        (lambda film: film()[:400], "not_a_video"),
        (lambda film: film(side=1600, frames=2), "video_too_large"),
        (lambda _: b"\x1a\x45\xdf\xa3" + bytes(5000), "not_a_video"),
        (lambda _: b"\x00\x00\x00\x18ftypisom" + bytes(5000), "not_a_video"),
        (lambda _: b"#EXTM3U\nfile:///etc/passwd", "not_a_video"),
        (lambda _: b"", "not_a_video"),
    ],
)
def test_what_is_no_video_has_its_own_answer(
    film: Film, make: Callable[[Film], bytes], code: str
) -> None:
    with pytest.raises(ImageRefusedError) as refused:
        next(read_video(make(film)))
    assert refused.value.code == code


def test_of_a_long_video_the_beginning_is_read(film: Film) -> None:
    frames = [*read_video(film(frames=260, side=64))]
    assert len(frames) == 40
    assert frames[-1].time_ms < 5_000


def begun(world: FaceWorld) -> StartedTest:
    made = world.client.create(world.new())
    world.client.start(made)
    world.clock.advance(seconds=2)
    return made


def test_a_video_answers_a_prompt(film: Film) -> None:
    world = FaceWorld()
    made = begun(world)
    state = world.client.send_video(made, 0, film(), media_type="video/webm")
    assert (state.window, state.passed, world.vision.judged) == (1, 1, [SERIES[0]])
    # A film begins at its own nought: the next one does so too.
    world.clock.advance(seconds=2)
    assert world.client.send_video(made, 1, film(), media_type="video/webm").passed == 2


def test_a_video_of_nothing_can_be_sent_again(film: Film) -> None:
    world = FaceWorld()
    made = begun(world)
    with pytest.raises(ServiceRefusedError) as refused:
        world.client.send_video(made, 0, b"nothing", media_type="video/webm")
    assert refused.value.code == "not_a_video"
    with pytest.raises(ServiceRefusedError) as refused:
        world.client.send_video(made, 0, film(), media_type="video/x-msvideo")
    assert refused.value.code == "unsupported_media_type"
    assert world.client.send_video(made, 0, film(), media_type="video/webm").passed == 1


def test_no_video_is_decoded_for_a_stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    world = FaceWorld()
    made, other = begun(world), begun(world)
    monkeypatch.setattr("subprocess.run", None)
    stranger = StartedTest(
        id=made.id,
        capture_token=other.capture_token,
        result_token="",
        page_link="",
        expires_at_ms=0,
    )
    with pytest.raises(ServiceRefusedError) as refused:
        world.client.send_video(stranger, 0, b"\x1a\x45\xdf\xa3", media_type="video/webm")
    assert refused.value.code == "unknown_challenge"


def test_a_video_is_decoded_where_it_has_a_place(
    film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many come at the same time, no more are decoded than faces are looked at."""
    world, steps = FaceWorld(), []
    made, run = begun(world), subprocess.run

    class Place:
        def __enter__(self) -> None:
            steps.append("taken")
            world.clock.advance(seconds=50)

        def __exit__(self, *_: object) -> None:
            steps.append("free")

    def decode(*arguments: Any, **options: Any) -> Any:
        steps.append("decoded")
        return run(*arguments, **options)

    world.challenges._places = Place()  # type: ignore[assignment]
    monkeypatch.setattr("subprocess.run", decode)
    for window, passed in enumerate((1, 2)):
        state = world.client.send_video(made, window, film(), media_type="video/webm")
        assert state.passed == passed
    assert steps == ["taken", "decoded", "free"] * 2

"""Pictures that the real checks can do nothing with: each its own answer, and the test goes on."""

import io
import resource
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from support.face_world import FaceWorld, encode
from support.rendered_person import RenderedCamera, live_person, portrait, seeing_world

from client_sdk.errors import ServiceRefusedError
from client_sdk.face.client import CapturedFrame, StartedTest, TestState
from client_sdk.face.portrait import PortraitOpening
from client_sdk.face.prompts import Prompt
from node.face.vision import Image

CAPTURE_MS = 3_000
SMALL = np.full((120, 160, 3), 128, np.uint8)
# What a hostile picture may cost beyond what was in use: a fit one costs as much.
MOST_MB = 64

Camera = Callable[[Prompt], list[CapturedFrame]]


class Test:
    """A test that was begun, of the person of the portrait."""

    __test__ = False

    def __init__(self) -> None:
        self.world: FaceWorld = seeing_world(most_missed=2)
        self.made: StartedTest = self.world.client.create(
            self.world.new(portrait=PortraitOpening.create(portrait(0)))
        )
        self.state: TestState = self.world.client.start(self.made)
        self.camera = RenderedCamera(self.world, live_person(0))

    def capture(self) -> list[CapturedFrame]:
        """Return what a camera sees of the person, who follows the prompt."""
        assert self.state.prompt is not None
        return self.camera.capture(self.state.prompt, capture_ms=CAPTURE_MS)

    def send(self, frames: list[CapturedFrame]) -> TestState:
        """Answer the prompt."""
        self.state = self.world.client.send_frames(self.made, self.state.window, frames)
        return self.state


@pytest.fixture
def begun() -> Test:
    return Test()


@pytest.fixture
def bounded_memory() -> Iterator[None]:
    """Fail a test that takes more memory than a picture may cost."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    assert grown <= MOST_MB


def to_jpeg(image: Image) -> bytes:
    return cv2.imencode(".jpg", image)[1].tobytes()


def changed(frames: list[CapturedFrame], change: Callable[[Image], Image]) -> list[CapturedFrame]:
    return [
        CapturedFrame(
            time_ms=frame.time_ms,
            jpeg=to_jpeg(
                change(
                    np.asarray(
                        cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_COLOR),
                        dtype=np.uint8,
                    )
                )
            ),
        )
        for frame in frames
    ]


def with_a_friend(image: Image) -> Image:
    half = cv2.resize(image, None, fx=0.5, fy=1.0)
    return np.ascontiguousarray(np.hstack([half, half]))


def without_anybody(image: Image) -> Image:
    # A wall, never twice the same.
    stains = np.random.default_rng(int(image.sum())).integers(90, 160, (12, 16, 3), np.uint8)
    return np.asarray(cv2.resize(stains, image.shape[1::-1]), dtype=np.uint8)


def claiming(side: int, jpeg: bytes) -> bytes:
    """Return a JPEG whose header says that it has so many pixels a side."""
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + struct.pack(">HH", side, side) + jpeg[at + 4 :]


def claiming_jpeg_2000(side: int) -> bytes:
    out = io.BytesIO()
    Pillow.fromarray(SMALL).save(out, "JPEG2000")
    data = out.getvalue()
    at = data.index(b"ihdr") + 4
    return data[:at] + struct.pack(">II", side, side) + data[at + 8 :]


@pytest.mark.parametrize(
    ("change", "code"), [(with_a_friend, "several_faces"), (without_anybody, "no_face")]
)
def test_a_prompt_that_shows_no_one_face_is_missed_and_the_test_goes_on(
    begun: Test, change: Callable[[Image], Image], code: str
) -> None:
    state = begun.send(changed(begun.capture(), change))
    assert (state.window, state.passed, state.code) == (1, 0, code)
    assert state.hint is not None
    assert begun.send(begun.capture()).passed == 1


@pytest.mark.usefixtures("bounded_memory")
@pytest.mark.parametrize(
    "jpeg",
    [
        claiming(60_000, to_jpeg(SMALL)),
        claiming(6_000, to_jpeg(SMALL)),
        to_jpeg(SMALL[:40, :40]),
        to_jpeg(SMALL)[:300],
    ],
    ids=["bomb", "huge", "tiny", "cut"],
)
def test_a_frame_that_is_no_fit_picture_is_refused_and_the_prompt_can_be_answered(
    begun: Test, jpeg: bytes
) -> None:
    frames = begun.capture()
    answer = begun.world.flask.post(
        f"/challenges/{begun.made.id}/windows/0",
        json={"frames": [{"time_ms": f.time_ms, "jpeg": encode(jpeg)} for f in frames]},
        headers={"Authorization": f"Bearer {begun.made.capture_token}"},
    )
    assert (answer.status_code, answer.get_json()["code"]) == (422, "not_an_image")
    assert begun.send(frames).passed == 1


@pytest.mark.usefixtures("bounded_memory")
@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (claiming(60_000, to_jpeg(SMALL)), "pixels"),
        (claiming(6_000, to_jpeg(SMALL)), "6000 x 6000 pixels"),
        (claiming_jpeg_2000(3_000), "3000 x 3000 pixels"),
        (to_jpeg(SMALL), "no face was found"),
    ],
    ids=["bomb", "huge", "huge JPEG 2000", "nobody"],
)
def test_a_portrait_that_is_none_makes_no_test(picture: bytes, said: str) -> None:
    world = seeing_world()
    with pytest.raises(ServiceRefusedError, match=said) as refused:
        world.client.create(world.new(portrait=PortraitOpening.create(picture)))
    assert refused.value.code == "unfit_portrait"


def film(folder: Path, codec: str, container: str) -> bytes:
    """Return two seconds of a wall."""
    path = folder / f"wall.{container}"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 20, (320, 240))
    for at in range(40):
        writer.write(np.full((240, 320, 3), 90 + at, np.uint8))
    writer.release()
    return path.read_bytes()


def test_a_video_of_a_wall_shows_no_face_and_one_of_another_codec_is_not_decoded(
    begun: Test, tmp_path: Path
) -> None:
    send = begun.world.client.send_video
    with pytest.raises(ServiceRefusedError) as refused:
        send(begun.made, 0, film(tmp_path, "mp4v", "mp4"), media_type="video/mp4")
    assert refused.value.code == "wrong_codec"
    begun.world.clock.advance(seconds=2)
    begun.state = send(begun.made, 0, film(tmp_path, "VP80", "webm"), media_type="video/webm")
    assert (begun.state.window, begun.state.passed, begun.state.code) == (1, 0, "no_face")
    assert begun.send(begun.capture()).passed == 1

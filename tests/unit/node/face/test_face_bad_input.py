"""What is no face test's: each its own answer, and nothing is lost by it."""

import io
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support.face_world import ACCOUNT, PORTRAIT, REQUEST_HASH, FaceWorld, encode

from client_sdk.face.client import CapturedFrame, StartedTest
from client_sdk.face.portrait import PortraitOpening
from node.face.uploads import MAX_BODY_BYTES, MAX_FRAMES
from node.web.server import WebServer

JPEG = encode(b"\xff\xd8\xff\xe0")


@pytest.fixture
def world() -> FaceWorld:
    return FaceWorld()


@pytest.fixture
def made(world: FaceWorld) -> StartedTest:
    made = world.client.create(world.new())
    world.client.start(made)
    return made


def post(world: FaceWorld, made: StartedTest, body: object) -> Any:
    return world.flask.post(
        f"/challenges/{made.id}/windows/0",
        json=body,
        headers={"Authorization": f"Bearer {made.capture_token}"},
    )


def challenge(**changes: Any) -> dict[str, Any]:
    return {
        "audience": "agents",
        "purpose": "tegata-recovery",
        "account": ACCOUNT,
        "portrait": PortraitOpening.create(PORTRAIT).disclosure,
        "request_hash": REQUEST_HASH,
        **changes,
    }


@pytest.mark.parametrize(
    ("frames", "status", "code"),
    [
        ([{"time_ms": 1, "jpeg": encode(b"GIF89a, not a JPEG")}], 422, "not_an_image"),
        ([{"time_ms": 1, "jpeg": encode(b"\xff\xd8\xff broken")}], 422, "not_an_image"),
        ([{"time_ms": 1, "jpeg": "AAAAA"}], 422, "not_an_image"),
        ([{"time_ms": 1, "jpeg": "*not base64url*"}], 422, "invalid_fields"),
        ([{"time_ms": -1, "jpeg": JPEG}], 422, "invalid_fields"),
        ([{"time_ms": 1}], 422, "invalid_fields"),
        ([{"time_ms": 1, "jpeg": "A" * 450_000}], 422, "invalid_fields"),
        ([], 422, "invalid_fields"),
        ([{"time_ms": at, "jpeg": JPEG} for at in range(MAX_FRAMES + 1)], 422, "invalid_fields"),
    ],
)
def test_frames_that_are_none_are_refused_and_the_prompt_can_be_answered_again(
    world: FaceWorld, made: StartedTest, frames: list[Any], status: int, code: str
) -> None:
    answer = post(world, made, {"frames": frames})
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)
    assert answer.content_type == "application/problem+json"
    state = world.client.send_frames(made, 0, world.frames())
    assert (state.window, state.passed) == (1, 1)


def test_a_body_that_is_too_long_is_refused(world: FaceWorld, made: StartedTest) -> None:
    frame = {"time_ms": 1, "jpeg": "A" * 400_000}
    body = json.dumps({"frames": [frame] * 11})
    assert len(body) > MAX_BODY_BYTES
    assert post(world, made, {"frames": [frame] * 11}).status_code == 413
    assert world.client.send_frames(made, 0, world.frames()).passed == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"portrait": PortraitOpening.create(b"\xff\xd8\xff no face \xff\xd9").disclosure},
         "unfit_portrait"),
        ({"portrait": encode(b'["c2FsdHNhbHRzYWx0c2FsdA", "name", "Aiko"]')}, "invalid_portrait"),
        ({"portrait": encode(b'["short", "portrait", "data:image/jpeg;base64,/9j/2Q=="]')},
         "invalid_portrait"),
        ({"portrait": encode(b'["c2FsdHNhbHRzYWx0c2FsdA", "portrait", "data:text/html,x"]')},
         "invalid_portrait"),
        ({"portrait": "*"}, "invalid_portrait"),
        ({"account": "Aiko Tanaka"}, "invalid_fields"),
        ({"request_hash": "short"}, "invalid_fields"),
        ({"request_hash": None}, "invalid_fields"),
        ({"holder_key": "B" * 43}, "invalid_fields"),
        ({"purpose": "Whatever It Takes"}, "invalid_fields"),
        ({"more": 1}, "invalid_fields"),
    ],
)  # fmt: skip
def test_a_test_of_nothing_is_not_made(
    world: FaceWorld, changes: dict[str, Any], code: str
) -> None:
    answer = world.flask.post("/challenges", json=challenge(**changes))
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)


def test_a_portrait_is_in_no_refusal(world: FaceWorld) -> None:
    body = challenge(portrait=PortraitOpening.create(b"\xff\xd8\xff secret \xff\xd9").disclosure)
    answer = world.flask.post("/challenges", json=body)
    assert answer.status_code == 422
    assert body["portrait"] not in answer.text
    assert "secret" not in answer.text


@contextmanager
def served(world: FaceWorld) -> Iterator[tuple[str, int]]:
    server = WebServer(
        world.app, "127.0.0.1:0", threads=2, connections=8, memory_body_bytes=MAX_BODY_BYTES
    )
    loop = threading.Thread(target=server.run)
    loop.start()
    host, _, port = server.address.rpartition(":")
    try:
        yield host, int(port)
    finally:
        server.stop()
        loop.join(60)


def test_a_slow_client_holds_nobody_up_and_no_body_is_in_a_file(
    world: FaceWorld, made: StartedTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of a long body comes, and no more; others are answered meanwhile."""
    files: list[object] = []

    def spool(*options: object, **_more: object) -> io.BytesIO:
        files.append(options)
        return io.BytesIO()

    monkeypatch.setattr("tempfile.TemporaryFile", spool)
    head = (
        f"POST /challenges/{made.id}/windows/0 HTTP/1.1\r\nHost: face.example\r\n"
        f"Authorization: Bearer {made.capture_token}\r\nContent-Type: application/json\r\n"
    )
    frames = world.frames(20, content=bytes(60_000))
    body = json.dumps(
        {"frames": [{"time_ms": f.time_ms, "jpeg": encode(f.jpeg)} for f in frames]}
    ).encode()
    assert len(body) > 1 << 20
    with served(world) as address:
        slow = [socket.create_connection(address) for _ in range(4)]
        for connection in slow:
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:-10])
        with socket.create_connection(address) as quick:
            quick.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert quick.makefile("rb").readline().startswith(b"HTTP/1.1 200")
        slow[0].sendall(body[-10:])
        assert slow[0].makefile("rb").readline().startswith(b"HTTP/1.1 200")
        for connection in slow:
            connection.close()
    assert world.client.read(made).passed == 1
    assert files == []


def test_a_frame_of_another_test_is_another_tests(world: FaceWorld, made: StartedTest) -> None:
    """What one test saw is nothing to the next: each has its own portrait and its own prompts."""
    other = world.client.create(world.new())
    world.client.start(other)
    frames = [CapturedFrame(time_ms=f.time_ms, jpeg=f.jpeg) for f in world.frames()]
    assert world.client.send_frames(made, 0, frames).passed == 1
    assert world.client.read(other).passed == 0

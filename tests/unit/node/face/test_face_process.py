"""The face service as a process of its own: no face is ever on its disk, and ten come at a time."""

import json
import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import pytest
from click.testing import CliRunner
from support.face_world import AUDIENCE, REQUEST_HASH, encode
from support.processes import NodeProcess
from support.rendered_person import Clip, live_person, portrait

from client_sdk.errors import FaceTestRefusedError
from client_sdk.face.capture import run_test
from client_sdk.face.client import CapturedFrame, FaceClient, NewTest
from client_sdk.face.portrait import PortraitOpening
from client_sdk.face.prompts import Prompt
from client_sdk.http.client import HttpClient
from node.cli.main import tegata

MARK = b"a-mark-that-stands-in-every-frame"
START = (sys.executable, "-m", "node.cli.main", "face", "start")


class Service:
    """A face service as an operator runs it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "face"
        made = CliRunner().invoke(
            tegata,
            [
                *("face", "init", str(self.folder), "--name", "face.example"),
                *("--listen", "127.0.0.1:0", "--public-url", "http://127.0.0.1:8083"),
            ],
        )
        assert made.exit_code == 0, made.output
        with (self.folder / "face.toml").open("a", encoding="utf-8") as file:
            file.write('caller_rate = "100000/minute"\ntest_rate = "1000/hour"\nmost_missed = 5\n')
        self.process = NodeProcess(self.folder, command=START)

    def __enter__(self) -> Self:
        self.process.__enter__()
        self.url = f"http://{self.process.wait_for_log('ready')['address']}"
        return self

    def __exit__(self, *details: object) -> None:
        self.process.__exit__(None, None, None)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        return host, int(port)

    @property
    def peak_mb(self) -> int:
        """The most memory that the process had, in megabytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) // 1024


class LiveCamera:
    """A camera that works as fast as time goes by."""

    def __init__(self) -> None:
        self._takes: Counter[Prompt] = Counter()

    def capture(self, prompt: Prompt, *, capture_ms: int) -> list[CapturedFrame]:
        del capture_ms
        self._takes[prompt] += 1
        clip = take_of(prompt, self._takes[prompt])
        start = time.monotonic_ns() // 1_000_000
        # The person takes as long as a clip lasts; a service is not to be told another time.
        time.sleep((clip[-1].time_ms - clip[0].time_ms) / 1000)
        return [
            CapturedFrame(time_ms=start + frame.time_ms, jpeg=marked(frame.jpeg)) for frame in clip
        ]


def take_of(prompt: Prompt, number: int) -> Clip:
    """Return a clip of a prompt, rendered once for all who show it."""
    return live_person(0)(prompt, 10 * list(Prompt).index(prompt) + number)


def marked(jpeg: bytes) -> bytes:
    """Return a JPEG with a comment in it."""
    return jpeg[:2] + b"\xff\xfe" + (len(MARK) + 2).to_bytes(2) + MARK + jpeg[2:]


def new_test() -> NewTest:
    return NewTest(
        audience=AUDIENCE,
        purpose="tegata-recovery",
        account="h@holder",
        portrait=PortraitOpening.create(marked(portrait(0))),
        request_hash=REQUEST_HASH,
    )


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("HOME", str(tmp_path))
    with Service(tmp_path) as service:
        yield service


def written(service: Service) -> Iterator[tuple[str, bytes]]:
    """Return all that the process has on a disk: its files, and those that it has open."""
    descriptors = Path(f"/proc/{service.process.pid}/fd")
    for path in (*service.home.rglob("*"), *descriptors.iterdir()):
        # The process goes on, and closes files meanwhile.
        with suppress(FileNotFoundError):
            if path.is_file():
                name = path.readlink() if path.parent == descriptors else path
                yield str(name), path.read_bytes()


def test_no_face_is_ever_on_the_disk(service: Service) -> None:
    """Frames and portrait hold a mark: it is looked for while a test is under way, and after."""
    http = HttpClient()
    camera, found = LiveCamera(), []

    def look(*_: object) -> None:
        found.extend(
            name
            for name, content in written(service)
            if MARK in content or b"JFIF" in content or b"Exif" in content
        )

    try:
        assert run_test(FaceClient(service.url, http), new_test(), camera, on_progress=look)
    finally:
        http.close()
    look()
    assert found == []
    # And it would be found: the mark is in what was sent.
    (service.home / "tmp" / "frame").write_bytes(marked(portrait(0)))
    look()
    assert found == [str(service.home / "tmp" / "frame")]
    log = str(service.process.log)
    assert "test_ended" in log
    assert "h@holder" not in log


@contextmanager
def half_sent(service: Service, client: FaceClient) -> Iterator[socket.socket]:
    """Begin a test and send the half of what a camera saw; yield the connection."""
    test = client.create(new_test())
    prompt = client.start(test).prompt
    assert prompt is not None
    frames = [
        {"time_ms": frame.time_ms, "jpeg": encode(frame.jpeg)} for frame in take_of(prompt, 1)
    ]
    body = json.dumps({"frames": frames}).encode()
    head = (
        f"POST /challenges/{test.id}/windows/0 HTTP/1.1\r\nHost: face.example\r\n"
        f"Authorization: Bearer {test.capture_token}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(service.address) as connection:
        connection.sendall(head.encode() + body[: len(body) // 2])
        yield connection
        # Nothing was answered to a half.
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):
            connection.recv(1)


@pytest.mark.skipif(not os.environ.get("TEGATA_SOAK"), reason="make soak")
def test_ten_come_at_a_time_beside_slow_ones_and_none_is_lost(service: Service) -> None:
    for prompt in Prompt:
        for number in (1, 2):
            take_of(prompt, number)
    print(f"at its start {service.peak_mb} MB")

    def come(_: int) -> str:
        http = HttpClient(timeout_s=60)
        try:
            return run_test(FaceClient(service.url, http), new_test(), LiveCamera())
        except FaceTestRefusedError as refused:
            return refused.code
        finally:
            http.close()

    slow_http = HttpClient()
    slow = FaceClient(service.url, slow_http)
    # As many slow ones as are looked at at the same time, and one more.
    with half_sent(service, slow), half_sent(service, slow), half_sent(service, slow):
        started = time.monotonic()
        with ThreadPoolExecutor(10) as pool:
            results = list(pool.map(come, range(10)))
    slow_http.close()
    print(f"{time.monotonic() - started:.1f} s, {service.peak_mb} MB")
    assert [result for result in results if result.count(".") != 2] == []
    assert service.peak_mb < 500

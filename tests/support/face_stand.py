"""A face service on a port of this machine, whose eyes take everybody for who they say they are."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from support.face_world import NAME, FaceWorld, ScriptedExamination, ScriptedVision
from support.issuer_world import Clock

from client_sdk.face.capture import run_test
from client_sdk.face.client import CapturedFrame, NewTest
from client_sdk.face.prompts import Prompt
from node.cli.demo.free_ports import free_addresses
from node.face.challenge import Examination
from node.face.uploads import MAX_BODY_BYTES
from node.web.server import WebServer

_FRAMES: Final = 12


class RealClock(Clock):
    """The machine's clock."""

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000


class RunningClock(Clock):
    """A clock that begins at the time of tests, and goes on as fast as the machine's."""

    def __init__(self) -> None:
        super().__init__()
        self._started_ns = time.monotonic_ns()

    def __call__(self) -> int:
        return self.now_ms + (time.monotonic_ns() - self._started_ns) // 1_000_000


class _TrustingVision(ScriptedVision):
    """Vision that looks at no portrait."""

    def examine(self, portrait: bytes) -> Examination:
        del portrait
        return ScriptedExamination(self)


class _QuickPerson:
    """A person who follows each prompt within milliseconds: the clock goes on as it does."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last_ms = 0

    def capture(self, prompt: Prompt, *, capture_ms: int) -> list[CapturedFrame]:
        del prompt, capture_ms
        start = max(self._clock(), self._last_ms + 1)
        self._last_ms = start + _FRAMES
        return [CapturedFrame(time_ms=start + at, jpeg=b"\xff\xd8\xff") for at in range(_FRAMES)]


class FaceStand:
    """The service.

    Attributes:
        url: Where it is reached, also after it was started again.
        world: Its parts.
    """

    def __init__(self, clock: Clock) -> None:
        (self._address,) = free_addresses(1)
        self.url = f"http://{self._address}"
        self.world = FaceWorld(
            clock=clock, vision=_TrustingVision(), public_url=self.url, capture_seconds=1.0
        )
        self.start()

    def start(self) -> None:
        """Start it. It knows nothing of the tests of before."""
        self.world.challenges._tests.clear()
        server = WebServer(
            self.world.app, self._address, connections=16, memory_body_bytes=MAX_BODY_BYTES
        )
        self._server, self._runner = server, threading.Thread(target=server.run)
        self._runner.start()

    def stop(self) -> None:
        """Stop it."""
        self._server.stop()
        self._runner.join()

    def trust(self, folder: Path) -> str:
        """Write the service's public key; return how a configuration trusts it, TOML."""
        key_file = self.world.trust(folder)["key_file"]
        return (
            f'\n[[face_services]]\nname = "{NAME}"\nkey_file = "{key_file}"\nurl = "{self.url}"\n'
        )

    def have_tested(self, new: NewTest) -> str:
        """Return the word for one who follows each prompt, without a browser."""
        return run_test(self.world.client, new, _QuickPerson(self.world.clock))

    def follow(self, page_link: str) -> None:
        """Pass the test of a page's link, without a browser."""
        state = self.world.follow(page_link, _QuickPerson(self.world.clock))
        assert state.state == "passed"


@contextmanager
def serve_faces(clock: Clock | None = None) -> Iterator[FaceStand]:
    """Serve it, by the machine's clock unless another one is given."""
    faces = FaceStand(clock or RealClock())
    try:
        yield faces
    finally:
        faces.stop()

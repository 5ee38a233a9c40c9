"""A face service on a port of this machine, whose eyes take everybody for who they say they are."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.face_world import NAME, FaceWorld, ScriptedExamination, ScriptedVision
from support.issuer_world import Clock

from node.cli.demo.town import free_addresses
from node.face.challenge import Examination
from node.face.uploads import MAX_BODY_BYTES
from node.web.server import WebServer


class _RealClock(Clock):
    def __call__(self) -> int:
        return time.time_ns() // 1_000_000


class _TrustingVision(ScriptedVision):
    """Vision that looks at no portrait."""

    def examine(self, portrait: bytes) -> Examination:
        del portrait
        return ScriptedExamination(self)


class FaceStand:
    """The service.

    Attributes:
        url: Where it is reached.
    """

    def __init__(self, world: FaceWorld, url: str) -> None:
        self._world = world
        self.url = url

    def trust(self, folder: Path) -> str:
        """Write the service's public key; return how `gateway.toml` trusts it, TOML."""
        key_file = self._world.trust(folder)["key_file"]
        return (
            f'\n[[face_services]]\nname = "{NAME}"\nkey_file = "{key_file}"\nurl = "{self.url}"\n'
        )


@contextmanager
def serve_faces() -> Iterator[FaceStand]:
    """Serve it."""
    (address,) = free_addresses(1)
    url = f"http://{address}"
    world = FaceWorld(
        clock=_RealClock(), vision=_TrustingVision(), public_url=url, capture_seconds=1.0
    )
    server = WebServer(world.app, address, connections=16, memory_body_bytes=MAX_BODY_BYTES)
    runner = threading.Thread(target=server.run)
    runner.start()
    try:
        yield FaceStand(world, url)
    finally:
        server.stop()
        runner.join()

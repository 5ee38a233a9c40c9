"""The face service as a process, with the networks of the package; it serves until stopped."""

import threading
from typing import Final

from node.face.app import create_app
from node.face.config import FaceConfig
from node.face.examiner import Examiner, RandomSeries
from node.face.uploads import MAX_BODY_BYTES
from node.face.vision import FaceModels
from node.jwk_files import load_signing_key
from node.web.server import serve

_PURGE_S: Final = 5.0
THREADS: Final = 16
CONNECTIONS: Final = 32
"""How many callers are connected beside those: each may have a body of frames in memory."""


def run_face(config: FaceConfig) -> None:
    """Serve until SIGTERM or SIGINT. Tests whose time is over are forgotten meanwhile.

    Raises:
        ConfigError: The configuration, the key or the address cannot be used.
        ModelError: A network is missing or altered.
    """
    signing_key = load_signing_key(config.signing_key_file)
    vision = Examiner(
        FaceModels.load(),
        detector=config.detector,
        detector_threshold=config.detector_threshold,
    )
    app, challenges = create_app(
        config, vision=vision, series=RandomSeries(), signing_key=signing_key
    )
    stopped = threading.Event()

    def purge() -> None:
        while not stopped.wait(_PURGE_S):
            challenges.purge()

    purger = threading.Thread(target=purge, name="purge")
    purger.start()
    try:
        serve(
            app,
            config.listen,
            service="face",
            threads=THREADS,
            metrics=config.metrics,
            trusted_proxy=config.trusted_proxy,
            connections=CONNECTIONS,
            # A frame must never be in a file: what comes stays in memory, whatever its length.
            memory_body_bytes=MAX_BODY_BYTES,
        )
    finally:
        stopped.set()
        purger.join()

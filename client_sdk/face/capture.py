"""Making a face test with an application's own camera."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, Protocol

from client_sdk.errors import FaceTestRefusedError, TransportError
from client_sdk.face.client import (
    CapturedFrame,
    FaceClient,
    NewTest,
    StartedTest,
    TestState,
    attestation_of,
)
from client_sdk.face.prompts import Prompt

_TRIES: Final = 3


class CaptureSource(Protocol):
    """A camera, and a screen before the person."""

    def capture(self, prompt: Prompt, *, capture_ms: int) -> Sequence[CapturedFrame]:
        """Show a prompt, and return what the camera sees of it: ten pictures a second or more.

        It begins with the face straight ahead.
        """


def run_test(
    client: FaceClient,
    new: NewTest,
    source: CaptureSource,
    *,
    on_progress: Callable[[TestState], None] = lambda _: None,
) -> str:
    """Have a face tested, and return the attestation.

    What does not arrive is sent again: the service takes each window once.

    Args:
        client: The face service.
        new: What the test is for.
        source: The camera.
        on_progress: Told of each state: which prompt comes, what went wrong with the last one.

    Raises:
        FaceTestRefusedError: The test was not passed; the text says what to do better.
        ServiceRefusedError: The service does not take it.
        TransportError: The service cannot be reached.
    """
    test = client.create(new)
    state = client.start(test)
    while state.prompt is not None:
        on_progress(state)
        frames = source.capture(state.prompt, capture_ms=state.capture_ms)
        state = _send(client, test, state.window, frames)
    on_progress(state)
    attestation_of(state)
    attestation = client.fetch_attestation(test)
    if attestation is None:
        raise FaceTestRefusedError("the face test has not ended", code="not_decided", words={})
    return attestation


def _send(
    client: FaceClient, test: StartedTest, window: int, frames: Sequence[CapturedFrame]
) -> TestState:
    for _ in range(_TRIES - 1):
        with suppress(TransportError):
            return client.send_frames(test, window, frames)
    return client.send_frames(test, window, frames)

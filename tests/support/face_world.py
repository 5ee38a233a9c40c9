"""A face service in this process, whose eyes a test opens and shuts."""

import base64
import gc
import json
import weakref
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from flask.testing import FlaskClient
from support.issuer_world import Clock

from client_sdk.credentials.jose import export_public_jwk, generate_key
from client_sdk.errors import TransportError
from client_sdk.face.capture import CaptureSource
from client_sdk.face.client import CapturedFrame, FaceClient, NewTest, StartedTest, TestState
from client_sdk.face.portrait import PortraitOpening
from client_sdk.face.prompts import Prompt
from client_sdk.http.client import HttpAnswer, HttpClient
from node.errors import ImageError
from node.face.app import create_app
from node.face.challenge import Examination, Frame, Series, Vision
from node.face.config import FaceConfig

URL: Final = "https://face.example"
NAME: Final = "face.example"
ACCOUNT: Final = "h0123456789abcdefghij@holder"
AUDIENCE: Final = "agents-of-a-holder"
REQUEST_HASH: Final = "A" * 43
PORTRAIT: Final = b"\xff\xd8\xff\xe0 a portrait, to this vision \xff\xd9"
SERIES: Final = (Prompt.LOOK_LEFT, Prompt.SMILE, Prompt.LOOK_UP)


class _Follower:
    """A person who follows each prompt, before the world's camera."""

    def __init__(self, world: "FaceWorld") -> None:
        self._world = world

    def capture(self, prompt: Prompt, *, capture_ms: int) -> list[CapturedFrame]:
        del prompt, capture_ms
        return self._world.frames()


class ScriptedExamination:
    """Finds what it was told to find."""

    def __init__(self, vision: "ScriptedVision") -> None:
        self._vision = vision

    def judge_prompt(self, prompt: Prompt, frames: Iterable[Frame]) -> str | None:
        seen = [frame.data for frame in frames]
        if any(b"broken" in data for data in seen):
            raise ImageError("the picture cannot be read")
        self._vision.judged.append(prompt)
        return self._vision.reasons.pop(0) if self._vision.reasons else None

    def conclude(self) -> str | None:
        return self._vision.conclusion


class ScriptedVision:
    """Vision without eyes.

    Attributes:
        reasons: What is wrong with the next prompts; None for nothing.
        conclusion: What is wrong with the whole.
        judged: The prompts that were judged.
        examinations: What has not been forgotten.
    """

    checks: tuple[str, ...] = ("prompts", "portrait_match")
    thresholds: Mapping[str, float] = {"portrait_match": 0.64}

    def __init__(self) -> None:
        self.reasons: list[str | None] = []
        self.conclusion: str | None = None
        self.judged: list[Prompt] = []
        self.examinations: weakref.WeakSet[ScriptedExamination] = weakref.WeakSet()

    def examine(self, portrait: bytes) -> Examination:
        if b"a portrait" not in portrait:
            raise ImageError("no face was found in the portrait")
        examination = ScriptedExamination(self)
        self.examinations.add(examination)
        return examination

    @property
    def remembered(self) -> int:
        """How many faces are still known."""
        gc.collect()
        return len(self.examinations)


class FixedSeries:
    """Prompts that a test foresees."""

    def draw(self) -> tuple[Prompt, ...]:
        return SERIES

    def redraw(self, series: tuple[Prompt, ...], missed: int) -> tuple[Prompt, ...]:
        instead = Prompt.BLINK if series[missed] is not Prompt.BLINK else Prompt.LOOK_DOWN
        return (*series[:missed], instead, *series[missed + 1 :])


class FaceHttp(HttpClient):
    """Reaches the service without a network.

    Attributes:
        lost: How many of the next answers are lost on their way.
    """

    def __init__(self, client: FlaskClient) -> None:
        super().__init__()
        self._flask = client
        self.lost = 0

    def _send(self, method: str, url: str, **options: Any) -> HttpAnswer:
        answer = self._flask.open(
            urlsplit(url).path, method=method, headers=options["headers"], data=options.get("data")
        )
        if self.lost:
            self.lost -= 1
            raise TransportError("the answer was lost")
        return HttpAnswer(status=answer.status_code, media_type=answer.mimetype, body=answer.data)


class FaceWorld:
    """A service, its clock and its callers."""

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        vision: Vision | None = None,
        series: Series | None = None,
        **settings: Any,
    ) -> None:
        self.clock = clock or Clock()
        self.vision = ScriptedVision()
        self.key = generate_key()
        self.config = FaceConfig.model_validate(
            {
                "name": NAME,
                "operator": "The city",
                "public_url": URL,
                "test_rate": "1000/hour",
                **settings,
            }
        )
        self.app, self.challenges = create_app(
            self.config,
            vision=vision or self.vision,
            series=series or FixedSeries(),
            signing_key=self.key,
            now_ms=self.clock,
        )
        self.address = URL
        self.flask = self.app.test_client()
        self.http = FaceHttp(self.flask)
        self.client = FaceClient(URL, self.http)
        self._last_ms = 0

    def new(self, **changes: Any) -> NewTest:
        fields: dict[str, Any] = {
            "audience": AUDIENCE,
            "purpose": "tegata-recovery",
            "account": ACCOUNT,
            "portrait": PortraitOpening.create(PORTRAIT),
            "request_hash": REQUEST_HASH,
            **changes,
        }
        return NewTest(**fields)

    def frames(self, count: int = 12, *, content: bytes = b"") -> list[CapturedFrame]:
        """Let a second go by, and return what a camera saw of it."""
        self.clock.advance(seconds=1)
        start = max(self.clock() - 1000, self._last_ms + 1)
        step = 1000 // max(count, 1)
        found = [
            CapturedFrame(time_ms=start + step * at, jpeg=b"\xff\xd8\xff" + content)
            for at in range(count)
        ]
        self._last_ms = found[-1].time_ms if found else self._last_ms
        return found

    @property
    def person(self) -> CaptureSource:
        """A person who follows each prompt."""
        return _Follower(self)

    def follow(self, page_link: str, person: CaptureSource | None = None) -> TestState:
        """Make the test of a page's link, as the page does, with a person before the camera."""
        person = person or self.person
        test_id, _, capture_token = page_link.partition("#")[2].partition(".")
        test = StartedTest(
            id=test_id,
            capture_token=capture_token,
            result_token="",
            page_link=page_link,
            expires_at_ms=0,
        )
        state = self.client.start(test)
        while state.prompt is not None:
            frames = person.capture(state.prompt, capture_ms=state.capture_ms)
            state = self.client.send_frames(test, state.window, frames)
        return state

    def trust(self, folder: Path) -> dict[str, Any]:
        """Write the service's public key; return how a configuration trusts it."""
        key_file = folder / "face.jwk"
        key_file.write_text(json.dumps(export_public_jwk(self.key)))
        return {"name": NAME, "key_file": str(key_file)}


def encode(data: bytes) -> str:
    """Return bytes in base64url, as uploads hold them."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

"""An application's connection to a face service."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from chaincode.encoding import JsonObject, encode_base64url
from client_sdk.errors import FaceTestRefusedError, ServiceRefusedError, TransportError
from client_sdk.face.portrait import PortraitOpening
from client_sdk.face.prompts import Prompt
from client_sdk.http.client import HttpAnswer, HttpClient
from client_sdk.strict_json import JsonFields

_WHAT: Final = "the face service's answer"
_OUT_OF_ORDER: Final = (502, 503, 504)


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedFrame:
    """One picture of the camera.

    Attributes:
        time_ms: When it was taken, by any clock that goes on evenly.
        jpeg: The picture, at most 300 kB and 1,280 pixels a side.
    """

    time_ms: int
    jpeg: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTest:
    """What a test is for; with either a request hash, or a key.

    Attributes:
        audience: Who is to take the attestation.
        purpose: What for.
        account: The holder's ledger account.
        portrait: What the face is compared with.
        request_hash: The one request that it is for.
        holder_key: Thumbprint of the key that an attestation of a recent test is bound to.
    """

    audience: str
    purpose: str
    account: str
    portrait: PortraitOpening = field(repr=False)
    request_hash: str | None = None
    holder_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedTest:
    """A test that waits for a face.

    Attributes:
        id: What the service knows it by.
        capture_token: Who has it can show a face, and learns no attestation.
        result_token: Who has it can fetch the attestation.
        page_link: A page with a camera that makes the test; it holds the capture token.
        expires_at_ms: Until when it can be begun; milliseconds since 1970, UTC.
    """

    id: str
    capture_token: str = field(repr=False)
    result_token: str = field(repr=False)
    page_link: str = field(repr=False)
    expires_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TestState:
    """How far a test is.

    Attributes:
        state: `waiting`, `prompting`, `passed`, `refused` or `expired`.
        window: The number of the prompt that is shown, from 0; each answer is to one.
        prompt: What to do now; None where there is nothing to do.
        passed: How many prompts were followed.
        needed: How many there are to follow.
        capture_ms: How long to capture for a prompt.
        hint: What went wrong last, in words for the person, by language; empty where nothing did.
        code: The same for programs; None where nothing did.
        attestation: The service's word, for the one who has the result token, once passed.
    """

    __test__ = False  # It is no test of pytest's.

    state: str
    window: int
    prompt: Prompt | None
    passed: int
    needed: int
    capture_ms: int
    hint: dict[str, str]
    code: str | None
    attestation: str | None = field(default=None, repr=False)


class FaceClient:
    """One face service. Each method may raise TransportError, or ServiceRefusedError."""

    def __init__(self, url: str, http: HttpClient) -> None:
        """Prepare a connection.

        Args:
            url: The service's public address.
            http: How it is reached.
        """
        self.url = url.rstrip("/")
        self._http = http

    def create(self, new: NewTest) -> StartedTest:
        """Make a test. The portrait goes to the service, which forgets it with the verdict."""
        body: JsonObject = {
            "audience": new.audience,
            "purpose": new.purpose,
            "account": new.account,
            "portrait": new.portrait.disclosure,
        }
        if new.request_hash is not None:
            body["request_hash"] = new.request_hash
        if new.holder_key is not None:
            body["holder_key"] = new.holder_key
        answer = self._http.post_json(f"{self.url}/challenges", body)
        fields = JsonFields(_content(answer, 201), what=_WHAT, error=TransportError)
        return StartedTest(
            id=fields.text("id"),
            capture_token=fields.text("capture_token"),
            result_token=fields.text("result_token"),
            page_link=fields.text("page_link"),
            expires_at_ms=fields.whole("expires_at_ms"),
        )

    def start(self, test: StartedTest) -> TestState:
        """Begin: the person has consented and is in front of the camera. The time runs now."""
        answer = self._http.post_json(
            f"{self.url}/challenges/{test.id}/start", {}, bearer=test.capture_token
        )
        return _state(answer)

    def send_frames(
        self, test: StartedTest, window: int, frames: Sequence[CapturedFrame]
    ) -> TestState:
        """Send what the camera saw of a prompt; sending the same again does no harm."""
        body: JsonObject = {
            "frames": [
                {"time_ms": frame.time_ms, "jpeg": encode_base64url(frame.jpeg)} for frame in frames
            ]
        }
        answer = self._http.post_json(
            f"{self.url}/challenges/{test.id}/windows/{window}", body, bearer=test.capture_token
        )
        return _state(answer)

    def send_video(
        self, test: StartedTest, window: int, video: bytes, *, media_type: str
    ) -> TestState:
        """Send a short video of a prompt instead of frames.

        Args:
            test: The test.
            window: The prompt's number.
            video: At most 3 MB.
            media_type: `video/webm` or `video/mp4`.
        """
        answer = self._http.send(
            "PUT",
            f"{self.url}/challenges/{test.id}/windows/{window}/video",
            body=video,
            headers={
                "Authorization": f"Bearer {test.capture_token}",
                "Content-Type": media_type,
            },
        )
        return _state(answer)

    def read(self, test: StartedTest) -> TestState:
        """Return how far a test is, with the attestation once it is passed."""
        return _state(self._http.get(f"{self.url}/challenges/{test.id}", bearer=test.result_token))

    def fetch_attestation(self, test: StartedTest) -> str | None:
        """Return the attestation of a test; None while it is not decided.

        Raises:
            FaceTestRefusedError: It was not passed; the text says what to do better.
        """
        return attestation_of(self.read(test))


def attestation_of(state: TestState) -> str | None:
    """Return the attestation that a state holds; None while it is not decided.

    Raises:
        FaceTestRefusedError: The test was not passed.
    """
    if state.state in ("refused", "expired"):
        raise FaceTestRefusedError(
            state.hint.get("en", "the face test was not passed"),
            code=state.code or state.state,
            words=state.hint,
        )
    return state.attestation


def _state(answer: HttpAnswer) -> TestState:
    content = _content(answer, 200)
    fields = JsonFields(content, what=_WHAT, error=TransportError)
    prompt, hint = fields.optional_text("prompt"), content.get("hint")
    try:
        shown = None if prompt is None else Prompt(prompt)
    except ValueError:
        raise TransportError(f"{_WHAT}: a prompt that this version does not know") from None
    return TestState(
        state=fields.text("state"),
        window=fields.whole("window"),
        prompt=shown,
        passed=fields.whole("passed"),
        needed=fields.whole("needed"),
        capture_ms=fields.whole("capture_ms"),
        hint=(
            {name: text for name, text in hint.items() if isinstance(text, str)}
            if isinstance(hint, dict)
            else {}
        ),
        code=fields.optional_text("code"),
        attestation=fields.optional_text("attestation"),
    )


def _content(answer: HttpAnswer, expected_status: int) -> JsonObject:
    content = answer.json()
    title, detail = content.get("title", ""), content.get("detail", "")
    if answer.status in _OUT_OF_ORDER:
        raise TransportError(
            f"the face service is out of order (HTTP {answer.status}): {title}. {detail}; later?"
        )
    if answer.status != expected_status:
        raise ServiceRefusedError(
            f"the face service refused (HTTP {answer.status}): {title}. {detail}",
            code=str(content.get("code", "")),
        )
    return content

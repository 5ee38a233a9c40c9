"""The face service's HTTP interface: for applications that want a test, and for cameras."""

from importlib.metadata import version
from typing import Annotated, Any, Final, Self, TypeAlias

from flask import Response, jsonify, request
from flask_openapi.models.media_type import MediaType
from flask_openapi.models.request_body import RequestBody
from flask_openapi.models.security_scheme import SecurityScheme
from flask_openapi.models.tag import Tag
from flask_openapi.openapi import OpenAPI
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from chaincode.ids import ACCOUNT_ID
from client_sdk.errors import CredentialFormatError
from client_sdk.face.portrait import MAX_OPENING_CHARS, PortraitOpening
from node.errors import ApiError
from node.face.challenges import Challenges, OpenTest
from node.face.uploads import MAX_BODY_BYTES, MAX_FRAME_CHARS, MAX_FRAMES, read_frames
from node.face.video import MEDIA_TYPES, read_video
from node.face.words import words_for
from node.web.app import create_api
from node.web.bearer import bearer_token, unauthorized
from node.web.problems import problems

_Tags: TypeAlias = "list[Tag | dict[str, Any]]"
_APPLICATION: Final[_Tags] = [{"name": "application"}]
_CAMERA: Final[_Tags] = [{"name": "camera"}]
_SECURITY: Final[list[dict[str, list[str]]]] = [{"test_token": []}]
_HASH: Final = r"^[A-Za-z0-9_-]{43}$"
_REFUSALS: Final = problems(400, 401, 404, 409, 410, 413, 415, 422, 429, 503)

Hash = Annotated[str, StringConstraints(pattern=_HASH)]


def _whole(value: object) -> object:
    # In JSON 1.0 is the same number as 1.
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ServiceDescription(_Body):
    """Who this service is."""

    name: str = Field(description="What attestations name as `iss`.")
    operator: str = Field(description="Who runs it.")
    verification_key: dict[str, str] = Field(description="The public JWK of attestations.")


class NewChallenge(_Body):
    """What a test is for."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        json_schema_extra={"oneOf": [{"required": ["request_hash"]}, {"required": ["holder_key"]}]},
    )

    audience: str = Field(
        min_length=1, max_length=300, pattern=r"^[!-~]+$", description="Who takes the attestation."
    )
    purpose: str = Field(pattern=r"^[a-z0-9-]{1,64}$", description="Such as `tegata-recovery`.")
    account: Annotated[str, StringConstraints(pattern=f"^{ACCOUNT_ID.pattern}$", max_length=320)]
    portrait: str = Field(
        min_length=1,
        max_length=MAX_OPENING_CHARS,
        description="The SD-JWT disclosure of the claim `portrait`: its digest is the commitment.",
    )
    request_hash: Hash | SkipJsonSchema[None] = Field(
        default=None,
        json_schema_extra=_without_default,
        description="For one request: its SHA-256, base64url.",
    )
    holder_key: Hash | SkipJsonSchema[None] = Field(
        default=None,
        json_schema_extra=_without_default,
        description="For a recent test: the thumbprint of the holder's key (RFC 7638).",
    )

    @model_validator(mode="after")
    def _one_binding(self) -> Self:
        given = self.model_fields_set & {"request_hash", "holder_key"}
        if len(given) != 1 or (self.request_hash is None and self.holder_key is None):
            raise ValueError("either request_hash or holder_key is expected")
        return self


class ChallengeMade(_Body):
    """A test that waits for a face."""

    id: str
    capture_token: str = Field(description="For the one who shows a face.")
    result_token: str = Field(description="For the one who gets the attestation.")
    page_link: str = Field(description="A page with a camera; it holds the capture token.")
    portrait_commitment: str
    expires_at_ms: int = Field(description="Until when it can be begun.")


class Words(_Body):
    """What a person is told."""

    ja: str
    en: str


class ChallengeState(_Body):
    """How far a test is."""

    state: str = Field(description="`waiting`, `prompting`, `passed`, `refused` or `expired`.")
    window: int = Field(description="The number of the prompt that is shown, from 0.")
    prompt: str | None = Field(description="What to do now; left and right are the person's own.")
    passed: int = Field(description="How many prompts were followed.")
    needed: int = Field(description="How many there are to follow.")
    capture_ms: int = Field(description="How long to capture for a prompt.")
    code: str | None = Field(description="What went wrong last.")
    hint: Words | None = Field(description="The same for a person.")
    attestation: str | None = Field(
        description="The signed word, for the bearer of the result token, once passed."
    )


class FrameUpload(_Body):
    """One picture of the camera."""

    time_ms: Whole = Field(ge=0, lt=1 << 53, description="When it was taken, by an even clock.")
    jpeg: str = Field(
        min_length=4,
        max_length=MAX_FRAME_CHARS,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="A JPEG in base64url.",
    )


class WindowUpload(_Body):
    """What the camera saw of a prompt."""

    frames: list[FrameUpload] = Field(min_length=1, max_length=MAX_FRAMES)


class ChallengePath(BaseModel):
    """A test."""

    id: str = Field(pattern=r"^[0-9a-f]{32}$")


class WindowPath(ChallengePath):
    """One prompt of a test."""

    window: int = Field(ge=0, le=1000)


def create_routes(
    challenges: Challenges,
    *,
    description: ServiceDescription,
    public_url: str,
    capture_ms: int,
) -> OpenAPI:
    """Make an application with the service's routes.

    Args:
        challenges: The tests.
        description: Who the service is.
        public_url: Where browsers reach it.
        capture_ms: How long the camera is watched for each prompt.
    """
    app = create_api(
        "face",
        version("tegata"),
        title="Tegata face service",
        description="Tests that the person of a portrait is there, and signs that for one request.",
        max_body_bytes=MAX_BODY_BYTES,
        security_schemes={"test_token": SecurityScheme(type="http", scheme="bearer")},
    )

    @app.get("/service", responses={200: ServiceDescription}, tags=_APPLICATION)
    def describe_service() -> Response:
        """Say who this service is."""
        return jsonify(description.model_dump(mode="json"))

    @app.post("/challenges", responses={201: ChallengeMade, **_REFUSALS}, tags=_APPLICATION)
    def create_challenge(body: NewChallenge) -> tuple[Response, int]:
        """Make a face test."""
        made = challenges.create(
            _read_portrait(body.portrait),
            audience=body.audience,
            purpose=body.purpose,
            account=body.account,
            request_hash=body.request_hash,
            holder_key=body.holder_key,
        )
        answer = ChallengeMade(
            id=made.test.id,
            capture_token=made.capture_token,
            result_token=made.result_token,
            # A fragment is sent to no server, and stands in no log.
            page_link=f"{public_url}/test#{made.test.id}.{made.capture_token}",
            portrait_commitment=made.test.terms.portrait_commitment,
            expires_at_ms=made.test.until_ms,
        )
        return jsonify(answer.model_dump()), 201

    def answer_with(test: OpenTest, *, with_attestation: bool = False) -> Response:
        challenge = test.challenge
        code = challenge.code
        state = ChallengeState(
            state=challenge.state,
            window=challenge.window,
            prompt=challenge.prompt,
            passed=challenge.passed,
            needed=challenge.needed,
            capture_ms=capture_ms,
            code=code,
            hint=None if code is None else Words(**words_for(code)),
            attestation=test.attestation if with_attestation else None,
        )
        return jsonify(state.model_dump(mode="json"))

    @app.get(
        "/challenges/<id>",
        responses={200: ChallengeState, **_REFUSALS},
        security=_SECURITY,
        tags=_APPLICATION,
    )
    def read_challenge(path: ChallengePath) -> Response:
        """Read how far a test is; with the result token also the attestation."""
        test, with_attestation = challenges.read(path.id, _token())
        return answer_with(test, with_attestation=with_attestation)

    @app.post(
        "/challenges/<id>/start",
        responses={200: ChallengeState, **_REFUSALS},
        security=_SECURITY,
        tags=_CAMERA,
    )
    def start_challenge(path: ChallengePath) -> Response:
        """Begin: the person has consented and is before the camera. Shows the first prompt."""
        return answer_with(challenges.start(path.id, _token()))

    @app.post(
        "/challenges/<id>/windows/<int:window>",
        responses={200: ChallengeState, **_REFUSALS},
        security=_SECURITY,
        tags=_CAMERA,
    )
    def send_frames(path: WindowPath, body: WindowUpload) -> Response:
        """Send what the camera saw of a prompt; it shows the next one. It is taken once."""
        frames = read_frames((frame.time_ms, frame.jpeg) for frame in body.frames)
        test = challenges.answer(path.id, _token(), path.window, frames, follows=True)
        return answer_with(test)

    @app.put(
        "/challenges/<id>/windows/<int:window>/video",
        responses={200: ChallengeState, **_REFUSALS},
        request_body=_video_body(),
        security=_SECURITY,
        tags=_CAMERA,
    )
    def send_video(path: WindowPath) -> Response:
        """Send a short video of a prompt instead of frames."""
        frames = read_video(request.get_data())
        test = challenges.answer(path.id, _token(), path.window, frames, follows=False)
        return answer_with(test)

    return app


def _token() -> str:
    token = bearer_token()
    if token is None:
        raise unauthorized("One of the test's tokens is needed")
    return token


def _read_portrait(disclosure: str) -> PortraitOpening:
    try:
        return PortraitOpening.parse(disclosure)
    except CredentialFormatError as error:
        raise ApiError(
            422, "invalid_portrait", "The portrait cannot be read", f"{error}."
        ) from None


def _video_body() -> RequestBody:
    binary = MediaType.model_validate({"schema": {"type": "string", "format": "binary"}})
    return RequestBody(content=dict.fromkeys(MEDIA_TYPES, binary), required=True)

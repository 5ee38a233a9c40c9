"""The gateway's HTTP interface: for verifiers with an API key, and for wallets (OpenID4VP)."""

import io
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Annotated, Any, Final, TypeAlias

import segno
import structlog
from flask import Flask, Response, jsonify, request
from flask_openapi.models.media_type import MediaType
from flask_openapi.models.request_body import RequestBody
from flask_openapi.models.security_scheme import SecurityScheme
from flask_openapi.models.tag import Tag
from flask_openapi.openapi import OpenAPI
from flask_openapi.types import ResponseDict
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from client_sdk.errors import QueryFailedError, RequestError, TransportError
from client_sdk.openid4vp.grant_offer import MAX_ATTRIBUTES, MAX_PURPOSE_CHARS
from client_sdk.openid4vp.signed_request import REQUEST_MEDIA_TYPE
from node.errors import ApiError
from node.gateway.config import VerifierConfig
from node.gateway.presentations import Presentations, ResponseRefusedError
from node.gateway.question import Question
from node.gateway.store import ANSWERED, StoredRequest
from node.web.app import create_api
from node.web.bearer import authenticate
from node.web.problems import problem_of

RESIDENT_CREDENTIAL: Final = "urn:tegata:credential:resident:1"
# A presentation may hold a portrait.
MAX_BODY_BYTES: Final = 1 << 20
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.gateway")
_FORM: Final = "application/x-www-form-urlencoded"
_Tags: TypeAlias = "list[Tag | dict[str, Any]]"
_SECURITY: Final[list[dict[str, list[str]]]] = [{"api_key": []}]

RequestId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Attribute = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,64}$")]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NewRequest(_Body):
    """What a verifier asks of a holder."""

    attributes: list[Attribute] = Field(
        min_length=1, max_length=MAX_ATTRIBUTES, description="What is asked for, such as `address`."
    )
    purpose: str = Field(
        min_length=1, max_length=MAX_PURPOSE_CHARS, description="What for; the holder reads this."
    )
    credential_type: str = Field(
        default=RESIDENT_CREDENTIAL, pattern=r"^[!-~]{1,200}$", description="The `vct`."
    )
    grant_seconds: int = Field(
        default=600, ge=60, le=366 * 86_400, description="How long the holder's grant lasts."
    )
    redirect_uri: str | None = Field(
        default=None,
        max_length=2048,
        description="Where the wallet sends the holder's browser after the answer, on the same "
        "device; a `response_code` is added, which is needed to read the result.",
    )


class RequestCreated(_Body):
    """A request that waits for a wallet."""

    id: str
    link: str = Field(description="Opens a wallet: show it as a link or QR code.")
    request_uri: str
    expires_at: datetime


class CheckResult(_Body):
    """One check of the wallet's answer."""

    name: str
    passed: bool | None = Field(description="null where an earlier check failed.")
    detail: str


class RequestResult(_Body):
    """A request and what became of it."""

    id: str
    status: str = Field(
        description="`pending`, `fetched`, `accepted`, `refused`, `declined` or `expired`; "
        "`answered` where a response code is needed to read more. A refused or declined request "
        "takes further answers until it ends."
    )
    requested: list[str]
    purpose: str
    expires_at: datetime
    checks: list[CheckResult]
    attributes: dict[str, object] | None = Field(
        description="The values, once accepted, until they are deleted."
    )


class ResultQuery(_Body):
    """What the holder's browser brought back."""

    response_code: str | None = Field(
        default=None,
        max_length=64,
        description="From the redirect, where the request has a `redirect_uri`. Without it an "
        "answered request is `answered`, and nothing more is told.",
    )


class RequestPath(BaseModel):
    """The id of a request."""

    id: RequestId


def create_routes(presentations: Presentations, verifiers: tuple[VerifierConfig, ...]) -> Flask:
    """Make an application with the gateway's routes.

    Args:
        presentations: The requests and their answers.
        verifiers: Who may ask.
    """
    app = create_api(
        "gateway",
        version("tegata"),
        title="Tegata gateway",
        description="Ask a holder for attributes; get them verified against the ledger.",
        max_body_bytes=MAX_BODY_BYTES,
        security_schemes={"api_key": SecurityScheme(type="http", scheme="bearer")},
    )
    app.register_error_handler(TransportError, _ledger_unavailable)
    app.register_error_handler(QueryFailedError, _ledger_unavailable)
    keys = {verifier.id: verifier.api_key_sha256 for verifier in verifiers}
    _add_verifier_routes(
        app, presentations, lambda: authenticate(keys, needed="An API key is needed")
    )
    _add_wallet_routes(app, presentations)
    return app


def _add_verifier_routes(
    app: OpenAPI, presentations: Presentations, authenticated: Callable[[], str]
) -> None:
    tags: _Tags = [{"name": "verifier"}]

    @app.post("/requests", responses={201: RequestCreated}, security=_SECURITY, tags=tags)
    def create_request(body: NewRequest) -> tuple[Response, int]:
        """Make a presentation request."""
        verifier = authenticated()
        try:
            stored = presentations.create(
                verifier,
                Question.for_attributes(
                    tuple(body.attributes),
                    credential_type=body.credential_type,
                    purpose=body.purpose,
                    grant_seconds=body.grant_seconds,
                    redirect_uri=body.redirect_uri,
                ),
            )
        except RequestError as error:
            raise ApiError(
                422, "invalid_fields", "The request's fields are not acceptable", str(error)
            ) from None
        created = RequestCreated(
            id=stored.id,
            link=presentations.link(stored),
            request_uri=presentations.request_uri(stored.id),
            expires_at=_utc(stored.expires_at_ms),
        )
        return jsonify(created.model_dump(mode="json")), 201

    @app.get("/requests/<id>", responses={200: RequestResult}, security=_SECURITY, tags=tags)
    def read_request(path: RequestPath, query: ResultQuery) -> Response:
        """Read the state of a request, and its result."""
        stored = presentations.find(authenticated(), path.id)
        is_readable = presentations.is_readable(stored, query.response_code)
        state = presentations.state_of(stored) if is_readable else ANSWERED
        result = _result(stored, state, is_readable=is_readable)
        return jsonify(result.model_dump(mode="json"))

    @app.get(
        "/requests/<id>/qr.svg",
        responses={200: {"content": {"image/svg+xml": {}}}},
        security=_SECURITY,
        tags=tags,
    )
    def read_qr_code(path: RequestPath) -> Response:
        """Draw the QR code of a request's link."""
        stored = presentations.find(authenticated(), path.id)
        image = io.BytesIO()
        segno.make(presentations.link(stored), micro=False).save(image, kind="svg", scale=4)
        return Response(image.getvalue(), content_type="image/svg+xml")


def _add_wallet_routes(app: OpenAPI, presentations: Presentations) -> None:
    tags: _Tags = [{"name": "wallet"}]
    request_object: ResponseDict = {200: {"content": {REQUEST_MEDIA_TYPE: {}}}}

    @app.get("/oid4vp/requests/<id>", responses=request_object, tags=tags)
    def fetch_request_object(path: RequestPath) -> Response:
        """Fetch the signed request object (OpenID4VP 1.0 section 5)."""
        return Response(presentations.request_object(path.id), content_type=REQUEST_MEDIA_TYPE)

    @app.post(
        "/oid4vp/requests/<id>", responses=request_object, request_body=_form_body(), tags=tags
    )
    def fetch_request_object_by_post(path: RequestPath) -> Response:
        """Fetch it with a nonce of the wallet (OpenID4VP 1.0 section 5.10)."""
        token = presentations.request_object(path.id, wallet_nonce=request.form.get("wallet_nonce"))
        return Response(token, content_type=REQUEST_MEDIA_TYPE)

    @app.post(
        "/oid4vp/responses/<id>",
        responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
        request_body=_form_body(),
        tags=tags,
    )
    def receive_response(path: RequestPath) -> tuple[Response, int]:
        """Take a wallet's response (OpenID4VP 1.0 section 8.2)."""
        try:
            redirect_uri = presentations.answer(path.id, request.form.items(multi=True))
        except ResponseRefusedError as error:
            # An OAuth error, since wallets read no problem documents; always the same.
            return jsonify({"error": error.code, "error_description": error.detail}), 400
        return jsonify({} if redirect_uri is None else {"redirect_uri": redirect_uri}), 200


def _result(stored: StoredRequest, state: str, *, is_readable: bool) -> RequestResult:
    return RequestResult(
        id=stored.id,
        status=state,
        requested=stored.attributes,
        purpose=stored.purpose,
        expires_at=_utc(stored.expires_at_ms),
        checks=[CheckResult.model_validate(check) for check in stored.checks or [] if is_readable],
        attributes=stored.shown if is_readable else None,
    )


def _ledger_unavailable(error: Exception) -> Response:
    _log.error("ledger_unavailable", error=type(error).__name__, detail=str(error))
    return problem_of(
        ApiError(
            503,
            "ledger_unavailable",
            "The ledger cannot be asked now",
            "Nothing was decided. Send the same again in a moment.",
        )
    )


def _form_body() -> RequestBody:
    media_type = MediaType.model_validate({"schema": {"type": "object"}})
    return RequestBody(content={_FORM: media_type}, required=True)


def _utc(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms // 1000, tz=UTC)

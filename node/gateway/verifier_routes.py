"""What verifiers ask of the gateway over HTTP, each with its API key."""

import io
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

import segno
from flask import Response, jsonify
from flask_openapi.models.tag import Tag
from flask_openapi.openapi import OpenAPI
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from client_sdk.credentials.resident import RESIDENT_CREDENTIAL_TYPE
from client_sdk.errors import RequestError
from client_sdk.face.attestation import MAX_RECENT_SECONDS
from client_sdk.openid4vp.dcql import parse_query
from client_sdk.purposes import DEFAULT_TERM, parse_identifier
from node.errors import ApiError
from node.gateway.api_keys import Scope
from node.gateway.event_store import ANSWERED
from node.gateway.presentations import Presentations
from node.gateway.question import FacePolicy, Question
from node.gateway.question_fields import Attributes, CredentialType, Purpose, PurposeName
from node.gateway.response_code import is_readable
from node.gateway.store import StoredRequest
from node.gateway.verifier_access import VerifierAccess
from node.gateway.waci import WaciVerification
from node.web.problems import problems

_Tags: TypeAlias = "list[Tag | dict[str, Any]]"
_TAGS: Final[_Tags] = [{"name": "verifier"}]
_SECURITY: Final[list[dict[str, list[str]]]] = [{"api_key": []}]

RequestId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Status = Literal[
    "pending", "fetched", "recording", "answered", "accepted", "refused", "declined", "expired"
]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


class NewRequest(_Body):
    """What a verifier asks of a holder: attributes of one credential, or a query."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["attributes"]}, {"required": ["dcql_query"]}],
            "dependentRequired": {"face_max_age": ["face"]},
        }
    )

    attributes: Attributes | SkipJsonSchema[None] = Field(
        default=None,
        json_schema_extra=_without_default,
        description="What is asked for, such as `address`.",
    )
    dcql_query: dict[str, Any] | SkipJsonSchema[None] = Field(
        default=None,
        json_schema_extra=_without_default,
        description="Instead of attributes: a whole query of DCQL (OpenID4VP 1.0 section 6), for "
        "several credentials, with alternatives and options.",
    )
    purpose: Purpose
    purpose_term: PurposeName = DEFAULT_TERM.iri
    credential_type: CredentialType = RESIDENT_CREDENTIAL_TYPE
    grant_seconds: int = Field(
        default=600, ge=60, le=366 * 86_400, description="How long the holder's grant lasts."
    )
    redirect_uri: str | None = Field(
        default=None,
        max_length=2048,
        json_schema_extra={"format": "uri"},
        description="Where the wallet sends the holder's browser after the answer, on the same "
        "device; a `response_code` is added, which is needed to read the result.",
    )
    face: Literal["required"] | SkipJsonSchema[None] = Field(
        default=None,
        json_schema_extra=_without_default,
        description="That the holder's face is tested, by a service that the gateway trusts, for "
        "this request; the check `face` tells.",
    )
    face_max_age: Annotated[int, Field(ge=60, le=MAX_RECENT_SECONDS)] | SkipJsonSchema[None] = (
        Field(
            default=None,
            json_schema_extra=_without_default,
            description="With `face`: a test for this verifier that is at most so many seconds old "
            "will do.",
        )
    )

    @model_validator(mode="after")
    def _age_of_a_test(self) -> Self:
        given = self.model_fields_set & {"face", "face_max_age"}
        if any(getattr(self, name) is None for name in given):
            raise ValueError("face, face_max_age: left out where they are not asked for, not null")
        if self.face_max_age is not None and self.face is None:
            raise ValueError("face_max_age: only with face")
        return self

    @model_validator(mode="after")
    def _attributes_or_query(self) -> Self:
        given = self.model_fields_set & {"attributes", "dcql_query"}
        if len(given) != 1 or (self.attributes is None and self.dcql_query is None):
            raise ValueError("either attributes or dcql_query is expected")
        return self

    def question(self) -> Question:
        """Return what is asked.

        Raises:
            RequestError: A field is not acceptable; the text says which.
        """
        term = parse_identifier(self.purpose_term)
        face = None if self.face is None else FacePolicy(max_age_s=self.face_max_age)
        if self.dcql_query is not None:
            return Question(
                query=parse_query(self.dcql_query),
                purpose=self.purpose,
                grant_seconds=self.grant_seconds,
                redirect_uri=self.redirect_uri,
                purpose_term=term,
                face=face,
            )
        return Question.for_attributes(
            tuple(self.attributes or ()),
            credential_type=self.credential_type,
            purpose=self.purpose,
            grant_seconds=self.grant_seconds,
            redirect_uri=self.redirect_uri,
            purpose_term=term,
            face=face,
        )


class RequestCreated(_Body):
    """A request that waits for a wallet."""

    id: str
    link: str = Field(description="Opens a wallet: show it as a link or QR code.")
    request_uri: str
    waci_link: str | None = Field(
        description="The same as an invitation of WACI-DIDComm, where the gateway has that."
    )
    expires_at: datetime


class CheckResult(_Body):
    """One check of the wallet's answer."""

    name: str
    passed: bool | None = Field(description="null where an earlier check failed, or it is waived.")
    detail: str


class CredentialResult(_Body):
    """What one credential proves."""

    query_id: str = Field(description="The id of the credential query that it answers.")
    credential_type: str
    issuer: str = Field(description="The issuer's ledger account.")
    grant: str | None = Field(description="The grant's record; null where none was asked for.")
    terms: str | None = Field(
        description="What the holder was asked to grant: the request's transaction data."
    )
    consent: str | None = Field(
        description="The holder's signed record of the consent to these terms (ISO/IEC TS "
        "27560:2023), a JWT; null where the wallet makes none."
    )
    attributes: dict[str, object]


class RequestResult(_Body):
    """A request and what became of it."""

    id: str
    status: Status = Field(
        description="`recording` while the receipt of the access goes to the ledger; `answered` "
        "where a response code is needed to read more. A refused or declined request takes further "
        "answers until it ends."
    )
    requested: list[str]
    purpose: str
    expires_at: datetime
    checks: list[CheckResult]
    attributes: dict[str, object] | None = Field(
        description="The values, once accepted, until they are deleted."
    )
    credentials: list[CredentialResult] | None = Field(
        description="The same by credential, in the order of the query."
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


def add_verifier_routes(
    app: OpenAPI,
    presentations: Presentations,
    access: VerifierAccess,
    *,
    waci: WaciVerification | None = None,
) -> None:
    """Add the routes to an application."""

    @app.post(
        "/requests",
        responses={201: RequestCreated, **problems(400, 401, 403, 413, 415, 422, 429)},
        security=_SECURITY,
        tags=_TAGS,
    )
    def create_request(body: NewRequest) -> tuple[Response, int]:
        """Make a presentation request. Scope `requests:write`."""
        caller = access.caller(Scope.REQUESTS_WRITE)
        try:
            stored = presentations.create(caller.verifier, body.question())
        except RequestError as error:
            raise ApiError(
                422, "invalid_fields", "The request's fields are not acceptable", str(error)
            ) from None
        created = RequestCreated(
            id=stored.id,
            link=presentations.link(stored),
            request_uri=presentations.request_uri(stored.id),
            waci_link=None if waci is None else waci.link(stored.id),
            expires_at=_utc(stored.expires_at_ms),
        )
        return jsonify(created.model_dump(mode="json")), 201

    @app.get(
        "/requests/<id>",
        responses={200: RequestResult, **problems(401, 403, 404, 422, 429)},
        security=_SECURITY,
        tags=_TAGS,
    )
    def read_request(path: RequestPath, query: ResultQuery) -> Response:
        """Read the state of a request, and its result. Scope `results:read`."""
        stored = presentations.find(access.caller(Scope.RESULTS_READ).verifier, path.id)
        is_shown = is_readable(stored, query.response_code)
        state = presentations.state_of(stored) if is_shown else ANSWERED
        result = _result(stored, state, is_readable=is_shown)
        return jsonify(result.model_dump(mode="json"))

    @app.get(
        "/requests/<id>/qr.svg",
        responses={
            200: {"content": {"image/svg+xml": {"schema": {"type": "string"}}}},
            **problems(401, 403, 404, 422, 429),
        },
        security=_SECURITY,
        tags=_TAGS,
    )
    def read_qr_code(path: RequestPath) -> Response:
        """Draw the QR code of a request's link. Scope `requests:write`."""
        stored = presentations.find(access.caller(Scope.REQUESTS_WRITE).verifier, path.id)
        image = io.BytesIO()
        segno.make(presentations.link(stored), micro=False).save(image, kind="svg", scale=4)
        return Response(image.getvalue(), content_type="image/svg+xml")


def _result(stored: StoredRequest, state: str, *, is_readable: bool) -> RequestResult:
    # What was verified stands in the store already while its receipt is not on the ledger.
    is_shown = is_readable and state == "accepted"
    return RequestResult.model_validate(
        {
            "id": stored.id,
            "status": state,
            "requested": stored.attributes,
            "purpose": stored.purpose,
            "expires_at": _utc(stored.expires_at_ms),
            "checks": [check for check in stored.checks or [] if is_readable],
            "attributes": stored.shown if is_shown else None,
            "credentials": stored.credentials if is_shown else None,
        }
    )


def _utc(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms // 1000, tz=UTC)

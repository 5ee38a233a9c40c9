"""Every error of a service as `application/problem+json` (RFC 9457).

A route raises `ApiError`; everything else is turned into a problem here. A problem names the field
that is wrong and never repeats what was sent. An unexpected error tells the outside nothing: the
operator's log names its class and its place, and no more, since its text may hold personal data.
"""

import traceback
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, NoReturn

import structlog
from flask import Flask, Response, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from werkzeug.exceptions import HTTPException

from node.errors import ApiError, DatabaseUnavailableError, UnstorableTextError

PROBLEM_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:tegata:problem:"
RETRY_AFTER_S: Final = 2
"""How soon a client may send again what met a database or ledger that was away."""
_FRAMES: Final = 6
_LONGEST_NAME: Final = 64
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.web")

_DETAILS: Final = {
    400: "The request could not be read. Check its form.",
    401: "This address needs credentials; the WWW-Authenticate header says which.",
    404: "There is nothing at this address. /openapi.json lists what this service offers.",
    405: "This address does not take this method; the Allow header lists those it takes.",
    413: "The request's body is larger than this service takes.",
    429: "You call more often than this service takes. Wait as long as Retry-After says.",
    415: "The body's Content-Type is not one that this address takes.",
}


class FieldProblem(BaseModel):
    """One field of a request that is not acceptable."""

    model_config = ConfigDict(frozen=True)

    field: str = Field(description="Where it is, such as `attributes.0`; `body` for all of it.")
    message: str = Field(description="What is expected.")


class Problem(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(frozen=True)

    type: str = Field(description="`urn:tegata:problem:` and the code.")
    title: str = Field(description="The same text for each occurrence.")
    status: int = Field(description="The HTTP status code.")
    detail: str = Field(description="What was wrong this time, and what to do.")
    code: str = Field(description="A stable word for programs.")
    errors: list[FieldProblem] | None = Field(default=None, description="The fields to mend.")


class OAuthError(BaseModel):
    """An error of OAuth 2.0 (RFC 6749 section 5.2): wallets read no problem documents."""

    model_config = ConfigDict(frozen=True)

    error: str
    error_description: str


class InvalidFieldsError(ApiError):
    """The request has fields that are missing, unknown or not acceptable."""

    def __init__(self, fields: list[FieldProblem]) -> None:
        names = ", ".join(sorted({field.field for field in fields}))
        super().__init__(
            422, "invalid_fields", "The request's fields are not acceptable", f"Mend: {names}."
        )
        self.fields = fields


def refuse_invalid_fields(error: ValidationError) -> NoReturn:
    """Raise the problem that tells of fields that pydantic does not accept.

    Raises:
        InvalidFieldsError: Always.
    """
    raise InvalidFieldsError(
        [
            FieldProblem(
                field=".".join(str(part) for part in item["loc"])[:_LONGEST_NAME] or "body",
                message=item["msg"],
            )
            for item in error.errors(include_input=False, include_url=False, include_context=False)
        ]
    ) from None


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the entries of an OpenAPI operation for refusals with these statuses."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def problem_response(problem: Problem) -> Response:
    """Return the HTTP response that carries a problem."""
    return Response(
        problem.model_dump_json(exclude_none=True),
        status=problem.status,
        content_type=PROBLEM_TYPE,
    )


def problem_of(error: ApiError) -> Response:
    """Return the HTTP response that tells of a refused request."""
    response = problem_response(
        Problem(
            type=TYPE_PREFIX + error.code,
            title=error.title,
            status=error.status,
            detail=error.detail,
            code=error.code,
            errors=error.fields if isinstance(error, InvalidFieldsError) else None,
        )
    )
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def register_problems(app: Flask) -> None:
    """Make `app` answer every error with a problem."""
    app.register_error_handler(ApiError, problem_of)
    app.register_error_handler(DatabaseUnavailableError, _database_unavailable)
    app.register_error_handler(UnstorableTextError, lambda _: problem_of(null_character()))
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected_error)


def register_ledger_unavailable(
    app: Flask, *kinds: type[Exception], title: str, detail: str
) -> None:
    """Make `app` answer that the ledger is away, and the log say so, where these are raised.

    Args:
        app: The service.
        kinds: What is raised where the ledger cannot be asked, or refuses.
        title: The problem's title.
        detail: What has become of the request.
    """

    def answer(error: Exception) -> Response:
        _log.error("ledger_unavailable", error=type(error).__name__, detail=str(error))
        return problem_of(
            ApiError(503, "ledger_unavailable", title, detail, retry_after_s=RETRY_AFTER_S)
        )

    for kind in kinds:
        app.register_error_handler(kind, answer)


def null_character() -> ApiError:
    """Return the refusal of a text with a NUL, which PostgreSQL cannot keep."""
    return ApiError(
        422,
        "null_character",
        "A text has the character NUL",
        "Send the request without the character U+0000.",
    )


def _database_unavailable(error: DatabaseUnavailableError) -> Response:
    _log.error("database_unavailable", detail=str(error))
    return problem_of(
        ApiError(
            503,
            "database_unavailable",
            "The service's database does not answer now",
            "Send the same again in a moment; if this lasts, tell the service's operator.",
            retry_after_s=RETRY_AFTER_S,
        )
    )


def _http_error(error: HTTPException) -> ResponseReturnValue:
    status = HTTPStatus(error.code or 500)
    code = status.phrase.lower().replace(" ", "_").replace("-", "_")
    response = problem_response(
        Problem(
            type=TYPE_PREFIX + code,
            title=status.phrase,
            status=status,
            detail=_DETAILS.get(status, status.description or status.phrase),
            code=code,
        )
    )
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after", "www-authenticate"):
            response.headers[name] = value
    return response


def _unexpected_error(error: Exception) -> Response:
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    _log.error(
        "unexpected_error",
        error=type(error).__name__,
        at=[f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames],
        method=request.method,
        path=request.url_rule.rule if request.url_rule else "(no route)",
    )
    return problem_response(
        Problem(
            type=TYPE_PREFIX + "internal_error",
            title="The service failed",
            status=500,
            detail="The service failed on this request. Send it again later, or tell its operator.",
            code="internal_error",
        )
    )

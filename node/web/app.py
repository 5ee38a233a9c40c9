"""The frame of every HTTP service: OpenAPI 3.1, docs page, problems, limits, headers, one log line.

The OpenAPI document is generated from the routes, and the docs page from it.
"""

import json
import re
import time
from typing import Final

import structlog
from flask import Response, g, request
from flask_openapi.models.info import Info
from flask_openapi.models.security_scheme import SecurityScheme
from flask_openapi.openapi import OpenAPI
from pydantic import BaseModel, ConfigDict
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from node.errors import ApiError
from node.metrics import count_request
from node.web.problems import (
    PROBLEM_TYPE,
    Problem,
    null_character,
    refuse_invalid_fields,
    register_problems,
)
from node.web.reference import add_reference
from node.web.request_tracing import trace_requests

MAX_BODY_BYTES: Final = 64 * 1024
API_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"

_PROBLEM: Final = {
    "description": "A problem (RFC 9457)",
    "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_FORM: Final = "application/x-www-form-urlencoded"
_NULL: Final = re.compile(rb"%00|\0")
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.web")


class Health(BaseModel):
    """A sign of life."""

    model_config = ConfigDict(frozen=True)

    status: str
    service: str
    version: str


def create_api(
    name: str,
    version: str,
    *,
    title: str,
    description: str = "",
    max_body_bytes: int = MAX_BODY_BYTES,
    security_schemes: dict[str, SecurityScheme] | None = None,
) -> OpenAPI:
    """Make a service's application; the caller adds its routes.

    It has `/openapi.json`, `/docs`, `/healthz`, problems for every error, and strict headers. Each
    answer is `no-store` unless its route says otherwise.

    Args:
        name: The service's name in logs and `/healthz`, such as `gateway`.
        version: The service's version.
        title: The heading of the OpenAPI document.
        description: Its text, in Markdown.
        max_body_bytes: A larger request body is refused with 413.
        security_schemes: OpenAPI security schemes by name.
    """
    app = OpenAPI(
        f"tegata-{name}",
        info=Info(title=title, version=version, description=description),
        security_schemes={**security_schemes} if security_schemes else None,
        operation_id_callback=_operation_id,
        validation_error_model=Problem,
        validation_error_callback=refuse_invalid_fields,
        responses={"422": _PROBLEM.copy(), "default": _PROBLEM.copy()},
        doc_ui=False,
        static_folder=None,
    )
    app.openapi_version = "3.1.1"
    app.config["MAX_CONTENT_LENGTH"] = max_body_bytes
    app.config["MAX_FORM_MEMORY_SIZE"] = max_body_bytes
    trace_requests(app)
    register_problems(app)
    app.before_request(_start_clock)
    app.before_request(_refuse_null_characters)
    app.before_request(lambda: _check_body(app))
    app.after_request(_set_headers)
    app.after_request(_log_request)

    @app.get("/healthz", responses={200: Health}, tags=[{"name": "service"}])
    def healthz() -> dict[str, str]:
        """Say that the service runs."""
        return {"status": "ok", "service": name, "version": version}

    @app.get("/openapi.json", doc_ui=False)
    def openapi_document() -> dict[str, object]:
        """Describe this service."""
        return app.api_doc

    add_reference(app, lambda: app.api_doc)
    return app


def _operation_id(*, name: str, path: str, method: str) -> str:  # noqa: ARG001
    return name


def _start_clock() -> None:
    g.started_ns = time.monotonic_ns()


def _refuse_null_characters() -> None:
    """Refuse a NUL in an address or a form; in JSON `_check_body` looks for it."""
    is_in_form = request.mimetype == _FORM and _NULL.search(request.get_data())
    if is_in_form or "\0" in request.path or _NULL.search(request.query_string):
        raise null_character()


def _has_null(value: object) -> bool:
    match value:
        case str():
            return "\0" in value
        case list():
            return any(map(_has_null, value))
        case dict():
            return any(map(_has_null, [*value, *value.values()]))
        case _:
            return False


def _check_body(app: OpenAPI) -> None:
    """Refuse a body of the wrong type, or JSON that cannot be read, before its route runs."""
    rule = request.url_rule.rule if request.url_rule else ""
    path = re.sub(r"<([^<:]+:)?", "{", rule).replace(">", "}")
    operation = app.api_doc["paths"].get(path, {}).get(request.method.lower(), {})
    content = operation.get("requestBody", {}).get("content")
    if not content:
        return
    if request.mimetype not in content:
        raise UnsupportedMediaType
    if request.mimetype == "application/json":
        try:
            value = request.get_json()
            # NaN and lone surrogates are no JSON that others could read.
            text = json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
        except (BadRequest, RecursionError, ValueError):
            value = None
        if not isinstance(value, dict):
            raise ApiError(
                400,
                "not_json",
                "The body is not a JSON object",
                "Send the body as one JSON object.",
            )
        if b"\\u0000" in text and _has_null(value):
            raise null_character()


def _set_headers(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("Content-Security-Policy", API_POLICY)
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response


def _log_request(response: Response) -> Response:
    started_ns: int = g.get("started_ns", time.monotonic_ns())
    taken_ns = time.monotonic_ns() - started_ns
    route = request.url_rule.rule if request.url_rule else "(no route)"
    count_request(request.method, route, response.status_code, taken_ns / 1e9)
    _log.info(
        "request",
        method=request.method,
        path=route,
        status=response.status_code,
        duration_ms=taken_ns // 1_000_000,
    )
    return response

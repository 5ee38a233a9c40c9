"""Refusals that wallets read: OAuth 2.0 and OpenID4VCI error codes, as JSON."""

import re
from typing import Final

from flask import Flask, Response, jsonify

from node.errors import NodeError

RETRY_AFTER_S: Final = 5
# RFC 6749 section 5.2: what an error_description may be made of.
_NOT_ALLOWED: Final = re.compile(r"[^ !#-\[\]-~]")


class ProtocolError(NodeError):
    """A wallet's request is refused (RFC 6749 section 5.2, OpenID4VCI 1.0 section 8.3.1).

    Attributes:
        code: The error code, such as `invalid_grant`.
        status: The HTTP status code.
    """

    def __init__(self, code: str, description: str, *, status: int = 400) -> None:
        super().__init__(description)
        self.code = code
        self.status = status


def register_protocol_errors(app: Flask) -> None:
    """Make `app` answer a `ProtocolError` in the form that wallets read."""
    app.register_error_handler(ProtocolError, _protocol_error)


def _protocol_error(error: ProtocolError) -> Response:
    description = _NOT_ALLOWED.sub("", str(error))
    response = jsonify({"error": error.code, "error_description": description})
    response.status_code = error.status
    if error.status == 401:
        # RFC 6750 section 3: a request without any token is told no error code.
        challenge = "Bearer" if error.code == "missing_token" else f'Bearer error="{error.code}"'
        response.headers["WWW-Authenticate"] = challenge
    if error.status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response

"""Refusals that wallets read: OAuth 2.0 and OpenID4VCI error codes, as JSON.

The wire says the code and what may be done, the same words for each occurrence; which check failed
is in the operator's log alone.
"""

from collections.abc import Mapping
from typing import Final

import structlog
from flask import Flask, Response, jsonify, request

from node.errors import NodeError

RETRY_AFTER_S: Final = 5
_WORDS: Final = {
    "access_denied": "The request was declined.",
    "credential_request_denied": "This credential is not issued.",
    "invalid_authorization_details": "The issuer's metadata lists what there is.",
    "invalid_client": "The wallet does not prove which wallet it is, as this issuer demands.",
    "invalid_credential_request": "The credential request is not well formed.",
    "invalid_dpop_proof": "The DPoP proof is missing or not acceptable.",
    "invalid_encryption_parameters": "The encryption parameters are missing or not supported.",
    "invalid_grant": "The code is wrong, used, locked or expired.",
    "invalid_nonce": "Get a new nonce and send a new proof.",
    "invalid_notification_id": "There is no such notification id.",
    "invalid_notification_request": "The notification is not well formed.",
    "invalid_proof": "A key proof is missing or not acceptable.",
    "invalid_request": "The request is not well formed.",
    "invalid_scope": "The issuer's metadata lists what there is.",
    "invalid_token": "The access token is unknown, used or expired.",
    "invalid_transaction_id": "There is no such transaction.",
    "missing_token": "An access token is needed: Authorization: Bearer.",
    "server_error": "The issuer cannot issue now. Tell its operator.",
    "temporarily_unavailable": "Nothing was used up. Send the same again in a moment.",
    "unknown_credential_configuration": "The issuer's metadata lists what there is.",
    "unknown_credential_identifier": "The token's answer lists what there is.",
    "unsupported_grant_type": "The server's metadata lists what there is.",
    "unsupported_response_type": "This issuer gives authorization codes only.",
    "use_attestation_challenge": "Get a challenge and prove the wallet's key again.",
    "use_dpop_nonce": "Send the proof again with the nonce of this answer.",
}
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.issuer")


class ProtocolError(NodeError):
    """A wallet's request is refused (RFC 6749 section 5.2, OpenID4VCI 1.0 section 8.3.1).

    Attributes:
        code: The error code, such as `invalid_grant`.
        status: The HTTP status code.
        headers: Further headers of the answer.
    """

    def __init__(
        self,
        code: str,
        check: str,
        *,
        status: int = 400,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Refuse.

        Args:
            code: The error code.
            check: Which check failed, for the operator's log; nothing of what was sent.
            status: The HTTP status code.
            headers: Further headers of the answer.
        """
        super().__init__(check)
        self.code = code
        self.status = status
        self.headers = dict(headers or {})


def register_protocol_errors(app: Flask) -> None:
    """Make `app` answer a `ProtocolError` in the form that wallets read."""
    app.register_error_handler(ProtocolError, _protocol_error)


def words_of(error: ProtocolError) -> str:
    """Return what the wire says of a refusal: the same words for each occurrence of its code."""
    return _WORDS.get(error.code, "The request is refused.")


def log_refusal(error: ProtocolError) -> None:
    """Tell the operator which check the current request failed."""
    _log.info(
        "request_refused",
        code=error.code,
        check=str(error),
        path=request.url_rule.rule if request.url_rule else "(no route)",
    )


def _protocol_error(error: ProtocolError) -> Response:
    log_refusal(error)
    response = jsonify({"error": error.code, "error_description": words_of(error)})
    response.status_code = error.status
    if error.status == 401:
        # RFC 6750 section 3: a request without any token is told no error code.
        # RFC 9449 section 7.1: who sends a bound token is challenged for one.
        is_bound = request.headers.get("Authorization", "").lower().startswith("dpop ")
        scheme = "DPoP" if is_bound or "dpop" in error.code else "Bearer"
        challenge = scheme if error.code == "missing_token" else f'{scheme} error="{error.code}"'
        response.headers["WWW-Authenticate"] = challenge
    if error.status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    response.headers.update(error.headers)
    return response

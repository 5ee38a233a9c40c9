"""The token endpoint (OpenID4VCI 1.0 section 6). Errors are JSON with an error code."""

from typing import Any, Final, TypeAlias

from flask import Response, jsonify, request
from flask_openapi.models.tag import Tag
from flask_openapi.openapi import OpenAPI
from flask_openapi.types import ResponseDict

from client_sdk.openid4vci.account_assertion import JWT_BEARER, REPLACED_CREDENTIAL
from client_sdk.openid4vci.credential_offer import MAX_CODE_CHARS, PRE_AUTHORIZED_CODE
from node.issuer.errors import ProtocolError
from node.issuer.offers import AccessToken, Offers
from node.issuer.renewals import Renewals
from node.web.problems import OAuthError

_FORM: Final = "application/x-www-form-urlencoded"
_Tags: TypeAlias = "list[Tag | dict[str, Any]]"
_TAGS: Final[_Tags] = [{"name": "wallet"}]
_REFUSED: Final[ResponseDict] = {
    400: OAuthError,
    401: OAuthError,
    500: OAuthError,
    503: OAuthError,
}
_OBJECT: Final[ResponseDict] = {
    200: {"content": {"application/json": {"schema": {}}}},
    **_REFUSED,
}
_MAX_TX_CODE_CHARS: Final = 128


def add_token_routes(app: OpenAPI, *, offers: Offers, renewals: Renewals) -> None:
    """Add the token endpoint.

    Args:
        app: The application.
        offers: The issuer's offers.
        renewals: Says to whom a credential is owed anew.
    """

    # Bodies are read here, not by the frame, whose refusals are problems that no wallet expects.
    @app.post("/token", responses=_OBJECT, tags=_TAGS)
    def create_token() -> Response:
        """Exchange a pre-authorized code for a token (OpenID4VCI 1.0 section 6).

        Or an account's assertion with a credential to issue anew (RFC 7523 section 2.1).
        """
        token = _redeem(_read_form(), offers, renewals)
        answer = {
            "access_token": token.token,
            "token_type": "Bearer",
            "expires_in": token.lifetime_s,
        }
        return jsonify(answer)


def _read_form() -> dict[str, str]:
    if request.mimetype != _FORM:
        raise ProtocolError("invalid_request", f"send a form ({_FORM})")
    form = request.form.to_dict(flat=False)
    if any(len(values) != 1 for values in form.values()):
        raise ProtocolError("invalid_request", "a parameter stands there twice")
    return {name: values[0] for name, values in form.items()}


def _redeem(form: dict[str, str], offers: Offers, renewals: Renewals) -> AccessToken:
    match form.get("grant_type"):
        case None:
            raise ProtocolError("invalid_request", "grant_type is missing")
        case grant_type if grant_type == PRE_AUTHORIZED_CODE:
            return offers.redeem(*_read_code(form))
        case grant_type if grant_type == JWT_BEARER:
            return renewals.redeem(*_read_assertion(form))
        case _:
            raise ProtocolError(
                "unsupported_grant_type",
                f"this issuer has only {PRE_AUTHORIZED_CODE} and {JWT_BEARER}",
            )


def _read_code(form: dict[str, str]) -> tuple[str, str]:
    """Return the pre-authorized code and the transaction code of a token request."""
    code, tx_code = form.get("pre-authorized_code"), form.get("tx_code")
    if not code or len(code) > MAX_CODE_CHARS:
        raise ProtocolError("invalid_request", "pre-authorized_code is missing or too long")
    if not tx_code or len(tx_code) > _MAX_TX_CODE_CHARS:
        raise ProtocolError(
            "invalid_request", "tx_code is missing or too long; type the six digits"
        )
    return code, tx_code


def _read_assertion(form: dict[str, str]) -> tuple[str, str]:
    """Return the assertion and the credential to issue anew of a token request."""
    assertion, credential = form.get("assertion"), form.get(REPLACED_CREDENTIAL)
    if not assertion or not credential:
        raise ProtocolError("invalid_request", f"assertion or {REPLACED_CREDENTIAL} is missing")
    return assertion, credential

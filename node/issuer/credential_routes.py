"""What wallets ask of the issuer once they have an offer or a token (OpenID4VCI 1.0).

Errors are JSON with an error code. Bodies are read here, not by the frame, whose refusals are
problems that no wallet expects.
"""

from typing import Any, Final, TypeAlias

from flask import Response, jsonify, request
from flask_openapi.models.tag import Tag
from flask_openapi.openapi import OpenAPI
from flask_openapi.types import ResponseDict
from pydantic import BaseModel, Field

from client_sdk.errors import CredentialFormatError
from client_sdk.openid4vci.dpop import HEADER, NONCE_HEADER
from client_sdk.openid4vci.message_encryption import MEDIA_TYPE, MessageEncryption, encrypt_message
from client_sdk.strict_json import parse_strict_json_object
from node.errors import ApiError
from node.issuer.credential_answers import CredentialAnswer
from node.issuer.credential_requests import MessageReader
from node.issuer.dpop_proofs import DpopProofs
from node.issuer.errors import ProtocolError
from node.issuer.issuance import Issuance
from node.issuer.offers import Offers
from node.web.problems import OAuthError

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
_CREDENTIALS: Final[ResponseDict] = {
    200: {"content": {"application/json": {"schema": {}}, MEDIA_TYPE: {"schema": {}}}},
    202: {"content": {"application/json": {"schema": {}}, MEDIA_TYPE: {"schema": {}}}},
    **_REFUSED,
}
_NOTHING: Final[ResponseDict] = {
    204: {"description": "The notification was taken."},
    **_REFUSED,
}
_SECURITY: Final[list[dict[str, list[str]]]] = [{"access_token": []}]


class OfferPath(BaseModel):
    """The secret id of an offer."""

    id: str = Field(max_length=128)


def add_credential_routes(
    app: OpenAPI,
    *,
    offers: Offers,
    issuance: Issuance,
    messages: MessageReader,
    dpop: DpopProofs,
) -> None:
    """Add the endpoints for offers, nonces, credentials and notifications.

    Args:
        app: The application.
        offers: The issuer's offers.
        issuance: Issues what was offered.
        messages: Reads credential requests.
        dpop: Checks that a token is its key's.
    """

    def access_token() -> str:
        return read_token(issuance, dpop)

    @app.get("/offers/<id>", responses=_OBJECT, tags=_TAGS)
    def fetch_offer(path: OfferPath) -> Response:
        """Fetch an offer, as its link says (OpenID4VCI 1.0 section 4.1.3)."""
        offer = offers.find(path.id)
        if offer is None:
            raise ApiError(
                404,
                "no_such_offer",
                "There is no such offer",
                "It was used or locked, or has expired. Ask the issuer for a new one.",
            )
        return jsonify(offer.to_fields())

    @app.post("/nonce", responses=_OBJECT, tags=_TAGS)
    def create_nonce() -> Response:
        """Get a nonce for a key proof (OpenID4VCI 1.0 section 7)."""
        response = jsonify(c_nonce=issuance.new_nonce())
        response.headers[NONCE_HEADER] = dpop.new_nonce()
        return response

    @app.post("/credential", responses=_CREDENTIALS, security=_SECURITY, tags=_TAGS)
    def issue_credential() -> Response:
        """Get the credentials (OpenID4VCI 1.0 section 8)."""
        token = access_token()
        message = messages.read(request.get_data(), request.mimetype)
        return _answer(issuance.issue(token, message.fields), message.encryption)

    @app.post("/deferred_credential", responses=_CREDENTIALS, security=_SECURITY, tags=_TAGS)
    def collect_credential() -> Response:
        """Get the credentials that were deferred (OpenID4VCI 1.0 section 9)."""
        token = access_token()
        message = messages.read(request.get_data(), request.mimetype)
        answer = issuance.collect(token, message.fields.get("transaction_id"))
        return _answer(answer, message.encryption)

    @app.post("/notification", responses=_NOTHING, security=_SECURITY, tags=_TAGS)
    def notify() -> tuple[str, int]:
        """Say what has become of the credentials (OpenID4VCI 1.0 section 11)."""
        token = access_token()
        if request.mimetype != "application/json":
            raise ProtocolError("invalid_notification_request", "Content-Type: application/json")
        try:
            fields = parse_strict_json_object(request.get_data())
        except CredentialFormatError as error:
            raise ProtocolError("invalid_notification_request", f"the body: {error}") from None
        issuance.notify(token, fields)
        return "", 204


def _answer(answer: CredentialAnswer, encryption: MessageEncryption | None) -> Response:
    if encryption is None:
        response = jsonify(answer.fields)
    else:
        response = Response(encrypt_message(answer.fields, encryption), content_type=MEDIA_TYPE)
    response.status_code = 202 if answer.is_deferred else 200
    return response


def read_token(issuance: Issuance, dpop: DpopProofs) -> str:
    """Return the current request's token, which is known, and its sender's.

    Raises:
        ProtocolError: The token is missing, unknown, expired, or bound to another key.
    """
    credentials = request.authorization
    scheme = credentials.type if credentials is not None else ""
    token = credentials.token if credentials is not None else None
    if not token or scheme not in ("bearer", "dpop"):
        raise ProtocolError("missing_token", "Authorization: Bearer or DPoP", status=401)
    bound_to = issuance.check_token(token).dpop_jkt
    if (scheme == "dpop") != (bound_to is not None):
        # RFC 9449 section 7.2: a bound token is no bearer's.
        raise ProtocolError("invalid_token", "the token came by another scheme", status=401)
    if bound_to is not None:
        dpop.check_use(
            request.headers.getlist(HEADER),
            path=request.path,
            access_token=token,
            expected_jkt=bound_to,
        )
    return token

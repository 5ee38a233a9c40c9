"""The gateway's HTTP interface: for verifiers with an API key, and for wallets (OpenID4VP)."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any, Final, TypeAlias

import structlog
from flask import Flask, Response, jsonify, request
from flask_openapi.models.media_type import MediaType
from flask_openapi.models.request_body import RequestBody
from flask_openapi.models.security_scheme import SecurityScheme
from flask_openapi.models.tag import Tag
from flask_openapi.openapi import OpenAPI
from flask_openapi.types import ResponseDict
from pydantic import BaseModel, Field, StringConstraints

from client_sdk.did.resolution import DidResolver
from client_sdk.errors import LedgerForkError, ProofError, QueryFailedError, TransportError
from client_sdk.openid4vp.signed_request import REQUEST_MEDIA_TYPE
from node.errors import ApiError
from node.gateway.did_routes import add_did_routes
from node.gateway.event_routes import Events, add_event_routes
from node.gateway.presentations import Presentations, ResponseRefusedError
from node.gateway.standing_routes import Standing, add_standing_routes
from node.gateway.verifier_access import VerifierAccess
from node.gateway.verifier_routes import add_verifier_routes
from node.gateway.waci import WaciVerification
from node.gateway.waci_routes import add_waci_routes
from node.web.app import create_api
from node.web.caller_address import caller_address
from node.web.problems import OAuthError, problem_of, problems, register_ledger_unavailable
from node.web.rate_limit import RateLimiter, parse_rate

# A presentation may hold a portrait.
MAX_BODY_BYTES: Final = 1 << 20
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.gateway")
_WALLET_PATHS: Final = (
    "/oid4vp/",
    "/waci/",
    "/1.0/identifiers/",
    "/standing/objects/",
    "/standing/deposits/",
)
_FORM: Final = "application/x-www-form-urlencoded"
_Tags: TypeAlias = "list[Tag | dict[str, Any]]"

RequestId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class RequestPath(BaseModel):
    """The id of a request."""

    id: RequestId


class ResponseTaken(BaseModel):
    """The wallet's response was taken."""

    redirect_uri: str | None = Field(
        default=None, description="Where the wallet sends the holder's browser, where it does."
    )


def create_routes(
    presentations: Presentations,
    access: VerifierAccess,
    *,
    limiter: RateLimiter,
    wallet_rate: str,
    waci: WaciVerification | None = None,
    standing: Standing | None = None,
    events: Events | None = None,
    resolver: DidResolver | None = None,
    now_ms: Callable[[], int],
) -> Flask:
    """Make an application with the gateway's routes.

    Args:
        presentations: The requests and their answers.
        access: Lets verifiers in.
        limiter: Counts calls.
        wallet_rate: How often one address may call the wallets' part.
        waci: Where requests are also WACI's; None where they are not.
        standing: The standing grants; None where there are none.
        events: What tells verifiers of events; None where nothing does.
        resolver: What resolves DIDs for anybody; None where nothing does.
        now_ms: The clock: milliseconds since 1970, UTC.
    """
    app = create_api(
        "gateway",
        version("tegata"),
        title="Tegata gateway",
        description="Ask a holder for attributes; get them verified against the ledger.",
        max_body_bytes=MAX_BODY_BYTES,
        security_schemes={"api_key": SecurityScheme(type="http", scheme="bearer")},
    )
    register_ledger_unavailable(
        app,
        TransportError,
        QueryFailedError,
        title="The ledger cannot be asked now",
        detail="Nothing was decided. Send the same again in a moment.",
    )
    app.register_error_handler(ProofError, _ledger_unproven)
    add_verifier_routes(app, presentations, access, waci=waci)
    _add_wallet_routes(app, presentations)
    if waci is not None:
        add_waci_routes(app, waci, now_ms=now_ms)
    if standing is not None:
        add_standing_routes(app, standing, access)
    if events is not None:
        add_event_routes(app, presentations, access, events, now_ms=now_ms)
    if resolver is not None:
        add_did_routes(app, resolver)
    rate = parse_rate(wallet_rate)

    @app.before_request
    def bound_wallets() -> None:
        if request.path.startswith(_WALLET_PATHS):
            limiter.count(rate, "wallet", caller_address())

    return app


def _add_wallet_routes(app: OpenAPI, presentations: Presentations) -> None:
    tags: _Tags = [{"name": "wallet"}]
    request_object: ResponseDict = {
        200: {"content": {REQUEST_MEDIA_TYPE: {"schema": {"type": "string"}}}},
        **problems(400, 404, 413, 415, 422, 429),
    }

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
        responses={
            200: ResponseTaken,
            400: OAuthError,
            **problems(413, 415, 422, 429, 503),
        },
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


def _ledger_unproven(error: Exception) -> Response:
    # A fork is no outage: its checkpoints show who signed two histories.
    if isinstance(error, LedgerForkError):
        notes = {"known": error.known.decode(), "found": error.found.decode()}
        _log.critical("ledger_forked", detail=str(error), **notes)
    else:
        _log.error("ledger_unproven", error=type(error).__name__, detail=str(error))
    return problem_of(
        ApiError(
            503,
            "ledger_unproven",
            "The ledger's answer is not proven",
            "Nothing was decided. The gateway's operator finds the reason in its log.",
        )
    )


def _form_body() -> RequestBody:
    media_type = MediaType.model_validate({"schema": {"type": "object"}})
    return RequestBody(content={_FORM: media_type}, required=True)

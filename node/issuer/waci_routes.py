"""Where the issuer takes WACI's messages over HTTP."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from flask import Response, request
from flask_openapi.models.tag import Tag
from flask_openapi.openapi import OpenAPI

from client_sdk.didcomm.envelope import ENCRYPTED_TYPE
from node.issuer.credential_routes import OfferPath
from node.issuer.waci import WaciIssuing
from node.web.didcomm import answer_envelope, no_wallet_page
from node.web.problems import problems

_Tags: TypeAlias = "list[Tag | dict[str, Any]]"
_TAGS: Final[_Tags] = [{"name": "wallet"}]


def add_waci_routes(app: OpenAPI, waci: WaciIssuing, *, now_ms: Callable[[], int]) -> None:
    """Add the adapter's routes to an application."""

    @app.get("/waci/offers/<id>", tags=_TAGS)
    def explain_invitation(path: OfferPath) -> Response:  # noqa: ARG001 - part of the URL
        """Tell whoever opens an invitation in a browser how to answer it."""
        return no_wallet_page()

    @app.post(
        "/waci/offers/<id>",
        responses={
            200: {"content": {ENCRYPTED_TYPE: {"schema": {"type": "string"}}}},
            202: {"description": "The message was taken; it has no answer."},
            **problems(400, 413, 422, 503),
        },
        tags=_TAGS,
    )
    def receive_message(path: OfferPath) -> Response:
        """Take an encrypted message about an offer (WACI-DIDComm 1.0)."""
        return answer_envelope(
            request.get_data(),
            waci.identity(path.id),
            lambda message: waci.answer(path.id, message),
            now_s=now_ms() // 1000,
        )

"""Where the issuer publishes its status lists, in both forms: whole, so that it learns no entry.

Shared caches must ask whether a copy is still the newest (`no-cache`): one that is not would be
refused by every verifier that reads the ledger.
"""

from typing import Any, Final, Literal, TypeAlias

import structlog
from flask import Response, request
from flask_openapi.models.tag import Tag
from flask_openapi.openapi import OpenAPI
from flask_openapi.types import ResponseDict
from pydantic import BaseModel, Field

from client_sdk.credentials.token_status_list import STATUS_LIST_MEDIA_TYPE
from client_sdk.errors import FrostError
from client_sdk.verification.bitstring_reading import VC_JWT_MEDIA_TYPE
from node.errors import ApiError
from node.issuer.status_lists import StatusLists

_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.issuer")
_Tags: TypeAlias = "list[Tag | dict[str, Any]]"
_TAGS: Final[_Tags] = [{"name": "verifier"}]
_UNCHANGED: Final = {"description": "The copy that `If-None-Match` names is the newest."}
_TOKEN: Final[ResponseDict] = {
    200: {"content": {STATUS_LIST_MEDIA_TYPE: {"schema": {"type": "string"}}}},
    304: _UNCHANGED,
}
_CREDENTIAL: Final[ResponseDict] = {
    200: {"content": {VC_JWT_MEDIA_TYPE: {"schema": {"type": "string"}}}},
    304: _UNCHANGED,
}


class ListPath(BaseModel):
    """The id of a status list."""

    list: str = Field(pattern=r"^[0-9a-f]{32}$")


class PurposePath(ListPath):
    """One purpose of a status list."""

    purpose: Literal["revocation", "suspension"]


def add_status_routes(app: OpenAPI, *, status_lists: StatusLists) -> None:
    """Add the published status lists.

    Args:
        app: The application.
        status_lists: The issuer's.
    """

    @app.get("/status-lists/<list>", responses=_TOKEN, tags=_TAGS)
    def token_status_list(path: ListPath) -> Response:
        """Fetch a list as a Token Status List (draft-ietf-oauth-status-list section 8)."""
        return _serve(status_lists, path.list, None, STATUS_LIST_MEDIA_TYPE)

    @app.get("/status-lists/<list>/<purpose>", responses=_CREDENTIAL, tags=_TAGS)
    def bitstring_status_list(path: PurposePath) -> Response:
        """Fetch a list as a credential (Bitstring Status List 1.0 section 2.2)."""
        return _serve(status_lists, path.list, path.purpose, VC_JWT_MEDIA_TYPE)


def _serve(
    status_lists: StatusLists, list_id: str, purpose: str | None, media_type: str
) -> Response:
    if not request.accept_mimetypes.best_match([media_type]) and request.accept_mimetypes:
        raise ApiError(
            406, "not_acceptable", "No such form", f"The list is served as {media_type} only."
        )
    try:
        published = status_lists.publish(list_id, purpose)
    except FrostError as error:
        _log.error("authorities_unavailable", detail=str(error))
        raise ApiError(
            503,
            "authorities_unavailable",
            "The list is not signed now",
            "Too few of the issuer's authorities answered. Try again in a moment.",
        ) from None
    if published is None:
        raise ApiError(
            404, "no_such_list", "There is no such status list", "Check the credential's reference."
        )
    response = Response(published.body, content_type=media_type)
    response.headers["Cache-Control"] = "public, no-cache"
    # Section 8.2: a verifier may be a page in a browser.
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.set_etag(published.etag)
    response.make_conditional(request)
    return response

"""What the issuer publishes of itself; the same for everyone, so it may be cached."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from flask import Response, jsonify, request
from flask_openapi.models.tag import Tag
from flask_openapi.openapi import OpenAPI
from flask_openapi.types import ResponseDict

from chaincode.encoding import JsonObject
from client_sdk.openid4vci.issuer_metadata import IssuerMetadata
from client_sdk.openid4vci.server_metadata import ServerMetadata

_METADATA_AGE: Final = "public, max-age=300"
_Tags: TypeAlias = "list[Tag | dict[str, Any]]"
_TAGS: Final[_Tags] = [{"name": "wallet"}]
_OBJECT: Final[ResponseDict] = {200: {"content": {"application/json": {"schema": {}}}}}

_JSON: Final = "application/json"
_JWT: Final = "application/jwt"
_EITHER: Final[ResponseDict] = {200: {"content": {_JSON: {"schema": {}}, _JWT: {"schema": {}}}}}


def add_metadata_routes(
    app: OpenAPI,
    *,
    issuer: IssuerMetadata,
    server: ServerMetadata,
    keys: JsonObject,
    sign: Callable[[], str] | None,
) -> None:
    """Publish what the issuer says of itself; the same for everyone, so it may be cached.

    Args:
        app: The application.
        issuer: The issuer's metadata.
        server: The metadata of its authorization server, which is the same service.
        keys: The `jwt-vc-issuer` document.
        sign: Returns the issuer's metadata as a JWT; None where it is not signed.
    """

    @app.get("/.well-known/openid-credential-issuer", responses=_EITHER, tags=_TAGS)
    def issuer_metadata() -> Response:
        """Describe the issuer (OpenID4VCI 1.0 section 12.2)."""
        wanted = request.accept_mimetypes.best_match((_JSON, _JWT), default=_JSON)
        if sign is not None and wanted == _JWT:
            response = Response(sign(), content_type=_JWT)
            response.headers["Cache-Control"] = _METADATA_AGE
        else:
            response = _published(issuer.to_fields())
        response.headers["Vary"] = "Accept"
        return response

    @app.get("/.well-known/oauth-authorization-server", responses=_OBJECT, tags=_TAGS)
    def authorization_server_metadata() -> Response:
        """Describe the authorization server (RFC 8414)."""
        return _published(server.to_fields())

    @app.get("/.well-known/jwt-vc-issuer", responses=_OBJECT, tags=_TAGS)
    def issuer_keys() -> Response:
        """Publish the keys that credentials are signed with (SD-JWT VC section 3)."""
        return _published(keys)


def _published(fields: JsonObject) -> Response:
    response = jsonify(fields)
    response.headers["Cache-Control"] = _METADATA_AGE
    return response

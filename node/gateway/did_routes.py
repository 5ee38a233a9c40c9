"""DIDs resolved for anybody, over HTTP (W3C DID Resolution, HTTP(S) binding)."""

from typing import Any, Final, TypeAlias

from flask import Response, request
from flask_openapi.models.tag import Tag
from flask_openapi.openapi import OpenAPI
from flask_openapi.types import ResponseDict
from pydantic import BaseModel, Field

from chaincode.encoding import JsonObject
from client_sdk.did.document import MAX_DID_CHARS, DidDocument
from client_sdk.did.resolution import DidResolver
from client_sdk.errors import DidError, DidMethodError, DidNotFoundError
from client_sdk.strict_json import encode_json
from node.web.problems import problems

RESULT_TYPE: Final = "application/did-resolution"
DOCUMENT_TYPE: Final = "application/did"
_ERROR_URL: Final = "https://www.w3.org/ns/did#"
_SCHEMA: Final = {"schema": {"type": "object"}}
_RESPONSES: Final[ResponseDict] = {
    200: {"content": {RESULT_TYPE: _SCHEMA, DOCUMENT_TYPE: _SCHEMA}},
    **{status: {"content": {RESULT_TYPE: _SCHEMA}} for status in (400, 404, 406, 410, 501)},
    **problems(422, 429, 503),
}
_Tags: TypeAlias = "list[Tag | dict[str, Any]]"
_TAGS: Final[_Tags] = [{"name": "DID resolution"}]


class DidPath(BaseModel):
    """A DID."""

    did: str = Field(max_length=MAX_DID_CHARS, description="Such as `did:tegata:...`.")


def add_did_routes(app: OpenAPI, resolver: DidResolver) -> None:
    """Add the resolver's route to an application."""

    @app.get("/1.0/identifiers/<did>", responses=_RESPONSES, tags=_TAGS)
    def resolve_did(path: DidPath) -> Response:
        """Resolve a DID: the whole result, or the document alone, as `Accept` says."""
        accepted = request.accept_mimetypes.best_match([RESULT_TYPE, DOCUMENT_TYPE])
        if accepted is None:
            return _failure(
                406, "REPRESENTATION_NOT_SUPPORTED", f"{RESULT_TYPE} or {DOCUMENT_TYPE}"
            )
        try:
            document = resolver.resolve(path.did)
        except DidNotFoundError as error:
            return _failure(404, "NOT_FOUND", str(error))
        except DidMethodError as error:
            return _failure(501, "METHOD_NOT_SUPPORTED", str(error))
        except DidError as error:
            return _failure(400, "INVALID_DID", str(error))
        if accepted == DOCUMENT_TYPE and not document.is_deactivated:
            return _answer(200, document.to_json(), DOCUMENT_TYPE)
        return _success(document)


def _success(document: DidDocument) -> Response:
    result: JsonObject = {
        "didDocument": document.to_json(),
        "didResolutionMetadata": {"contentType": DOCUMENT_TYPE},
        "didDocumentMetadata": {"deactivated": True} if document.is_deactivated else {},
    }
    return _answer(410 if document.is_deactivated else 200, result, RESULT_TYPE)


def _failure(status: int, code: str, detail: str) -> Response:
    error: JsonObject = {
        "type": f"{_ERROR_URL}{code}",
        "title": code.replace("_", " ").capitalize(),
        "detail": detail,
    }
    result: JsonObject = {
        "didDocument": None,
        "didResolutionMetadata": {"error": error},
        "didDocumentMetadata": {},
    }
    return _answer(status, result, RESULT_TYPE)


def _answer(status: int, body: JsonObject, content_type: str) -> Response:
    return Response(encode_json(body), status=status, content_type=content_type)

"""The frame of every service: problems, limits, headers, documents, the log line."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from node.errors import ApiError
from node.web.app import create_api

SECRET = "Tanaka-Aiko-1990"


class Item(BaseModel):
    name: str = Field(max_length=8)
    count: int


class ItemPath(BaseModel):
    item_id: str


def make_client() -> FlaskClient:
    app = create_api("sample", "1.2.3", title="Sample", max_body_bytes=4096)

    @app.post("/items/<item_id>", responses={201: Item})
    def create_item(path: ItemPath, body: Item) -> tuple[dict[str, Any], int]:
        """Make an item."""
        if path.item_id == "refused":
            raise ApiError(409, "item_exists", "There is such an item", "Choose another id.")
        if path.item_id == "broken":
            raise RuntimeError(f"the database holds {SECRET}")
        return {"name": body.name, "count": body.count}, 201

    return app.test_client()


@pytest.fixture
def client() -> FlaskClient:
    return make_client()


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    with capture_logs() as entries:
        yield entries


def problem(response: TestResponse, status: int) -> dict[str, Any]:
    assert response.status_code == status
    assert response.content_type == "application/problem+json"
    value: dict[str, Any] = json.loads(response.data)
    assert value["status"] == status
    assert value["type"] == f"urn:tegata:problem:{value['code']}"
    assert value["title"]
    assert value["detail"]
    return value


def test_a_good_request(client: FlaskClient, logs: list[Any]) -> None:
    response = client.post(f"/items/{SECRET}?token={SECRET}", json={"name": "a", "count": 1})
    assert response.status_code == 201
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    (entry,) = logs
    assert entry.pop("duration_ms") >= 0
    assert entry == {
        "event": "request",
        "log_level": "info",
        "method": "POST",
        "path": "/items/<item_id>",
        "status": 201,
    }


def test_an_api_error(client: FlaskClient) -> None:
    value = problem(client.post("/items/refused", json={"name": "a", "count": 1}), 409)
    assert value == {
        "type": "urn:tegata:problem:item_exists",
        "title": "There is such an item",
        "status": 409,
        "detail": "Choose another id.",
        "code": "item_exists",
    }


def test_invalid_fields_are_named_and_never_repeated(client: FlaskClient, logs: list[Any]) -> None:
    response = client.post("/items/1", json={"name": SECRET, "count": SECRET})
    value = problem(response, 422)
    assert [item["field"] for item in value["errors"]] == ["name", "count"]
    assert SECRET not in response.text
    assert SECRET not in str(logs)


def test_an_unexpected_error_tells_the_outside_nothing(
    client: FlaskClient, logs: list[Any]
) -> None:
    response = client.post("/items/broken", json={"name": "a", "count": 1})
    problem(response, 500)
    assert "database" not in response.text
    failure = next(entry for entry in logs if entry["event"] == "unexpected_error")
    assert failure["error"] == "RuntimeError"
    assert any("create_item" in place for place in failure["at"])
    assert SECRET not in str(logs)


def test_errors_of_http(client: FlaskClient) -> None:
    assert problem(client.get("/nowhere"), 404)["code"] == "not_found"
    response = client.delete("/items/1")
    problem(response, 405)
    assert set(response.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}
    problem(client.post("/items/1", json={"name": "a" * 5000, "count": 1}), 413)
    problem(client.post("/items/1", data="a=1", content_type="text/plain"), 415)
    problem(client.post("/items/1"), 415)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1]",
        b'"text"',
        b'"{\\"name\\":\\"a\\",\\"count\\":1}"',
        b"null",
        b'{"name": NaN}',
        b'{"name": "\\ud800", "count": 1}',
        b'{"name": "\xff"}',
        b'{"a":' * 800,
        b"[" * 4000,
        b"9" * 4096,
    ],
)
def test_bodies_that_are_no_json_object(client: FlaskClient, body: bytes) -> None:
    response = client.post("/items/1", data=body, content_type="application/json")
    assert problem(response, 400)["code"] == "not_json"


_CLIENT = make_client()


@given(st.binary(max_size=200) | st.text().map(lambda text: json.dumps({"name": text}).encode()))
def test_no_body_makes_the_service_fail(body: bytes) -> None:
    response = _CLIENT.post("/items/1", data=body, content_type="application/json")
    assert response.status_code in {201, 400, 422}


def test_the_document_describes_the_service(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json
    assert document is not None
    assert document["openapi"].startswith("3.1")
    assert document["info"] == {"title": "Sample", "version": "1.2.3", "description": ""}
    operation = document["paths"]["/items/{item_id}"]["post"]
    assert operation["operationId"] == "create_item"
    assert operation["summary"] == "Make an item."
    assert "application/problem+json" in operation["responses"]["default"]["content"]
    assert "application/problem+json" in operation["responses"]["422"]["content"]
    assert set(document["components"]["schemas"]) >= {"Item", "Problem", "FieldProblem"}
    assert "/healthz" in document["paths"]


def test_health(client: FlaskClient) -> None:
    expected = {"status": "ok", "service": "sample", "version": "1.2.3"}
    assert client.get("/healthz").json == expected

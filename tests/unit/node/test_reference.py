"""The page of a service's interface: all that its document says, small, and without a script."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from support.browser import MAX_FIRST_VIEW_BYTES
from support.face_world import FaceWorld
from support.gateway_world import GatewayWorld
from support.issuer_world import IssuerWorld

from node.web.app import create_api
from node.web.reference import bounds_of, words_of

Service = Callable[[Path], Flask]
SERVICES: dict[str, Service] = {
    "face": lambda _: FaceWorld().app,
    "gateway": lambda folder: GatewayWorld(folder).app,
    "issuer": lambda folder: IssuerWorld(folder).app,
}


@pytest.mark.parametrize("make", SERVICES.values(), ids=SERVICES.keys())
def test_the_page_says_what_the_document_says(make: Service, tmp_path: Path) -> None:
    client = make(tmp_path).test_client()
    page, document = client.get("/docs"), client.get("/openapi.json").json
    assert page.status_code == 200
    assert document is not None
    places = re.findall(r' id="([^"]+)"', page.text)
    assert len(set(places)) == len(places)
    assert {f"schema-{name}" for name in document["components"]["schemas"]} <= set(places)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert operation["operationId"] in places
            assert f"{method.upper()}</strong> {path}</code>" in page.text
    links = re.findall(r'(?:href|src|action)="([^"]*)"', page.text)
    assert {link.removeprefix("#") for link in links if link.startswith("#")} <= set(places)
    loaded = re.findall(r'<link [^>]*href="([^"]+)"', page.text)
    assert set(links) - set(loaded) - {"/openapi.json"} == {
        link for link in links if link.startswith("#")
    }
    sizes = [len(page.data)]
    for style in loaded:
        with client.get(style) as sent:
            sizes.append(len(sent.data))
    assert len(sizes) == 3
    assert sum(sizes) < MAX_FIRST_VIEW_BYTES, sizes


def test_nothing_on_it_runs() -> None:
    app = create_api(
        "sample", "1", title="A <b>title", description="`code`, <script>alert()</script>"
    )
    page = app.test_client().get("/docs")
    assert "<code>code</code>" in page.text
    assert "<script" not in page.text
    assert "A &lt;b&gt;title" in page.text
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; ")
    assert "script-src" not in policy
    for name in ("other.css", "../reference.py", "..%2freference.py"):
        assert app.test_client().get(f"/docs/{name}").status_code == 404


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"$ref": "#/components/schemas/Item"}, "[Item]"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Item"}}, "list of [Item]"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string or null"),
        ({"allOf": [{"$ref": "#/components/schemas/Item"}]}, "[Item]"),
        ({"type": "object", "oneOf": [{"required": ["a"]}]}, "object"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "object of integer"),
        ({"type": ["integer", "null"]}, "integer or null"),
        ({"enum": ["a", "手形"]}, '"a" or "手形"'),
        ({"const": 1}, "1"),
        ({}, "anything"),
    ],
)
def test_what_a_value_is_stands_in_words(schema: dict[str, Any], words: str) -> None:
    assert "".join(f"[{text}]" if name else text for text, name in words_of(schema)) == words


def test_its_bounds_stand_beside_it() -> None:
    schema = {
        "anyOf": [{"type": "integer", "minimum": 0.0, "maximum": 12}, {"type": "null"}],
        "default": 3,
    }
    assert bounds_of(schema) == ["at least 0", "at most 12", "by default 3"]
    assert bounds_of({"type": "string", "pattern": "^a{2}$"}) == ["matches ^a{2}$"]

"""The page on which a service's interface is read: its OpenAPI document, without a script.

A page that calls the service from the browser would weigh two megabytes and ask people to paste
tokens into it; every tool that calls a service by its document takes `/openapi.json`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

from flask import Flask, Response, request, send_from_directory
from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

_Schema = Mapping[str, Any]
_METHODS: Final = ("get", "put", "post", "delete", "patch", "head", "options", "trace")
_STYLES: Final = ("web.css", "reference.css")
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_BOUNDS: Final = {
    "format": "format {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {}",
    "maxItems": "at most {}",
    "minimum": "at least {:g}",
    "exclusiveMinimum": "more than {:g}",
    "maximum": "at most {:g}",
    "exclusiveMaximum": "less than {:g}",
    "pattern": "matches {}",
}
_markdown: Final = MarkdownIt("commonmark", {"html": False})


def add_reference(app: Flask, describe: Callable[[], Mapping[str, Any]]) -> None:
    """Give a service `/docs`.

    Args:
        app: The service.
        describe: Returns its OpenAPI document, once all routes are there; called at the first look.
    """
    static = str(files("node.web") / "static")

    @cache
    def page() -> str:
        document = describe()
        return (
            _environment()
            .get_template("web/reference.html")
            .render(
                document=document,
                chapters=_chapters(document),
                schemas=document.get("components", {}).get("schemas", {}),
                styles=_STYLES,
            )
        )

    @app.route("/docs")
    def docs_page() -> Response:
        response = Response(page(), content_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = _POLICY
        return response

    def docs_style() -> Response:
        return send_from_directory(static, request.path.rpartition("/")[2], max_age=3600)

    for name in _STYLES:
        app.add_url_rule(f"/docs/{name}", f"docs_{name}", docs_style)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("node.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        words=words_of, bounds=bounds_of, markdown=_as_markup, problems=_problems, told=_told
    )
    return environment


def _chapters(document: Mapping[str, Any]) -> dict[str, list[tuple[str, str, Mapping[str, Any]]]]:
    """Return method, path and operation of each route, under the first of its tags."""
    chapters: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {
        tag["name"]: [] for tag in document.get("tags", ())
    }
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                (chapter, *_) = item[method].get("tags") or ["service"]
                chapters.setdefault(chapter, []).append((method.upper(), path, item[method]))
    return {name: found for name, found in chapters.items() if found}


def words_of(schema: _Schema) -> list[tuple[str, str]]:
    """Return what a value is, in words; each with the name of the schema that it stands for.

    Args:
        schema: A JSON Schema, as OpenAPI 3.1 has it.
    """
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return [(name, name)]
    for keyword, between in (("anyOf", " or "), ("oneOf", " or "), ("allOf", " and ")):
        options = [words_of(option) for option in schema.get(keyword, ()) if _is_typed(option)]
        if options:
            return _joined(options, between)
    if values := schema.get("enum", [schema["const"]] if "const" in schema else []):
        return [(" or ".join(json.dumps(one, ensure_ascii=False) for one in values), "")]
    kind = schema.get("type", "anything")
    if kind == "array":
        return [("list of ", ""), *words_of(schema.get("items", {}))]
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return [("object of ", ""), *words_of(schema["additionalProperties"])]
    return [(kind if isinstance(kind, str) else " or ".join(kind), "")]


def bounds_of(schema: _Schema) -> list[str]:
    """Return what else holds of a value: its bounds, pattern and default."""
    options = [schema, *(option for key in ("anyOf", "oneOf") for option in schema.get(key, ()))]
    bounds = [
        text.format(option[key])
        for option in options
        for key, text in _BOUNDS.items()
        if key in option
    ]
    if schema.get("default") is not None:
        bounds.append(f"by default {json.dumps(schema['default'], ensure_ascii=False)}")
    return bounds


def _is_typed(schema: _Schema) -> bool:
    return not schema.keys().isdisjoint(
        ("$ref", "anyOf", "oneOf", "allOf", "const", "enum", "type")
    )


def _joined(parts: Sequence[list[tuple[str, str]]], between: str) -> list[tuple[str, str]]:
    first, *others = parts
    return first + [word for part in others for word in ((between, ""), *part)]


def _as_markup(text: str) -> Markup:
    # It escapes what is no Markdown.
    return Markup(_markdown.render(text))  # noqa: S704


def _problems(responses: Mapping[str, Any]) -> list[str]:
    """Return the statuses that answer with a problem (RFC 9457)."""
    return sorted(status for status in responses if _is_problem(responses[status]))


def _told(responses: Mapping[str, Any]) -> dict[str, Any]:
    """Return the other answers."""
    return {status: found for status, found in responses.items() if not _is_problem(found)}


def _is_problem(response: Mapping[str, Any]) -> bool:
    return "application/problem+json" in response.get("content", {})

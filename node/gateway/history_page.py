"""The verifier's history, as long as the gateway keeps it, and its export."""

import csv
import io
from datetime import UTC, datetime
from typing import Any, Final

from flask import Blueprint, Response, jsonify, render_template, request, url_for

from node.gateway.page_words import STATES
from node.gateway.store import StoredRequest
from node.gateway.verifier_page import VerifierDesk, describe_attribute, describe_state
from node.web.languages import gettext

PAGE_SIZE: Final = 50
MAX_EXPORTED: Final = 10_000
_LAST_PAGE: Final = 1 << 32
"""Beyond it no database counts."""
_COLUMNS: Final = (
    "id",
    "asked_at",
    "purpose",
    "requested",
    "status",
    "failed_checks",
    "attributes",
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes a cell that begins so for: a formula."""


def add_history(blueprint: Blueprint, desk: VerifierDesk) -> None:
    """Add the list of requests, and its two exports."""
    presentations = desk.presentations

    @blueprint.get("/history")
    def history() -> str:
        number = min(max(1, request.args.get("page", 1, type=int)), _LAST_PAGE)
        found = presentations.page(
            desk.verifier(), skip=(number - 1) * PAGE_SIZE, limit=PAGE_SIZE + 1
        )
        return render_template(
            "verifier/history.html",
            rows=[
                {
                    "url": url_for("verifier.show", request_id=stored.id),
                    "asked_at_ms": presentations.asked_at_ms(stored),
                    "requested": [describe_attribute(name) for name in stored.attributes],
                    "purpose": stored.purpose,
                    "state": gettext(STATES[describe_state(presentations, stored)]),
                }
                for stored in found[:PAGE_SIZE]
            ],
            number=number,
            has_more=len(found) > PAGE_SIZE,
        )

    @blueprint.get("/history.json")
    def export_json() -> Response:
        return _as_file(jsonify([_exported(desk, stored) for stored in _all(desk)]), "json")

    @blueprint.get("/history.csv")
    def export_csv() -> Response:
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(_COLUMNS)
        for stored in _all(desk):
            writer.writerow([_cell(value) for value in _exported(desk, stored).values()])
        # With the mark by which spreadsheets know UTF-8.
        body = text.getvalue().encode("utf-8-sig")
        return _as_file(Response(body, content_type="text/csv; charset=utf-8"), "csv")


def _all(desk: VerifierDesk) -> list[StoredRequest]:
    return desk.presentations.page(desk.verifier(), skip=0, limit=MAX_EXPORTED)


def _exported(desk: VerifierDesk, stored: StoredRequest) -> dict[str, Any]:
    """Return what is exported of a request: the values only while the gateway still has them."""
    presentations = desk.presentations
    state = describe_state(presentations, stored)
    checks = [] if state == "answered" else stored.checks or []
    asked_at = datetime.fromtimestamp(presentations.asked_at_ms(stored) / 1000, tz=UTC)
    return {
        "id": stored.id,
        "asked_at": asked_at.isoformat(),
        "purpose": stored.purpose,
        "requested": stored.attributes,
        "status": state,
        "failed_checks": [check["name"] for check in checks if check["passed"] is False],
        "attributes": stored.shown if state == "accepted" else None,
    }


def _cell(value: Any) -> str:
    if isinstance(value, list):
        value = " ".join(value)
    elif isinstance(value, dict):
        value = "; ".join(f"{name}: {item}" for name, item in value.items())
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _as_file(response: Response, ending: str) -> Response:
    response.headers["Content-Disposition"] = f'attachment; filename="tegata-history.{ending}"'
    return response

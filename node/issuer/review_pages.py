"""At the counter: offers that wait until a colleague has compared them with the person's papers."""

from typing import Final

import structlog
from flask import Blueprint, g, render_template, request
from flask.typing import ResponseReturnValue

from node.errors import ApiError
from node.issuer.offer_pages import SEXES
from node.issuer.reviews import Reviews
from node.web.languages import gettext, gettext_noop

_REVIEW_STATES: Final = {
    "waiting": gettext_noop("waiting for a decision"),
    "approved": gettext_noop("approved"),
    "refused": gettext_noop("refused"),
}
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.issuer")


def add_review_pages(blueprint: Blueprint, reviews: Reviews) -> None:
    """Add the pages.

    Args:
        blueprint: The counter's pages.
        reviews: Offers that are reviewed.
    """

    def review_page(code: str | None = None, refusal: str | None = None) -> str:
        found = None if code is None else reviews.find(code)
        return render_template(
            "counter/review.html",
            code=code,
            found=found,
            state=None if found is None else gettext(_REVIEW_STATES[found.state]),
            sexes=SEXES,
            refusal=refusal,
        )

    @blueprint.get("/reviews")
    def review() -> str:
        return review_page()

    @blueprint.post("/reviews")
    def look_up() -> ResponseReturnValue:
        code = request.form.get("code", "").strip()
        try:
            # By post: a code in an address would stand in logs and histories.
            if (decision := request.form.get("decision")) is not None:
                is_approved = decision == "approve"
                reviews.decide(code, approved=is_approved)
                did = "approve" if is_approved else "refuse"
                _log.info("counter", by=g.person.name, did=did)
            return review_page(code)
        except ApiError as error:
            return review_page(refusal=error.detail), error.status

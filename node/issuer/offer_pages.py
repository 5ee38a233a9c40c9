"""At the counter: offer a person a credential, give a code for an account."""

import base64
from typing import Any, Final

import structlog
from flask import Blueprint, g, render_template, request
from flask.typing import ResponseReturnValue
from pydantic import ValidationError

from client_sdk.errors import CredentialFormatError
from node.issuer.accounts import Accounts
from node.issuer.offer_routes import NewOffer, make_offer
from node.issuer.offers import Offers
from node.web.languages import gettext, gettext_noop
from node.web.qr import qr_picture

SEXES: Final = {
    "0": gettext_noop("not known"),
    "1": gettext_noop("male"),
    "2": gettext_noop("female"),
    "9": gettext_noop("not applicable"),
}
"""ISO/IEC 5218."""
_TEXTS: Final = ("name", "address", "municipality", "birth_date", "sex")
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.issuer")


def add_offer_pages(
    blueprint: Blueprint,
    *,
    offers: Offers,
    accounts: Accounts,
    takes_cards: bool,
    tests_faces: bool,
) -> None:
    """Add the pages.

    Args:
        blueprint: The counter's pages.
        offers: The issuer's offers.
        accounts: Makes enrolment codes.
        takes_cards: Whether My Number cards are taken.
        tests_faces: Whether holders' faces are tested before a credential is issued.
    """

    def form_page(entered: dict[str, str], refusal: str | None = None) -> str:
        return render_template(
            "counter/offer.html",
            sexes=SEXES,
            entered=entered,
            refusal=refusal,
            takes_cards=takes_cards,
            tests_faces=tests_faces,
        )

    @blueprint.get("/")
    def offer() -> str:
        return form_page({})

    @blueprint.post("/offers")
    def make() -> ResponseReturnValue:
        entered = {name: request.form.get(name, "").strip() for name in (*_TEXTS, "reference")}
        try:
            made = make_offer(offers, NewOffer.model_validate(_body(entered)))
        except ValidationError as error:
            # The field and what is expected, never what was entered.
            problems = error.errors(include_input=False, include_url=False, include_context=False)
            text = "; ".join(f"{found['loc'][-1]}: {found['msg']}" for found in problems)
            return form_page(entered, refusal=text), 422
        except CredentialFormatError as error:
            return form_page(entered, refusal=str(error)), 422
        _log.info("counter", by=g.person.name, did="offer", reference=entered["reference"] or None)
        # Shown in the answer itself: nobody can read it again.
        page = render_template(
            "counter/made_offer.html",
            made=made,
            by_card="card" in request.form,
            picture=qr_picture(made.link, label=gettext("QR code of the offer")),
        )
        return page, 201

    @blueprint.post("/enrolments")
    def enrol() -> ResponseReturnValue:
        made = accounts.create_code()
        _log.info("counter", by=g.person.name, did="enrolment")
        picture = qr_picture(made.code, label=gettext("QR code of the enrolment code"))
        return render_template("counter/enrolment.html", made=made, picture=picture), 201


def _body(entered: dict[str, str]) -> dict[str, Any]:
    """Return the form as the body that programs send."""
    portrait = None
    if (file := request.files.get("portrait")) is not None and file.filename:
        portrait = base64.b64encode(file.read()).decode("ascii")
    reference = entered["reference"] or None
    if "card" in request.form:
        return {"card": {"portrait": portrait}, "reference": reference}
    return {
        "attributes": {**{name: entered[name] for name in _TEXTS}, "portrait": portrait},
        "reference": reference,
        "review": "review" in request.form,
    }

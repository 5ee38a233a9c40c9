"""At the counter: offer a person a credential, give a code for an account."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog
from flask import Blueprint, Response, g, make_response, render_template, request
from flask.typing import ResponseReturnValue
from pydantic import ValidationError

from client_sdk.errors import CredentialFormatError
from node.issuer.accounts import Accounts
from node.issuer.cards import Cards
from node.issuer.errors import ProtocolError, log_refusal
from node.issuer.offer_desk import OfferDesk
from node.issuer.offer_routes import NewOffer
from node.web.languages import gettext, gettext_noop
from node.web.pages import page_policy
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


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferForm:
    """The first page of the counter.

    Attributes:
        takes_cards: Whether My Number cards are taken.
        reader: Where browsers find the card reader of their own desk; None where there is none.
        tests_faces: Whether faces are tested before an offer is made.
        tests_faces_later: Whether they are before a credential is issued.
    """

    takes_cards: bool
    reader: str | None
    tests_faces: bool
    tests_faces_later: bool

    def show(self, entered: dict[str, str], refusal: str | None = None) -> Response:
        """Return the page, with what was entered before, and what was wrong with it."""
        page = render_template(
            "counter/offer.html", form=self, sexes=SEXES, entered=entered, refusal=refusal
        )
        response = make_response(page)
        if self.reader is not None:
            policy = page_policy(connect_src=f"'self' {self.reader}")
            response.headers["Content-Security-Policy"] = policy
        return response

    def refusing(
        self, answer: Callable[[], ResponseReturnValue], entered: dict[str, str]
    ) -> ResponseReturnValue:
        """Return an answer; the page again, with what was entered, where that is a refusal."""
        try:
            return answer()
        except ValidationError as error:
            # The field and what is expected, never what was entered.
            problems = error.errors(include_input=False, include_url=False, include_context=False)
            text = "; ".join(f"{found['loc'][-1]}: {found['msg']}" for found in problems)
            return self.show(entered, refusal=text), 422
        except CredentialFormatError as error:
            return self.show(entered, refusal=str(error)), 422
        except ProtocolError as error:
            log_refusal(error)
            return self.show(entered, refusal=str(error)), 503 if error.status == 503 else 422


def add_offer_pages(
    blueprint: Blueprint, desk: OfferDesk, form: OfferForm, *, accounts: Accounts
) -> None:
    """Add the pages.

    Args:
        blueprint: The counter's pages.
        desk: Makes offers.
        form: The first page.
        accounts: Makes enrolment codes.
    """

    @blueprint.get("/")
    def offer() -> Response:
        return form.show({})

    @blueprint.post("/offers")
    def make() -> ResponseReturnValue:
        entered = {name: request.form.get(name, "").strip() for name in (*_TEXTS, "reference")}
        return form.refusing(lambda: desk.begin(NewOffer.model_validate(_body(entered))), entered)

    @blueprint.post("/enrolments")
    def enrol() -> ResponseReturnValue:
        made = accounts.create_code()
        _log.info("counter", by=g.person.name, did="enrolment")
        picture = qr_picture(made.code, label=gettext("QR code of the enrolment code"))
        return render_template("counter/enrolment.html", made=made, picture=picture), 201


def add_card_pages(blueprint: Blueprint, desk: OfferDesk, form: OfferForm, cards: Cards) -> None:
    """Add the pages for a card on the reader of a desk.

    Args:
        blueprint: The counter's pages.
        desk: Makes offers.
        form: The first page.
        cards: Takes the proofs of cards.
    """

    @blueprint.post("/cards")
    def take_card() -> ResponseReturnValue:
        """Show what the card proved."""

        def show() -> str:
            proven = cards.read(request.form.get("proof", ""), request.form.get("nonce", ""))
            attributes = {
                **{name: getattr(proven, name) for name in ("name", "address", "municipality")},
                "birth_date": proven.birth_date.isoformat(),
                "sex": proven.sex,
                "portrait": request.form.get("portrait") or None,
            }
            reference = request.form.get("reference", "").strip() or None
            body = NewOffer.model_validate({"attributes": attributes, "reference": reference})
            _log.info("counter", by=g.person.name, did="card", reference=reference)
            return render_template(
                "counter/person.html",
                attributes=attributes,
                reference=reference,
                sexes=SEXES,
                case=desk.seal(body),
                tests_faces=form.tests_faces,
            )

        return form.refusing(show, {})

    @blueprint.post("/cases")
    def go_on() -> ResponseReturnValue:
        """Go on to the offer, or to the face test before it."""
        _, body = desk.open()
        return form.refusing(lambda: desk.begin(body), {})


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

"""From what the counter knows of a person to an offer: at once, or after a face test (ADR 0081)."""

from dataclasses import dataclass
from typing import Final

import structlog
from flask import g, render_template, request
from flask.typing import ResponseReturnValue

from client_sdk.errors import CredentialFormatError
from node.issuer.attributes import parse_portrait
from node.issuer.cases import Cases
from node.issuer.errors import ProtocolError, log_refusal
from node.issuer.face_tests import FaceCase, FaceSubject, FaceTests
from node.issuer.offer_routes import NewOffer, make_offer, read_attributes
from node.issuer.offers import Offers
from node.web.languages import gettext
from node.web.qr import qr_picture

_OFFER: Final = "offer"
_FACE: Final = "face"
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.issuer")


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferDesk:
    """Where offers are made, by whoever is logged in.

    Attributes:
        offers: The issuer's offers.
        cases: Seals what is under way.
        face_tests: Has faces tested before an offer is made; None where that is not asked for.
        account: The issuer's ledger account, in whose name faces are tested.
    """

    offers: Offers
    cases: Cases
    face_tests: FaceTests | None
    account: str

    def begin(self, body: NewOffer) -> ResponseReturnValue:
        """Make an offer, or first have the face tested.

        Raises:
            CredentialFormatError: It cannot be attested, or there is no portrait.
            ApiError: This issuer takes no cards.
        """
        if self.face_tests is None:
            return self.make(body)
        return self.test_face(self.face_tests, self.seal(body), body)

    def make(self, body: NewOffer) -> ResponseReturnValue:
        """Make an offer, and show it.

        Raises:
            CredentialFormatError: It cannot be attested.
            ApiError: This issuer takes no cards.
        """
        made = make_offer(self.offers, body)
        _log.info("counter", by=g.person.name, did="offer", reference=body.reference)
        # Shown in the answer itself: nobody can read it again.
        page = render_template(
            "counter/made_offer.html",
            made=made,
            by_card=body.card is not None,
            picture=qr_picture(made.link, label=gettext("QR code of the offer")),
        )
        return page, 201

    def seal(self, body: NewOffer) -> str:
        """Return what is to be offered, as pages carry it."""
        fields = body.model_dump(mode="json")
        return self.cases.seal(fields, kind=_OFFER, by=g.person.name)

    def open(self) -> tuple[str, NewOffer]:
        """Return what the form that was sent carries, sealed and opened.

        Raises:
            CaseOverError: It is not this person's, or too old.
        """
        case = request.form.get("case", "")
        fields = self.cases.open(case, kind=_OFFER, by=g.person.name)
        return case, NewOffer.model_validate(fields)

    def open_test(self) -> tuple[str, FaceCase]:
        """Return the face test that the form that was sent carries, sealed and opened.

        Raises:
            CaseOverError: It is not this person's, or too old.
        """
        sealed = request.form.get("face", "")
        return sealed, FaceCase.from_fields(self.cases.open(sealed, kind=_FACE, by=g.person.name))

    def subject(self, tests: FaceTests, case: str, body: NewOffer) -> FaceSubject:
        """Return whose face is tested.

        Raises:
            CredentialFormatError: It cannot be attested, or there is no portrait.
        """
        if body.attributes is not None:
            attributes = read_attributes(body.attributes)
            self.offers.check(attributes)
            portrait = attributes.portrait
        else:
            text = None if body.card is None else body.card.portrait
            portrait = None if text is None else parse_portrait(text)
        if portrait is None:
            raise CredentialFormatError("portrait: one is needed, to compare the face with")
        return tests.subject_at_counter(case, portrait, self.account)

    def test_face(
        self, tests: FaceTests, case: str, body: NewOffer, *, state: str = "waiting"
    ) -> ResponseReturnValue:
        """Have a face test made, and show where.

        Raises:
            CredentialFormatError: It cannot be attested, or there is no portrait.
        """
        subject = self.subject(tests, case, body)
        try:
            test = tests.begin(subject)
        except ProtocolError as error:
            return refuse_test(case, error)
        _log.info("counter", by=g.person.name, did="face_test")
        sealed = self.cases.seal(test.to_fields(), kind=_FACE, by=g.person.name)
        return show_test(case, test, sealed, state=state), 201


def show_test(case: str, test: FaceCase, sealed: str, *, state: str) -> str:
    """Return the page of a face test.

    Args:
        case: What is to be offered, sealed.
        test: The test.
        sealed: The same, sealed.
        state: `waiting` for the person; `refused`: the test before was not passed; `unreachable`:
            the face service does not answer now.
    """
    return render_template(
        "counter/face.html",
        case=case,
        link=test.page_link,
        face=sealed,
        state=state,
        detail=None,
        picture=qr_picture(test.page_link, label=gettext("QR code of the face test")),
    )


def refuse_test(case: str, error: ProtocolError) -> ResponseReturnValue:
    """Return the page that tells why no face test was made; nothing is lost."""
    log_refusal(error)
    page = render_template(
        "counter/face.html",
        case=case,
        link=None,
        face=None,
        state="unreachable" if error.status == 503 else "not_made",
        detail=str(error),
        picture=None,
    )
    return page, error.status

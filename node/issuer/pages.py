"""The pages of the issuer: those of its counter, and the one where a resident lets a wallet in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from flask import Flask, redirect
from werkzeug.wrappers import Response

from node.issuer.accounts import Accounts
from node.issuer.cards import Cards
from node.issuer.cases import Cases
from node.issuer.config import IssuerConfig
from node.issuer.credential_pages import add_credential_pages
from node.issuer.face_pages import add_face_pages
from node.issuer.face_tests import FaceTests
from node.issuer.offer_desk import OfferDesk
from node.issuer.offer_pages import OfferForm, add_card_pages, add_offer_pages
from node.issuer.offers import Offers
from node.issuer.review_pages import add_review_pages
from node.issuer.reviews import Reviews
from node.issuer.revocations import Revocations
from node.issuer.store import IssuerStore
from node.web.languages import gettext_noop
from node.web.logins import Logins
from node.web.pages import NavigationItem, Pages
from node.web.rate_limit import RateLimiter

HOME: Final = "/counter/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """What the counter's pages work on.

    Attributes:
        offers: The issuer's offers.
        accounts: Makes enrolment codes.
        reviews: Offers that are reviewed.
        revocations: Changes the states of credentials.
        store: Which credentials and batches there are.
        cards: Takes the proofs of My Number cards; None where none are taken.
        face_tests: Has faces tested; None where nobody does.
    """

    offers: Offers
    accounts: Accounts
    reviews: Reviews
    revocations: Revocations
    store: IssuerStore
    cards: Cards | None
    face_tests: FaceTests | None


def create_pages(
    app: Flask,
    config: IssuerConfig,
    *,
    session_key: bytes,
    limiter: RateLimiter,
    now_ms: Callable[[], int],
) -> Pages:
    """Return the frame of the issuer's pages.

    Args:
        app: The application.
        config: The configuration; it says who may log in, if anybody.
        session_key: What sessions are signed with.
        limiter: Counts the tries to log in.
        now_ms: The clock: milliseconds since 1970, UTC.
    """
    logins = None
    if config.logins:
        logins = Logins(config.logins, home=HOME, limiter=limiter, now_s=lambda: now_ms() / 1000)
    return Pages(
        app,
        service="issuer",
        title=gettext_noop("Tegata issuer's counter"),
        session_key=session_key,
        is_secure=config.public_url.startswith("https:"),
        logins=logins,
    )


def add_counter_pages(
    app: Flask, pages: Pages, config: IssuerConfig, counter: Counter, *, cases: Cases
) -> None:
    """Add the counter's pages to an application.

    Args:
        app: The application.
        pages: The frame of its pages, with logins.
        config: The configuration.
        counter: What they work on.
        cases: Seals what is under way at the counter.
    """
    blueprint = pages.blueprint(
        "counter",
        "node.issuer",
        url_prefix="/counter",
        navigation=(
            NavigationItem(endpoint="counter.offer", label=gettext_noop("Offer")),
            NavigationItem(endpoint="counter.review", label=gettext_noop("Review")),
            NavigationItem(endpoint="counter.list_credentials", label=gettext_noop("Credentials")),
            NavigationItem(endpoint="counter.list_batches", label=gettext_noop("Batches")),
        ),
    )
    is_tested_here = config.face is not None and config.face.at == "counter"
    face_tests = counter.face_tests if is_tested_here else None
    desk = OfferDesk(
        offers=counter.offers, cases=cases, face_tests=face_tests, account=config.ledger.account
    )
    form = OfferForm(
        takes_cards=counter.cards is not None,
        reader=None if config.card is None else config.card.reader,
        tests_faces=face_tests is not None,
        tests_faces_later=config.face is not None and not is_tested_here,
    )
    add_offer_pages(blueprint, desk, form, accounts=counter.accounts)
    if counter.cards is not None:
        add_card_pages(blueprint, desk, form, counter.cards)
    if face_tests is not None:
        add_face_pages(blueprint, desk, face_tests)
    add_review_pages(blueprint, counter.reviews)
    add_credential_pages(blueprint, store=counter.store, revocations=counter.revocations)
    app.register_blueprint(blueprint)

    @app.route("/")
    def first_page() -> Response:
        return redirect(HOME)

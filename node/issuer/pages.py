"""The pages of the issuer's counter: offers, reviews, credentials, batches."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from flask import Blueprint, Flask, redirect
from werkzeug.wrappers import Response

from node.issuer.accounts import Accounts
from node.issuer.config import IssuerConfig
from node.issuer.credential_pages import add_credential_pages
from node.issuer.offer_pages import add_offer_pages
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
        takes_cards: Whether My Number cards are taken.
        tests_faces: Whether holders' faces are tested before a credential is issued.
    """

    offers: Offers
    accounts: Accounts
    reviews: Reviews
    revocations: Revocations
    store: IssuerStore
    takes_cards: bool
    tests_faces: bool


def add_pages(
    app: Flask,
    config: IssuerConfig,
    counter: Counter,
    *,
    session_key: bytes,
    limiter: RateLimiter,
    now_ms: Callable[[], int],
) -> None:
    """Add the counter's pages to an application.

    Args:
        app: The application.
        config: The configuration; it says who may log in.
        counter: What they work on.
        session_key: What sessions are signed with.
        limiter: Counts the tries to log in.
        now_ms: The clock: milliseconds since 1970, UTC.
    """
    pages = Pages(
        app,
        service="issuer",
        title=gettext_noop("Tegata issuer's counter"),
        session_key=session_key,
        is_secure=config.public_url.startswith("https:"),
        logins=Logins(config.logins, home=HOME, limiter=limiter, now_s=lambda: now_ms() / 1000),
    )
    blueprint: Blueprint = pages.blueprint(
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
    add_offer_pages(
        blueprint,
        offers=counter.offers,
        accounts=counter.accounts,
        takes_cards=counter.takes_cards,
        tests_faces=counter.tests_faces,
    )
    add_review_pages(blueprint, counter.reviews)
    add_credential_pages(blueprint, store=counter.store, revocations=counter.revocations)
    app.register_blueprint(blueprint)

    @app.route("/")
    def first_page() -> Response:
        return redirect(HOME)

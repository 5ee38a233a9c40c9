"""The credentials, and how new ones and requests come in: scanned, pasted, offered."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Final

from flask import Blueprint, abort, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from client_sdk.credentials.resident import RESIDENT_CLAIMS
from client_sdk.errors import OfferError
from client_sdk.openid4vci.token_client import CardProver
from client_sdk.wallet.records import StoredCredential
from node.wallet.desk import RESUMING, Desk, OfferOnDesk
from node.wallet.errands import Receive, ReceiveByCard, Resume
from node.wallet.guard_watch import GuardWatch
from node.wallet.job_pages import do
from node.wallet.jobs import Job
from node.wallet.links import kind_of
from node.wallet.my_number_card import card_prover
from node.wallet.recovery_errands import is_recovering
from node.wallet.scanner import find_code
from node.wallet.words import (
    ShownValue,
    attribute_name,
    credential_name,
    show_value,
)
from node.web.languages import gettext_noop

_ON_CARD: Final = ("name", "municipality")
"""What a card in the list says: enough to tell two apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A credential, or one-time credentials of one kind, in the list.

    Attributes:
        record_id: The record's id.
        name: What kind of credential it is.
        issuer: Its issuer's account.
        expires_at_ms: Milliseconds since 1970, UTC.
        is_expired: Whether that has passed.
        rows: What it says, in short.
        left: Of one-time credentials, how many can still be shown; None for others.
    """

    record_id: str
    name: str
    issuer: str
    expires_at_ms: int
    is_expired: bool
    rows: tuple[tuple[str, ShownValue], ...] = field(repr=False)
    left: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLink:
    """Read a link that was scanned or pasted, and lay what it is on the desk."""

    desk: Desk
    link: str = field(repr=False)

    def __call__(self, job: Job) -> str:
        """Fetch and verify it; nothing is accepted or shown."""
        kind = kind_of(self.link)
        if kind == "card":
            return "/recovery"
        job.begin(gettext_noop("The link is read, and what it leads to is verified."))
        with self.desk.keeper.use() as wallet:
            if kind == "offer":
                review = wallet.issuance.read_offer(self.link)
                key = self.desk.offers.add(OfferOnDesk(link=self.link, review=review))
                return f"/offers/{key}"
            return (
                f"/requests/{self.desk.requests.add(wallet.presentation.read_request(self.link))}"
            )


def add_credential_pages(wallet: Blueprint, desk: Desk) -> None:
    """Add the list of credentials, and the page of each."""
    keeper, watch = desk.keeper, GuardWatch(desk.keeper)

    @wallet.get("/")
    def home() -> str:
        """List the credentials, and what should be done next."""
        with keeper.use() as opened:
            return render_template(
                "wallet/home.html",
                cards=_cards(opened.credentials),
                is_registered=opened.is_registered,
                is_protected=opened.is_protected,
                has_reader=desk.card_reader is not None,
                is_recovering=is_recovering(opened),
                waiting=len(opened.issuance.pending),
                threat=watch.threat(),
                jobs=desk.jobs.under_way(),
            )

    @wallet.get("/credentials/<record_id>")
    def credential(record_id: str) -> str:
        """Show all that a credential says."""
        with keeper.use() as opened:
            claims = opened.attributes(record_id)
            stored = next(one for one in opened.credentials if one.record_id == record_id)
        known = [name for name in RESIDENT_CLAIMS if name in claims]
        names = [*known, *(name for name in claims if name not in known)]
        return render_template(
            "wallet/credential.html",
            name=credential_name(stored.credential_type),
            credential=stored,
            rows=[(attribute_name((name,)), show_value((name,), claims[name])) for name in names],
        )


def add_link_pages(wallet: Blueprint, desk: Desk) -> None:
    """Add the scanner."""
    keeper = desk.keeper

    @wallet.get("/scan")
    def scan() -> str:
        """Show what the camera sees, and a field to paste a link into."""
        with keeper.use():
            return render_template("wallet/scan.html", has_reader=desk.card_reader is not None)

    @wallet.post("/scan/picture")
    def read_picture() -> ResponseReturnValue:
        """Look for a QR code in a picture of the camera: grey values, row by row."""
        # Also before there is a wallet: a recovery card is scanned then.
        with keeper.use() if keeper.is_made else nullcontext():
            text = find_code(request.get_data(), width=request.args.get("width", 0, type=int))
        return jsonify(text=text)

    @wallet.post("/links")
    def open_link() -> ResponseReturnValue:
        """Open a link that was scanned or pasted."""
        link = "".join(request.form.get("link", "").split())
        work = OpenLink(desk=desk, link=link)
        return do(desk, gettext_noop("Reading the link"), work, back="/scan")


def add_offer_pages(wallet: Blueprint, desk: Desk) -> None:
    """Add the pages of offers."""
    keeper = desk.keeper

    @wallet.get("/offers/<key>")
    def offer(key: str) -> str:
        """Show who offers what."""
        found = desk.offers.find(key) or abort(404)
        with keeper.use():
            return render_template(
                "wallet/offer.html",
                key=key,
                review=found.review,
                has_reader=desk.card_reader is not None,
            )

    @wallet.post("/offers/<key>")
    def accept_offer(key: str) -> ResponseReturnValue:
        """Fetch what is offered."""
        found = desk.offers.find(key) or abort(404)
        if request.form.get("decision") != "accept":
            desk.offers.remove(key)
            return redirect("/", 303)
        if not found.review.is_own_issuer:
            raise OfferError(
                "the offer is not of the service that made the wallet's account; on the command "
                "line its account can be named (--issuer-account)"
            )
        work = Receive(
            keeper=keeper,
            link=found.link,
            tx_code=request.form.get("tx_code", "").strip() or None,
            is_one_time=request.form.get("one_time") == "yes",
            card=_typed_card(desk),
        )
        title = gettext_noop("A credential is fetched")
        return do(desk, title, work, back=url_for("wallet.offer", key=key))

    @wallet.post("/credentials/resume")
    def resume() -> ResponseReturnValue:
        """Ask for the credentials that are not here yet."""
        return do(desk, RESUMING, Resume(keeper=keeper), back="/")


def add_card_pages(wallet: Blueprint, desk: Desk) -> None:
    """Add the page that gets a credential by a My Number card."""
    keeper = desk.keeper

    @wallet.get("/card")
    def card() -> str:
        """Ask for the card's password."""
        with keeper.use() as opened:
            return render_template("wallet/card.html", account=opened.account)

    @wallet.post("/card")
    def receive_by_card() -> ResponseReturnValue:
        """Let the card prove itself to the issuer of the wallet's account."""
        prover = _typed_card(desk) or abort(404)
        title = gettext_noop("A credential is fetched")
        work = ReceiveByCard(keeper=keeper, card=prover)
        return do(desk, title, work, back=url_for("wallet.card"))


def _typed_card(desk: Desk) -> Callable[[Job], CardProver] | None:
    """Return what lets the card on the reader sign, where its password was typed."""
    reader, password = desk.card_reader, request.form.get("card_password", "")
    if reader is None or not password:
        return None
    return lambda job: card_prover(reader, password, job)


def _cards(credentials: tuple[StoredCredential, ...]) -> list[Card]:
    now_ms = time.time_ns() // 1_000_000
    cards = [_card(one, now_ms) for one in credentials if not one.is_one_time]
    usable = [
        one
        for one in credentials
        if one.is_one_time and not one.is_used and one.expires_at_ms > now_ms
    ]
    for kind in dict.fromkeys(one.credential_type for one in usable):
        of_kind = [one for one in usable if one.credential_type == kind]
        cards.append(_card(of_kind[0], now_ms, left=len(of_kind)))
    return cards


def _card(stored: StoredCredential, now_ms: int, *, left: int | None = None) -> Card:
    claims = stored.read().claims
    return Card(
        record_id=stored.record_id,
        name=credential_name(stored.credential_type),
        issuer=stored.issuer,
        expires_at_ms=stored.expires_at_ms,
        is_expired=stored.expires_at_ms <= now_ms,
        rows=tuple(
            (attribute_name((name,)), show_value((name,), claims[name]))
            for name in _ON_CARD
            if name in claims
        ),
        left=left,
    )

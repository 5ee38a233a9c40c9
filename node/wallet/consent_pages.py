"""Who asks for what, who saw what, and what can be taken back."""

import time
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from flask import Blueprint, abort, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from client_sdk.errors import UnknownGrantError
from client_sdk.wallet import Wallet
from client_sdk.wallet.consent import PendingRequest
from client_sdk.wallet.records import StoredGrant
from node.wallet.consent_form import apply_choices, choices_of, digest_of, listing_of
from node.wallet.desk import Desk, Outcome
from node.wallet.errands import Decline, Revoke, Share
from node.wallet.job_pages import do
from node.wallet.words import attribute_names, credential_name, purpose_name
from node.web.languages import gettext_noop

GrantState = Literal["live", "used", "revoked", "expired", "absent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownGrant:
    """A grant, as the list of permissions shows it.

    Attributes:
        grant: The grant.
        attributes: What it lets be seen, in words.
        state: `live`, `used` up, `revoked`, `expired`, or `absent` where the ledger holds none.
    """

    grant: StoredGrant
    attributes: str
    state: GrantState


def add_consent_pages(wallet: Blueprint, desk: Desk) -> None:
    """Add the consent page, and what came of it."""
    keeper = desk.keeper

    @wallet.get("/requests/<key>")
    def asked(key: str) -> str:
        """Show who asks for what, why, for how long, and exactly what would be shown."""
        pending = desk.requests.find(key) or abort(404)
        with keeper.use() as opened:
            return _consent_page(opened, pending, key=key)

    @wallet.post("/requests/<key>")
    def answer(key: str) -> ResponseReturnValue:
        """Take the holder's decision, or what changed of the choices."""
        pending = desk.requests.find(key) or abort(404)
        with keeper.use() as opened:
            chosen = apply_choices(pending, request.form)
            decision = request.form.get("decision")
            if decision == "decline":
                pending = desk.requests.take(key) or abort(409)
                outcome = Outcome(verifier_name=pending.verifier_name, is_shared=False)
                work = Decline(keeper=keeper, pending=pending, target=_outcome(desk, outcome))
                return do(desk, gettext_noop("They are told that you decline"), work, back="/")
            if decision != "share":
                return _consent_page(opened, chosen, key=key)
            if request.form.get("listed") != digest_of(chosen):
                return _consent_page(opened, chosen, key=key, is_changed=True), 409
            is_beyond = request.form.get("beyond") == "yes"
            if chosen.exceeding and not is_beyond:
                return _consent_page(opened, chosen, key=key, lacks_consent=True), 422

        def done(redirect_uri: str | None) -> str:
            return _outcome(
                desk,
                Outcome(
                    verifier_name=pending.verifier_name, is_shared=True, redirect_uri=redirect_uri
                ),
            )

        # From here on the answer is on its way: it is not given twice, also for two clicks at once.
        pending = desk.requests.take(key) or abort(409)
        share = Share(keeper=keeper, pending=chosen, beyond_registration=is_beyond, done=done)
        return do(desk, gettext_noop("What you agreed to is shown"), share, back="/")

    @wallet.get("/outcomes/<key>")
    def outcome(key: str) -> str:
        """Say what came of a request."""
        found = desk.outcomes.find(key) or abort(404)
        with keeper.use():
            return render_template("wallet/outcome.html", outcome=found)


def add_history_pages(wallet: Blueprint, desk: Desk) -> None:
    """Add the history and the permissions."""
    keeper = desk.keeper

    @wallet.get("/history")
    def history() -> str:
        """List who saw what, when, why, under which grant; the newest first."""
        with keeper.use() as opened:
            entries = reversed(opened.history()) if opened.is_registered else ()
            rows = [(entry, attribute_names(entry.attributes)) for entry in entries]
        return render_template("wallet/history.html", rows=rows)

    @wallet.get("/grants")
    def grants() -> str:
        """List the grants, the newest first."""
        with keeper.use() as opened:
            history = opened.history() if opened.grants.made else ()
            used = Counter(entry.grant for entry in history if entry.use is not None)
            shown = [
                ShownGrant(
                    grant=grant,
                    attributes=attribute_names(grant.terms.attributes),
                    state=_state_of(opened, grant, used=used[grant.grant_id]),
                )
                for grant in reversed(opened.grants.made)
            ]
        return render_template("wallet/grants.html", grants=shown)

    @wallet.post("/grants/<grant_id>/revoke")
    def revoke(grant_id: str) -> ResponseReturnValue:
        """Take a grant back."""
        work = Revoke(keeper=keeper, grant_id=grant_id)
        return do(desk, gettext_noop("A permission is taken back"), work, back="/grants")

    @wallet.get("/grants/<grant_id>/consent-record.json")
    def consent_record(grant_id: str) -> ResponseReturnValue:
        """Give the signed record of a consent (ISO/IEC TS 27560:2023), with the request."""
        with keeper.use() as opened:
            record = opened.grants.consent_record(grant_id)
            (asked_for,) = (g.request_object for g in opened.grants.made if g.grant_id == grant_id)
        return jsonify(record=record.claims, signed=record.token, request=asked_for)


def _consent_page(
    wallet: Wallet,
    pending: PendingRequest,
    *,
    key: str,
    is_changed: bool = False,
    lacks_consent: bool = False,
) -> str:
    offer = pending.offer
    return render_template(
        "wallet/request.html",
        key=key,
        meets_part=wallet.meets_part(pending.verifier),
        pending=pending,
        offer=offer,
        purpose=purpose_name(offer.purpose_term) if offer else None,
        exceeding=attribute_names(tuple(c.path for c in pending.exceeding if c.path)),
        exceeding_types=[
            credential_name(c.credential_type) for c in pending.exceeding if not c.path
        ],
        choices=choices_of(pending),
        listing=listing_of(pending),
        credential_name=credential_name,
        attribute_names=attribute_names,
        digest=digest_of(pending),
        is_changed=is_changed,
        lacks_consent=lacks_consent,
    )


def _outcome(desk: Desk, outcome: Outcome) -> str:
    return f"/outcomes/{desk.outcomes.add(outcome)}"


def _state_of(wallet: Wallet, grant: StoredGrant, *, used: int) -> GrantState:
    try:
        record = wallet.grants.state(grant.grant_id)
    except UnknownGrantError:
        return "absent"
    if record.state == "revoked":
        return "revoked"
    if used >= grant.uses:
        return "used"
    return "expired" if record.expires_at_ms <= time.time_ns() // 1_000_000 else "live"

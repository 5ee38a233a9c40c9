"""An account and a credential for one verifier alone, and what the wallet has of such parts."""

from dataclasses import dataclass

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue

from client_sdk.wallet import Wallet
from client_sdk.wallet.consent import PendingRequest
from node.wallet.desk import Desk
from node.wallet.errands import Separate
from node.wallet.job_pages import do
from node.web.languages import gettext_noop


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPart:
    """A part, as the settings list it.

    Attributes:
        verifier_name: Whom it is for: the name that it was last shown to, or the identifier.
        account: Its account; None where there is none yet.
        is_in_use: Whether that verifier meets it.
    """

    verifier_name: str
    account: str | None
    is_in_use: bool


def shown_parts(wallet: Wallet) -> list[ShownPart]:
    """Return the parts of a wallet."""
    parts = []
    for verifier in wallet.separated:
        part = wallet.part_for(verifier)
        names = [grant.verifier_name for grant in part.grants.made]
        parts.append(
            ShownPart(
                verifier_name=names[-1] if names else verifier,
                account=part.account.account_id if part.is_registered else None,
                is_in_use=wallet.meets_part(verifier),
            )
        )
    return parts


def add_part_pages(wallet: Blueprint, desk: Desk) -> None:
    """Add the page that separates a verifier from the others."""
    keeper = desk.keeper

    @wallet.get("/requests/<key>/part")
    def part(key: str) -> str:
        """Ask for what the counter gives for another account."""
        pending = desk.requests.find(key) or abort(404)
        with keeper.use() as opened:
            made = opened.part_of(pending.verifier)
            has_account = made is not None and made.is_registered
            return render_template(
                "wallet/part.html", key=key, pending=pending, has_account=has_account
            )

    @wallet.post("/requests/<key>/part")
    def separate(key: str) -> ResponseReturnValue:
        """Make the account, fetch the credential, and read the request anew."""
        pending = desk.requests.find(key) or abort(404)

        def done(anew: PendingRequest) -> str:
            desk.requests.remove(key)
            return f"/requests/{desk.requests.add(anew)}"

        work = Separate(
            keeper=keeper,
            pending=pending,
            code=request.form.get("code", "").strip(),
            offer="".join(request.form.get("offer", "").split()),
            tx_code=request.form.get("tx_code", "").strip() or None,
            done=done,
        )
        title = gettext_noop("An account for one verifier alone")
        return do(desk, title, work, back=url_for("wallet.part", key=key))

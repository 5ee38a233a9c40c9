"""Protection against loss: the backup with escrow agents, the guard, and bringing a wallet back."""

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Final

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from client_sdk.errors import (
    ClientError,
    CredentialFormatError,
    EscrowFormatError,
    RequestError,
)
from client_sdk.escrow.recovery_card import RecoveryCard, parse_recovery_card
from client_sdk.ledger.guard_state import GuardState
from node.wallet.desk import Desk
from node.wallet.entry_pages import check_new_secret
from node.wallet.explanations import explain
from node.wallet.face_tests import RecoveryFace
from node.wallet.guard_watch import threat_in
from node.wallet.job_pages import do
from node.wallet.recovery_errands import BackUp, Protect, Recover, Veto, is_recovering
from node.web.languages import gettext, gettext_noop
from node.web.qr import qr_picture

HOUR_MS: Final = 60 * 60 * 1000
DEFAULT_DELAY_HOURS: Final = 72.0
MAX_DELAY_HOURS: Final = 720.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectForm:
    """What the form to protect the wallet holds, and what is wrong with it.

    Attributes:
        agents: The agents' addresses, one a line.
        delay_hours: The guard's delay.
        problem: What is wrong; None for nothing.
    """

    agents: str
    delay_hours: float = DEFAULT_DELAY_HOURS
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoverForm:
    """What is wrong with the form to recover.

    Attributes:
        is_new: Whether the wallet itself is to be made anew, or only its account comes back.
        problem: What is wrong; None for nothing.
    """

    is_new: bool
    problem: str | None = None


def add_protection_pages(wallet: Blueprint, desk: Desk) -> None:
    """Add the pages of backup and guard."""
    keeper = desk.keeper

    @wallet.get("/protection")
    def protection() -> str:
        """Show how the wallet is protected, and whether somebody recovers its account."""
        with keeper.use() as opened:
            known = opened.escrow.protection if opened.is_protected else None
            state, problem = _guard_state(desk)
            return render_template(
                "wallet/protection.html",
                protection=known,
                form=ProtectForm(agents="\n".join(desk.suggestions.agents)),
                guard=state.guard if state else None,
                problem=problem,
                threat=threat_in(state, opened.public_key) if state else None,
                is_recovering=is_recovering(opened),
            )

    @wallet.post("/protection")
    def protect() -> ResponseReturnValue:
        """Leave a backup with agents, and guard the account."""
        agents = request.form.get("agents", "")
        delay_hours = request.form.get("delay_hours", 0.0, type=float)
        problem = check_new_secret(
            request.form.get("password", ""), request.form.get("again", "")
        ) or _check_protection(agents, delay_hours)
        with keeper.use():
            if problem is not None:
                form = ProtectForm(agents=agents, delay_hours=delay_hours, problem=problem)
                return _protect_page(form), 422
        work = Protect(
            keeper=keeper,
            agents=tuple(agents.split()),
            password=request.form["password"],
            delay_ms=max(1, round(delay_hours * HOUR_MS)),
            has_face_test=request.form.get("face") == "yes",
            done=lambda card: f"/recovery-cards/{desk.cards.add(card)}",
        )
        return do(desk, gettext_noop("Your wallet is protected"), work, back="/protection")

    @wallet.get("/recovery-cards/<key>")
    def recovery_card(key: str) -> str:
        """Show a recovery card, to be printed."""
        made = desk.cards.find(key) or abort(404)
        text = made.card.encode()
        with keeper.use():
            return render_template(
                "wallet/recovery_card.html",
                key=key,
                card=made.card,
                has_portrait=made.portrait is not None,
                text=text,
                picture=qr_picture(text, label=gettext("The QR code of your recovery card")),
            )

    @wallet.get("/recovery-cards/<key>/portrait.txt")
    def recovery_portrait(key: str) -> ResponseReturnValue:
        """Give what a face is compared with at a recovery, to be kept with the card."""
        made = desk.cards.find(key)
        if made is None or made.portrait is None:
            abort(404)
        with keeper.use():
            return made.portrait.disclosure, 200, {"Content-Type": "text/plain; charset=utf-8"}

    @wallet.post("/recovery-cards/<key>")
    def put_card_away(key: str) -> ResponseReturnValue:
        """Forget the card: its holder has it on paper."""
        desk.cards.remove(key)
        return redirect(url_for("wallet.protection"), 303)

    @wallet.post("/protection/backup")
    def back_up() -> ResponseReturnValue:
        """Leave a new backup with the agents."""
        title = gettext_noop("The newest backup is left with the agents")
        return do(desk, title, BackUp(keeper=keeper), back="/protection")

    @wallet.post("/protection/veto")
    def veto() -> ResponseReturnValue:
        """Stop a recovery that the holder did not begin."""
        work = Veto(keeper=keeper, record_id=request.form.get("recovery", ""))
        return do(desk, gettext_noop("The recovery is stopped"), work, back="/protection")


def add_recovery_pages(wallet: Blueprint, desk: Desk) -> None:
    """Add the page that brings a wallet back."""
    keeper = desk.keeper

    @wallet.get("/recovery")
    def recovery() -> ResponseReturnValue:
        """Ask for card and password."""
        return _recover_page(desk, RecoverForm(is_new=not keeper.is_made))

    @wallet.post("/recovery")
    def recover() -> ResponseReturnValue:
        """Bring the wallet back, and have the recovery of its account opened."""
        is_new = not keeper.is_made
        passphrase = request.form.get("passphrase", "") if is_new else None
        problem = None
        if passphrase is not None:
            problem = check_new_secret(passphrase, request.form.get("again", ""))
        try:
            card: RecoveryCard | None = parse_recovery_card(request.form.get("card", ""))
        except EscrowFormatError:
            card, problem = None, gettext("This is no recovery card. Scan it again.")
        face, face_problem = _read_face()
        problem = problem or face_problem
        if card is None or problem is not None:
            return _recover_page(desk, RecoverForm(is_new=is_new, problem=problem), 422)
        work = Recover(
            keeper=keeper,
            card=card,
            password=request.form.get("password", ""),
            passphrase=passphrase,
            face=face,
            finish=desk.finish_recovery,
        )
        return do(desk, gettext_noop("Your wallet comes back"), work, back="/recovery")


def _guard_state(desk: Desk) -> tuple[GuardState | None, str | None]:
    """Return what the ledger says of the guard; where it does not, why."""
    with desk.keeper.use() as wallet:
        if not wallet.is_registered:
            return None, None
        try:
            return wallet.guard.state(), None
        except ClientError as error:
            return None, explain(error)


def _read_face() -> tuple[RecoveryFace | None, str | None]:
    """Return how the face is tested, where the form says so; where it cannot be read, why."""
    service, file = request.form.get("face_service", "").strip(), request.files.get("portrait")
    text = "" if file is None else file.read().decode("ascii", errors="replace")
    if not service and not text:
        return None, None
    try:
        return RecoveryFace.parse(service, text), None
    except (CredentialFormatError, RequestError):
        return None, gettext(
            "This is no portrait file that was saved with a card, or no face service."
        )


def _protect_page(form: ProtectForm) -> str:
    return render_template(
        "wallet/protection.html",
        protection=None,
        form=form,
        guard=None,
        problem=None,
        threat=None,
        is_recovering=False,
    )


def _check_protection(agents: str, delay_hours: float) -> str | None:
    if not agents.split():
        return gettext("Name the agents that are to keep your backup.")
    if not 0 < delay_hours <= MAX_DELAY_HOURS:
        return gettext("The guard's time is between a moment and 720 hours.")
    return None


def _recover_page(desk: Desk, form: RecoverForm, status: int = 200) -> ResponseReturnValue:
    with nullcontext() if form.is_new else desk.keeper.use():
        return render_template("wallet/recover.html", form=form), status

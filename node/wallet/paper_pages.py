"""A backup on paper: sheets of which some bring the wallet back, made, shown, and read again."""

from dataclasses import dataclass, field
from typing import Final

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from client_sdk.errors import EscrowFormatError, WrongPassphraseError
from client_sdk.escrow.paper_backup import (
    MAX_SHARES,
    PaperShare,
    join_shares,
    parse_paper_share,
    split_protection,
)
from node.wallet.desk import Desk, PaperSheets
from node.wallet.entry_pages import check_new_secret
from node.wallet.job_pages import do
from node.wallet.recovery_errands import RecoverFromPaper
from node.web.languages import gettext, gettext_noop
from node.web.qr import qr_picture

_NEEDED: Final = 2
_SHEETS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperForm:
    """What the form for sheets holds.

    Attributes:
        needed: How many sheets bring the wallet back.
        sheets: How many there are.
    """

    needed: int = _NEEDED
    sheets: int = _SHEETS


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSheets:
    """Sheets that were scanned or pasted.

    Attributes:
        sheets: Enough of one wallet; none where they are not.
        problem: Why they are not; None for nothing.
    """

    sheets: tuple[PaperShare, ...] = field(default=(), repr=False)
    problem: str | None = None

    @classmethod
    def of_text(cls, text: str) -> "ReadSheets":
        """Read what the QR codes hold, with white space between."""
        try:
            sheets = tuple(map(parse_paper_share, text.split()))
        except EscrowFormatError:
            return cls(
                problem=gettext("One of these is no sheet of a paper backup. Scan it again.")
            )
        try:
            join_shares(sheets)
        except EscrowFormatError:
            return cls(problem=gettext("These sheets are too few, or not of the same backup."))
        return cls(sheets=sheets)


def add_paper_pages(wallet: Blueprint, desk: Desk) -> None:
    """Add the pages that make sheets and show them."""
    keeper = desk.keeper

    @wallet.get("/protection/paper")
    def paper() -> ResponseReturnValue:
        """Ask how many sheets there are to be."""
        with keeper.use() as opened:
            if not opened.is_protected:
                return redirect(url_for("wallet.protection"))
            return _paper_page(PaperForm())

    @wallet.post("/protection/paper")
    def make_sheets() -> ResponseReturnValue:
        """Make sheets, for whoever knows the passphrase: they open the backup without one."""
        form = PaperForm(
            needed=request.form.get("needed", 0, type=int),
            sheets=request.form.get("sheets", 0, type=int),
        )
        with keeper.use() as opened:
            protection = opened.escrow.protection
            if not 2 <= form.needed <= form.sheets <= MAX_SHARES:
                return _paper_page(
                    form, gettext("Take two sheets or more, and no more than 16.")
                ), 422
            try:
                keeper.confirm(request.form.get("passphrase", ""))
            except WrongPassphraseError:
                return _paper_page(form, gettext("The passphrase does not open this wallet.")), 403
            made = split_protection(protection, threshold=form.needed, shares=form.sheets)
        key = desk.papers.add(PaperSheets(sheets=tuple(made), needed=form.needed))
        return redirect(url_for("wallet.paper_sheets", key=key), 303)

    @wallet.get("/paper-sheets/<key>")
    def paper_sheets(key: str) -> str:
        """Show the sheets, to be printed."""
        made = desk.papers.find(key) or abort(404)
        with keeper.use():
            pictures = [
                qr_picture(
                    sheet.encode(),
                    label=gettext("The QR code of sheet %(number)s") % {"number": place},
                )
                for place, sheet in enumerate(made.sheets, start=1)
            ]
            return render_template("wallet/paper_sheets.html", made=made, pictures=pictures)

    @wallet.post("/paper-sheets/<key>")
    def put_sheets_away(key: str) -> ResponseReturnValue:
        """Forget the sheets: their holder has them on paper."""
        desk.papers.remove(key)
        return redirect(url_for("wallet.protection"), 303)


def add_paper_recovery(wallet: Blueprint, desk: Desk) -> None:
    """Add the page that brings a wallet back from sheets."""
    keeper = desk.keeper

    @wallet.get("/recovery/paper")
    def paper_recovery() -> ResponseReturnValue:
        """Ask for the sheets."""
        if keeper.is_made:
            return redirect(url_for("wallet.recovery"))
        return render_template("wallet/recover_paper.html", text="", problem=None)

    @wallet.post("/recovery/paper")
    def recover_from_sheets() -> ResponseReturnValue:
        """Bring the wallet back."""
        if keeper.is_made:
            return redirect(url_for("wallet.recovery"), 303)
        text, passphrase = request.form.get("sheets", ""), request.form.get("passphrase", "")
        read = ReadSheets.of_text(text)
        problem = read.problem or check_new_secret(passphrase, request.form.get("again", ""))
        if problem is not None:
            page = render_template("wallet/recover_paper.html", text=text, problem=problem)
            return page, 422
        work = RecoverFromPaper(keeper=keeper, sheets=read.sheets, passphrase=passphrase)
        title = gettext_noop("Your wallet comes back")
        return do(desk, title, work, back=url_for("wallet.paper_recovery"))


def _paper_page(form: PaperForm, problem: str | None = None) -> str:
    return render_template("wallet/paper.html", form=form, problem=problem, most=MAX_SHARES)

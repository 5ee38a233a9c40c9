"""How a holder comes in: pair a browser, make or unlock the wallet, get an account."""

from typing import Final

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from client_sdk.errors import WrongPassphraseError
from node.wallet.desk import Desk
from node.wallet.errands import NodeAddress, Register
from node.wallet.job_pages import do
from node.web.languages import gettext, gettext_noop

_MIN_PASSPHRASE_CHARS: Final = 8
_MAX_AGENT_CHARS: Final = 40


def add_pairing_pages(wallet: Blueprint, desk: Desk) -> None:
    """Add the page that pairs a browser."""

    @wallet.get("/pair")
    def pair() -> ResponseReturnValue:
        """Ask before a code is used: previews and scanners open links, too."""
        if desk.devices.find(session.get("device", "")) is not None:
            return redirect("/")
        return render_template("wallet/pair.html", code=request.args.get("code", ""))

    @wallet.post("/pair")
    def take_pairing() -> ResponseReturnValue:
        """Pair this browser."""
        token = desk.devices.pair(request.form.get("code", ""), _browser_name())
        if token is None:
            return render_template("wallet/unpaired.html", is_refused=True), 403
        session.clear()
        session.permanent = True
        session["device"] = token
        return redirect("/", 303)


def add_welcome_pages(wallet: Blueprint, desk: Desk) -> None:
    """Add the page that makes the wallet."""
    keeper = desk.keeper

    @wallet.get("/welcome")
    def welcome() -> ResponseReturnValue:
        """Offer to make a wallet, or to bring one back."""
        if keeper.is_made:
            return redirect("/")
        return render_template("wallet/welcome.html", problem=None)

    @wallet.post("/welcome")
    def create() -> ResponseReturnValue:
        """Make the wallet."""
        passphrase = request.form.get("passphrase", "")
        problem = check_new_secret(passphrase, request.form.get("again", ""))
        if problem is not None:
            return render_template("wallet/welcome.html", problem=problem), 422
        keeper.create(passphrase)
        return redirect("/", 303)


def add_unlock_pages(wallet: Blueprint, desk: Desk) -> None:
    """Add the page that unlocks the wallet, and what locks it."""
    keeper = desk.keeper

    @wallet.get("/unlock")
    def unlock() -> ResponseReturnValue:
        """Ask for the passphrase."""
        if keeper.is_open:
            return redirect("/")
        if not keeper.is_made:
            return redirect(url_for("wallet.welcome"))
        return render_template("wallet/unlock.html", problem=None)

    @wallet.post("/unlock")
    def take_passphrase() -> ResponseReturnValue:
        """Open the wallet, and go on with what was under way."""
        try:
            keeper.unlock(request.form.get("passphrase", ""))
        except WrongPassphraseError:
            problem = gettext("The passphrase does not open this wallet.")
            return render_template("wallet/unlock.html", problem=problem), 403
        desk.go_on()
        return redirect(_path_of(request.args.get("then", "/")), 303)

    @wallet.post("/lock")
    def lock() -> ResponseReturnValue:
        """Lock the wallet."""
        keeper.lock()
        return redirect(url_for("wallet.unlock"), 303)


def add_account_pages(wallet: Blueprint, desk: Desk) -> None:
    """Add the page that registers the wallet."""
    keeper = desk.keeper

    @wallet.get("/account")
    def account() -> str:
        """Ask what is needed for an account."""
        with keeper.use() as opened:
            known = opened.account if opened.is_registered else None
        return render_template("wallet/account.html", account=known, suggestions=desk.suggestions)

    @wallet.post("/account")
    def register() -> ResponseReturnValue:
        """Have an account made."""
        work = Register(
            keeper=keeper,
            issuer=request.form.get("issuer", "").strip(),
            code=request.form.get("code", "").strip(),
            node=NodeAddress.from_form(request.form),
        )
        return do(desk, gettext_noop("An account for your wallet"), work, back="/account")


def check_new_secret(secret: str, again: str) -> str | None:
    """Return what is wrong with a new passphrase that was typed twice; None for nothing."""
    if len(secret) < _MIN_PASSPHRASE_CHARS:
        return gettext("Take eight characters or more.")
    if secret != again:
        return gettext("The two are not the same. Type them again.")
    return None


def _browser_name() -> str:
    """Return what the browser calls itself, for the list of devices; its holder may rename none."""
    agent = request.headers.get("User-Agent", "")
    systems = ("Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux")
    browsers = ("Firefox", "Edg", "Chrome", "Safari")
    system = next((name for name in systems if name in agent), "")
    browser = next((name for name in browsers if name in agent), agent[:_MAX_AGENT_CHARS])
    return " ".join(filter(None, (browser.replace("Edg", "Edge"), system))) or "?"


def _path_of(target: str) -> str:
    """Return a path of this application, never another site's address."""
    is_path = target.startswith("/") and target.isprintable() and "\\" not in target
    return target if is_path and not target.startswith("//") else "/"

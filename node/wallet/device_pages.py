"""Settings: the paired browsers, a phone to pair, and what the ledger proves."""

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from node.wallet.desk import Desk
from node.wallet.errands import CheckLedger, NodeAddress, UseNode
from node.wallet.job_pages import do
from node.wallet.pairing import pairing_link
from node.wallet.part_pages import shown_parts
from node.web.languages import gettext, gettext_noop
from node.web.qr import qr_picture


def add_device_pages(wallet: Blueprint, desk: Desk) -> None:
    """Add the page of settings and what belongs to it."""
    keeper, devices = desk.keeper, desk.devices

    @wallet.get("/settings")
    def settings() -> str:
        """List the paired browsers."""
        own = devices.find(session.get("device", ""))
        with keeper.use() as opened:
            account = opened.account if opened.is_registered else None
            return render_template(
                "wallet/settings.html",
                devices=devices.all,
                own=own,
                account=account,
                parts=shown_parts(opened),
                is_exposed=account is not None and account.is_exposed,
                has_phone=desk.phone is not None,
                is_proven=request.args.get("proven") == "yes",
            )

    @wallet.post("/settings/phone")
    def pair_phone() -> ResponseReturnValue:
        """Show the QR code that pairs one phone."""
        if desk.phone is None:
            return redirect(url_for("wallet.settings"), 303)
        with keeper.use():
            link = pairing_link(desk.phone, devices.new_code())
            return render_template(
                "wallet/phone.html",
                picture=qr_picture(link, label=gettext("The QR code that pairs your phone")),
                fingerprint=desk.phone.fingerprint,
            )

    @wallet.post("/settings/devices/<device_id>/remove")
    def remove_device(device_id: str) -> ResponseReturnValue:
        """Let a browser use the wallet no longer."""
        devices.remove(device_id)
        return redirect(url_for("wallet.settings"), 303)

    @wallet.post("/settings/node")
    def use_node() -> ResponseReturnValue:
        """Use another ledger node."""
        work = UseNode(keeper=keeper, node=NodeAddress.from_form(request.form))
        return do(desk, gettext_noop("Another ledger node"), work, back="/settings")

    @wallet.post("/settings/ledger")
    def check_ledger() -> ResponseReturnValue:
        """Have the ledger prove the account, and that its history has only grown."""
        title = gettext_noop("The ledger is checked")
        return do(desk, title, CheckLedger(keeper=keeper), back="/settings")

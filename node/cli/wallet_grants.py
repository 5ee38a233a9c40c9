"""`tegata wallet present`, `grants`, `revoke`: showing attributes, under grants to take back."""

from pathlib import Path
from typing import Final

import click
from rich.console import Console

from client_sdk.errors import RequestError, UnknownGrantError
from client_sdk.http.client import HttpClient
from client_sdk.openid4vp.claims_path import name_path
from client_sdk.wallet import Wallet
from client_sdk.wallet.consent import PendingRequest
from client_sdk.wallet.records import StoredGrant
from node.cli.consent_screen import consent
from node.cli.face_page import face_tester
from node.cli.json_value import JsonValue
from node.cli.output import Value, json_option, show, show_rows, when
from node.cli.wallet import wallet_argument

FEW_LEFT: Final = 2
"""So many one-time credentials are left that the holder is told so."""


@click.command()
@wallet_argument
@click.argument("link", metavar="REQUEST", type=JsonValue("link"))
@click.option(
    "--choose",
    "choices",
    multiple=True,
    metavar="SET=OPTION",
    help="Show other credentials than the verifier prefers, or optional ones; SET=none for none.",
)
@click.option("--haip", is_flag=True, help="Answer only requests of the profile HAIP 1.0.")
@click.option("--yes", is_flag=True, help="Consent without being asked.")
@click.option(
    "--beyond-registration",
    is_flag=True,
    help="Consent also to what the verifier is not registered to ask for.",
)
@click.option("--decline", is_flag=True, help="Tell the verifier that you do not consent.")
@json_option
def present(
    wallet_file: Path,
    passphrase: str,
    link: str,
    choices: tuple[str, ...],
    haip: bool,
    yes: bool,
    beyond_registration: bool,
    decline: bool,
    as_json: bool,
) -> None:
    """Show what REQUEST (openid4vp://...) asks for, and answer it if you consent.

    `@FILE` takes it from what `tegata verify ask --json` printed.
    """
    with Wallet.open(wallet_file, passphrase, haip=haip) as holder:
        try:
            pending = _choose(holder.presentation.read_request(link), choices)
        except RequestError as error:
            if decline:
                holder.presentation.refuse(error)
            raise
        # Who asks for JSON gets nothing but JSON on standard output.
        Console(highlight=False, stderr=as_json).print(consent(pending))
        if decline or not (yes or click.confirm("Share this?", default=False, err=as_json)):
            holder.presentation.decline(pending)
            show({"shared": False}, as_json=as_json)
            return
        if pending.exceeding and not (beyond_registration or yes):
            beyond_registration = click.confirm(
                "Share also what it is not registered to ask for?", default=False, err=as_json
            )
        http = HttpClient()
        try:
            answer = holder.presentation.answer(
                pending, beyond_registration=beyond_registration, face_tester=face_tester(http)
            )
        finally:
            http.close()
        left = holder.one_time_left if any(one.is_one_time for one in holder.credentials) else None
        can_refresh = any(kept.is_one_time for kept in holder.issuance.refreshes)
    shared: dict[str, Value] = {"shared": True, "grant": answer.grant_id}
    if left is not None:
        shared["one_time_left"] = left
        if left <= FEW_LEFT and not as_json:
            shared["next"] = (
                "few one-time credentials are left: tegata wallet refresh fetches more"
                if can_refresh
                else "few one-time credentials are left: ask the issuer for a new offer"
            )
    if answer.redirect_uri is not None:
        shared["continue_at"] = answer.redirect_uri
    show(shared, as_json=as_json)


@click.command()
@wallet_argument
@json_option
def grants(wallet_file: Path, passphrase: str, as_json: bool) -> None:
    """List the grants that WALLET made: who may see what, and whether it still may."""
    with Wallet.open(wallet_file, passphrase) as holder:
        rows: list[dict[str, Value]] = [
            {
                "grant": grant.grant_id,
                "verifier": grant.verifier_name,
                "attributes": ", ".join(name_path(path) for path in grant.terms.attributes),
                "purpose": grant.terms.purpose,
                "until": when(grant.expires_at_ms),
                "state": _state(holder, grant),
            }
            for grant in holder.grants.made
        ]
    show_rows(rows, empty="The wallet made no grant yet.", as_json=as_json)


@click.command()
@wallet_argument
@click.argument("grant_id", metavar="GRANT")
@json_option
def revoke(wallet_file: Path, passphrase: str, grant_id: str, as_json: bool) -> None:
    """Revoke GRANT for good."""
    with Wallet.open(wallet_file, passphrase) as holder:
        holder.grants.revoke(grant_id)
    show({"grant": grant_id, "state": "revoked"}, as_json=as_json)


def _choose(pending: PendingRequest, choices: tuple[str, ...]) -> PendingRequest:
    for choice in choices:
        place, _, option = choice.partition("=")
        if not place.isdecimal() or not (option.isdecimal() or option == "none"):
            raise click.BadParameter(f"{choice!r}: SET=OPTION is expected, as in 0=1 or 1=none")
        pending = pending.choose(int(place), None if option == "none" else int(option))
    return pending


def _state(holder: Wallet, grant: StoredGrant) -> str:
    try:
        return holder.grants.state(grant.grant_id).state
    except UnknownGrantError:
        return "not on the ledger"

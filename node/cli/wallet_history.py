"""`tegata wallet history` and `consent-record`: who saw what, and what was consented to."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from client_sdk.openid4vp.claims_path import name_path
from client_sdk.wallet import HistoryEntry, Wallet
from node.cli.output import Value, json_option, plain, show, show_rows, when
from node.cli.wallet import wallet_argument


@click.command()
@wallet_argument
@json_option
def history(wallet_file: Path, passphrase: str, as_json: bool) -> None:
    """List who saw what of WALLET, when, why, and under which grant.

    It is read from the receipts that gateways must write to the ledger, and from the wallet's own
    notes; where the two do not agree the entry says so.
    """
    with Wallet.open(wallet_file, passphrase) as holder:
        entries = holder.history()
    if as_json or not entries:
        rows = [_fields(entry) for entry in entries]
        show_rows(rows, empty="Nobody has seen anything yet.", as_json=as_json)
    else:
        Console(highlight=False).print(history_view(entries))


@click.command()
@wallet_argument
@click.argument("grant_id", metavar="GRANT")
def consent_record(wallet_file: Path, passphrase: str, grant_id: str) -> None:
    """Print the signed record of the consent to GRANT, as JSON (ISO/IEC TS 27560:2023).

    The verifier has the same one. `signed` is the record with the holder's signature, a JWT;
    `request` is what the verifier asked, with its own.
    """
    with Wallet.open(wallet_file, passphrase) as holder:
        record = holder.grants.consent_record(grant_id)
        (request,) = (g.request_object for g in holder.grants.made if g.grant_id == grant_id)
    show({"record": record.claims, "signed": record.token, "request": request}, as_json=True)


def history_view(entries: tuple[HistoryEntry, ...]) -> Table:
    """Return what a person reads of a history."""
    table = Table(box=None, header_style="cyan", pad_edge=False)
    for name in ("when", "who", "what", "why", "grant"):
        table.add_column(name, overflow="fold")
    for entry in entries:
        table.add_row(
            "?" if entry.at_ms is None else when(entry.at_ms),
            plain(entry.verifier_name or "?"),
            plain(_attributes(entry)),
            plain(entry.purpose or "-"),
            _grant(entry),
        )
        if entry.finding is not None:
            table.add_row("", plain(f"! {entry.finding}", "bold red"))
    return table


def _fields(entry: HistoryEntry) -> dict[str, Value]:
    return {
        "at": None if entry.at_ms is None else when(entry.at_ms),
        "at_ms": entry.at_ms,
        "verifier": entry.verifier,
        "verifier_name": entry.verifier_name,
        "attributes": [name_path(path) for path in entry.attributes],
        "purpose": entry.purpose,
        "grant": entry.grant,
        "use": entry.use,
        "finding": entry.finding,
    }


def _attributes(entry: HistoryEntry) -> str:
    return ", ".join(name_path(path) for path in entry.attributes) or "?"


def _grant(entry: HistoryEntry) -> str:
    if entry.grant is None:
        return "none was asked for"
    return entry.grant[:8] if entry.use is None else f"{entry.grant[:8]}, use {entry.use}"

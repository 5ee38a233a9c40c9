"""`tegata wallet protect`, `back-up`, `paper` and `escrow-log`: what outlives a lost wallet."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from client_sdk.errors import CredentialFormatError, DisclosureError
from client_sdk.escrow.paper_backup import split_protection
from client_sdk.escrow.printable_page import Language, render_card, render_sheet
from client_sdk.face.portrait import PortraitOpening
from client_sdk.wallet import Wallet
from node.cli.output import Value, json_option, show, show_rows, when
from node.cli.wallet import wallet_argument
from node.config import save_secret

_Command = TypeVar("_Command", bound=Callable[..., object])
_language_option: Callable[[_Command], _Command] = click.option(
    "--language",
    type=click.Choice(["ja", "en"]),
    default="en",
    show_default=True,
    help="The language of what is printed on paper.",
)


@click.command()
@wallet_argument
@click.option(
    "--password",
    envvar="TEGATA_RECOVERY_PASSWORD",
    prompt="Recovery password",
    hide_input=True,
    confirmation_prompt=True,
    help="Opens the backup; asked for, or taken from TEGATA_RECOVERY_PASSWORD.",
)
@click.option(
    "--agent",
    "agents",
    multiple=True,
    envvar="TEGATA_AGENTS",
    required=True,
    help="An agent's address, once for each; or TEGATA_AGENTS.",
)
@click.option("--threshold", type=int, help="How many are needed; more than half by default.")
@click.option(
    "--card",
    "card_file",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write the recovery card to, as a page to print.",
)
@click.option(
    "--face-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where agents want face tests: the file to write the portrait to that faces are compared "
    "with. Keep it with the card: recovering needs it.",
)
@_language_option
@json_option
def protect(
    wallet_file: Path,
    passphrase: str,
    password: str,
    agents: tuple[str, ...],
    threshold: int | None,
    card_file: Path,
    face_file: Path | None,
    language: Language,
    as_json: bool,
) -> None:
    """Leave a backup of WALLET with escrow agents, and write the recovery card.

    The wallet does not keep the card's secret: print the page, then delete the file.
    """
    # Before anything is sent: there must be a place for a card that exists only once.
    save_secret(card_file, "")
    try:
        with Wallet.open(wallet_file, passphrase) as holder:
            portrait = None if face_file is None else _save_portrait(holder, face_file)
            card = holder.escrow.protect(
                agents, password, threshold=threshold, portrait_commitment=portrait
            )
            card_file.write_text(render_card(card, language=language), encoding="utf-8")
            protection = holder.escrow.protection
            findings = holder.escrow.bind_account() if holder.is_registered else ()
    except BaseException:
        card_file.unlink()
        if face_file is not None:
            face_file.unlink(missing_ok=True)
        raise
    show(
        {
            "card": str(card_file),
            "handle": card.handle,
            "agents": list(protection.urls),
            "needed": protection.agents.threshold,
            "agents_at_fault": list(map(str, findings)),
            "next": f"print {card_file}, then delete it",
        },
        as_json=as_json,
    )


def _save_portrait(holder: Wallet, face_file: Path) -> str:
    """Write the newest portrait of the wallet to a file, and return its commitment."""
    for credential in reversed(holder.credentials):
        try:
            portrait = PortraitOpening.of_credential(credential.text)
        except (CredentialFormatError, DisclosureError):
            continue
        save_secret(face_file, portrait.disclosure)
        return portrait.commitment
    raise CredentialFormatError("the wallet holds no credential with a portrait")


@click.command("back-up")
@wallet_argument
@json_option
def back_up(wallet_file: Path, passphrase: str, as_json: bool) -> None:
    """Leave what WALLET holds now with its agents."""
    with Wallet.open(wallet_file, passphrase) as holder:
        findings = holder.escrow.back_up()
        version = holder.escrow.protection.version
    show({"version": version, "agents_at_fault": list(map(str, findings))}, as_json=as_json)


@click.command("escrow-log")
@wallet_argument
@json_option
def escrow_log(wallet_file: Path, passphrase: str, as_json: bool) -> None:
    """List who asked the agents what about WALLET's backup, once each log is verified."""
    with Wallet.open(wallet_file, passphrase) as holder:
        logs, findings = holder.escrow.read_logs()
    rows: list[dict[str, Value]] = [
        {
            "agent": log.url,
            "when": when(entry.time_ms),
            "event": entry.event,
            "by": entry.caller,
        }
        for log in logs
        for entry in log.entries
    ]
    show_rows(rows, empty="No agent gave a log.", as_json=as_json)
    for finding in findings:
        click.echo(str(finding), err=True)


@click.command()
@wallet_argument
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--threshold", type=int, default=2, show_default=True, help="How many are needed.")
@click.option("--sheets", "count", type=int, default=3, show_default=True, help="How many.")
@_language_option
@json_option
def paper(
    wallet_file: Path,
    passphrase: str,
    folder: Path,
    threshold: int,
    count: int,
    language: Language,
    as_json: bool,
) -> None:
    """Write the sheets of a paper backup of WALLET to FOLDER (SLIP-39).

    Enough of them bring the backup back without card and password. Print them, delete the files,
    and keep the sheets apart.
    """
    with Wallet.open(wallet_file, passphrase) as holder:
        shares = split_protection(holder.escrow.protection, threshold=threshold, shares=count)
    files = []
    for place, share in enumerate(shares, start=1):
        file = folder / f"sheet-{place}.html"
        save_secret(file, render_sheet(share, place=place, language=language))
        files.append(str(file))
    show({"sheets": files, "needed": threshold}, as_json=as_json)

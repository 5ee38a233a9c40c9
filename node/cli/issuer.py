"""`tegata issuer`: work at the counter of a service, which `issuer_service` makes and runs."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TypeVar, get_args

import click
import segno

from client_sdk.credentials.resident import ResidentAttributes, Sex
from client_sdk.issuer.client import IssuerClient, MadeOffer, StateChange
from node.cli.card_on_reader import card_portrait_option, read_attributes, read_portrait
from node.cli.lazy_group import LazyGroup
from node.cli.output import Value, json_option, show, show_rows

_Command = TypeVar("_Command", bound=Callable[..., object])


def _operator_options(command: _Command) -> _Command:
    command = click.option(
        "--issuer",
        "url",
        envvar="TEGATA_ISSUER",
        required=True,
        help="The service's address; or TEGATA_ISSUER.",
    )(command)
    return click.option(
        "--token", envvar="TEGATA_OPERATOR_TOKEN", required=True, help="Or TEGATA_OPERATOR_TOKEN."
    )(command)


def _offer_options(command: _Command) -> _Command:
    command = click.option(
        "--qr-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Write the QR code to a file, SVG or PNG by its name: for a screen or a letter.",
    )(command)
    command = click.option("--qr/--no-qr", default=True, help="Draw the offer as a QR code.")(
        command
    )
    return click.option(
        "--reference", help="Your case number, to find the credentials by. No name."
    )(command)


@click.group(
    cls=LazyGroup,
    places={
        "add-login": "node.cli.issuer_service:add_login",
        "batch": "node.cli.issuer_batch:batch",
        "init": "node.cli.issuer_service:init",
        "keygen": "node.cli.issuer_service:keygen",
        "migrate": "node.cli.issuer_service:migrate",
        "reshare": "node.cli.issuer_service:reshare",
        "start": "node.cli.issuer_service:start",
    },
)
def issuer() -> None:
    """Make and run an issuer service, and work at its counter."""


@issuer.command()
@_operator_options
@json_option
def enrol(url: str, token: str, as_json: bool) -> None:
    """Make a code with which a wallet gets one ledger account."""
    with IssuerClient(url, token) as client:
        show({"enrolment_code": client.enrol()}, as_json=as_json)


@issuer.command()
@click.option("--card", is_flag=True, help="Read the four attributes from the card on the reader.")
@click.option("--name", help="As on the card.")
@click.option("--address", help="As on the card.")
@click.option("--municipality", required=True, help="City, ward, town or village.")
@click.option("--birth-date", type=click.DateTime(["%Y-%m-%d"]))
@click.option("--sex", type=click.Choice(["0", "1", "2", "9"]), help="ISO/IEC 5218.")
@click.option("--portrait", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@card_portrait_option
@click.option("--review", is_flag=True, help="Issue it only once somebody has approved it.")
@_offer_options
@_operator_options
@json_option
def offer(
    card: bool,
    name: str | None,
    address: str | None,
    municipality: str,
    birth_date: datetime | None,
    sex: str | None,
    portrait: Path | None,
    card_portrait: bool,
    review: bool,
    reference: str | None,
    qr: bool,
    qr_file: Path | None,
    url: str,
    token: str,
    as_json: bool,
) -> None:
    """Offer a credential to the person at the counter: with --card, or what you type."""
    _check_qr_file(qr_file)
    typed = (name, address, birth_date, sex)
    if card:
        if any(one is not None for one in typed):
            raise click.UsageError("--card reads name, address, birth date and sex: leave them out")
        on_card = read_attributes()
        name, address, born = on_card.name, on_card.address, on_card.birth_date
        # The card has no other digits than these; what it leaves open stays open.
        sex = on_card.sex if on_card.sex in get_args(Sex) else "9"
    elif name is None or address is None or birth_date is None or sex is None:
        raise click.UsageError("--name, --address, --birth-date and --sex are needed, or --card")
    else:
        born = birth_date.date()
    attributes = ResidentAttributes(
        name=name,
        address=address,
        municipality=municipality,
        birth_date=born,
        sex=sex,  # type: ignore[arg-type]  # checked where it is made
        portrait=_portrait(portrait, card_portrait),
    )
    with IssuerClient(url, token) as client:
        made = client.offer(attributes, reference=reference, review=review)
    _show_offer(made, qr=qr, qr_file=qr_file, as_json=as_json)


@issuer.command("offer-to-card")
@click.option(
    "--portrait",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="From the card's face, read at the counter.",
)
@card_portrait_option
@_offer_options
@_operator_options
@json_option
def offer_to_card(
    portrait: Path | None,
    card_portrait: bool,
    reference: str | None,
    qr: bool,
    qr_file: Path | None,
    url: str,
    token: str,
    as_json: bool,
) -> None:
    """Offer a credential that attests what the person's My Number card proves."""
    _check_qr_file(qr_file)
    shown = _portrait(portrait, card_portrait)
    with IssuerClient(url, token) as client:
        made = client.offer_to_card(portrait=shown, reference=reference)
    _show_offer(made, qr=qr, qr_file=qr_file, as_json=as_json)


@issuer.command()
@click.argument("code", metavar="CODE")
@click.option("--approve", "decision", flag_value="approve", help="Let it be issued.")
@click.option("--refuse", "decision", flag_value="refuse", help="Never let it be issued.")
@_operator_options
@json_option
def review(code: str, decision: str | None, url: str, token: str, as_json: bool) -> None:
    """Show what waits under the review CODE, to compare it with the person's papers; or decide."""
    with IssuerClient(url, token) as client:
        if decision is not None:
            state = client.decide_review(code, approved=decision == "approve")
            show({"state": state}, as_json=as_json)
            return
        found = client.look_up_review(code)
    show({name: str(value) for name, value in found.items() if value}, as_json=as_json)


def _portrait(file: Path | None, from_card: bool) -> bytes | None:
    if file is not None and from_card:
        raise click.UsageError("either --portrait or --card-portrait")
    if from_card:
        return read_portrait()
    return None if file is None else file.read_bytes()


def _check_qr_file(file: Path | None) -> None:
    if file is not None and file.suffix.lower() not in (".svg", ".png"):
        raise click.UsageError("--qr-file: a name that ends with .svg or .png")


def _show_offer(made: MadeOffer, *, qr: bool, qr_file: Path | None, as_json: bool) -> None:
    code = segno.make(made.link, micro=False)
    if qr and not as_json:
        code.terminal(compact=True)
    if qr_file is not None:
        code.save(str(qr_file), scale=8)
    shown: dict[str, Value] = {
        "offer": made.link,
        "tx_code": made.tx_code,
        "expires_at": made.expires_at,
    }
    if made.review_code is not None:
        shown["review_code"] = made.review_code
    show(shown, as_json=as_json)


def _add_change(change: StateChange) -> None:
    @issuer.command(
        change,
        help=f"{change.capitalize()} the credential with this RECORD id, or all of a case number: "
        "one-time credentials are many.",
    )
    @click.argument("record_id", metavar="RECORD", required=False)
    @click.option("--reference", help="The case number that they were offered under.")
    @_operator_options
    @json_option
    def command(
        record_id: str | None, reference: str | None, url: str, token: str, as_json: bool
    ) -> None:
        if (record_id is None) is (reference is None):
            raise click.UsageError("either RECORD or --reference is needed")
        with IssuerClient(url, token) as client:
            if record_id is not None:
                state = client.change_state(record_id, change)
                show({"credential": record_id, "state": state}, as_json=as_json)
                return
            rows: list[dict[str, Value]] = [
                {
                    "credential": issued.record_id,
                    "state": client.change_state(issued.record_id, change),
                }
                for issued in client.credentials(reference)
                if issued.state in _CHANGED_FROM[change]
            ]
        show_rows(rows, empty="Nothing had to be changed.", as_json=as_json)


_CHANGED_FROM: dict[StateChange, tuple[str, ...]] = {
    "suspend": ("active",),
    "reinstate": ("suspended",),
    "revoke": ("active", "suspended"),
}
for _change in get_args(StateChange):
    _add_change(_change)


@issuer.command()
@_operator_options
@json_option
def credentials(url: str, token: str, as_json: bool) -> None:
    """List the credentials that were issued: their records, and nothing of what they say."""
    with IssuerClient(url, token) as client:
        rows: list[dict[str, Value]] = [
            {"credential": issued.record_id, "state": issued.state, "expires_at": issued.expires_at}
            for issued in client.credentials()
        ]
    show_rows(rows, empty="No credential was issued yet.", as_json=as_json)


@issuer.command()
@click.argument("account", metavar="ACCOUNT")
@click.argument("record_id", metavar="RECOVERY")
@click.option("--new-key", required=True, help="As the holder's new phone shows it.")
@click.option("--lost-key", required=True, help="As the holder's new phone shows it.")
@_operator_options
@json_option
def approve_recovery(
    account: str,
    record_id: str,
    new_key: str,
    lost_key: str,
    url: str,
    token: str,
    as_json: bool,
) -> None:
    """Approve a RECOVERY of ACCOUNT, whose holder stands at the counter: no veto stops it."""
    with IssuerClient(url, token) as client:
        approved = client.approve_recovery(account, record_id, new_key=new_key, lost_key=lost_key)
    show({"account": account, "recovery": record_id, "approved": approved}, as_json=as_json)


@issuer.command()
@click.argument("account", metavar="ACCOUNT")
@click.argument("change", metavar="COMMAND")
@_operator_options
@json_option
def approve_change(account: str, change: str, url: str, token: str, as_json: bool) -> None:
    """Approve the change COMMAND of ACCOUNT, whose holder stands at the counter."""
    with IssuerClient(url, token) as client:
        approved = client.approve_change(account, change)
    show({"account": account, "approved": approved}, as_json=as_json)

"""`tegata issuer`: make and run an issuer service, and work at its counter."""

import hashlib
import json
import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import IO, TypeVar, get_args

import click
import segno

from chaincode.encoding import JsonObject
from chaincode.records import IssuerRecord
from client_sdk.authority_client import group_jwk
from client_sdk.credentials.jose import export_private_jwk, export_public_jwk, generate_key
from client_sdk.credentials.resident import RESIDENT_CREDENTIAL_TYPE, ResidentAttributes, Sex
from client_sdk.issuer_client import IssuerClient, MadeOffer, StateChange
from client_sdk.ledger.grants import new_record_id
from node.cli.card_on_reader import card_portrait_option, read_attributes, read_portrait
from node.cli.issuer_batch import batch
from node.cli.keygen import add_key_commands
from node.cli.logins import add_login as add_login_to
from node.cli.logins import password_option
from node.cli.network import Network
from node.cli.output import Value, json_option, show, show_rows
from node.cli.store_migration import add_migrate_command
from node.cli.toml import encode_toml
from node.config import load_config, parse_config, save_secret
from node.errors import ConfigError
from node.issuer.app import run_issuer
from node.issuer.config import FILE_NAME, IssuerConfig, load_token
from node.issuer.tables import SCHEMA
from node.keypair import load_or_make_keypair
from node.log import configure_logging
from node.telemetry import configure_telemetry
from node.threshold.share_file import load_group

_Command = TypeVar("_Command", bound=Callable[..., object])
_folder = click.argument("folder", type=click.Path(path_type=Path, file_okay=False))


def _operator_options(command: _Command) -> _Command:
    command = click.option("--issuer", "url", required=True, help="The service's address.")(command)
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


@click.group()
def issuer() -> None:
    """Make and run an issuer service, and work at its counter."""


@issuer.command()
@_folder
@click.option(
    "--network",
    required=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The folder of the running node, with the administrator's and registrar's keys.",
)
@click.option("--account", required=True, help="Its account, such as aoba_city@issuer.")
@click.option("--listen", default="127.0.0.1:8081", show_default=True, help="host:port to bind.")
@click.option("--public-url", help="Where wallets reach it; http://LISTEN otherwise.")
@click.option(
    "--group-key",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The key that authorities share, as keygen wrote it; otherwise a new key is made.",
)
@click.option(
    "--authority",
    "authorities",
    type=(int, str, click.Path(path_type=Path, exists=True, dir_okay=False)),
    multiple=True,
    metavar="IDENTIFIER URL TOKEN_FILE",
    help="Where an authority's signer is reached; once for each.",
)
@click.option("--waci", is_flag=True, help="Make each offer an invitation of WACI, too.")
@json_option
def init(
    folder: Path,
    network: Path,
    account: str,
    listen: str,
    public_url: str | None,
    group_key: Path | None,
    authorities: tuple[tuple[int, str, Path], ...],
    waci: bool,
    as_json: bool,
) -> None:
    """Make an issuer in FOLDER: account, signing key, its place on the registry, issuer.toml."""
    if (folder / FILE_NAME).exists():
        raise ConfigError(f"{folder / FILE_NAME} exists: an issuer is not made twice")
    secret_files, key_config, key_sections, public_jwk = _prepare_key(group_key, authorities)
    issuer_record, operator_token = new_record_id(), secrets.token_urlsafe(32)
    record = IssuerRecord(
        issuer=account,
        credential_types=(RESIDENT_CREDENTIAL_TYPE,),
        keys=(public_jwk,),
        state="active",
    )
    with Network(network) as ledger:
        public_url = public_url or f"http://{listen}"
        config: dict[str, str | bool | list[str]] = {
            "public_url": public_url,
            "listen": listen,
            "operator_token_sha256": hashlib.sha256(operator_token.encode()).hexdigest(),
            **key_config,
            "issuer_record": issuer_record,
            "waci": waci,
        }
        section = {
            "address": ledger.torii,
            "account": account,
            "private_key_file": "keys/account.priv",
            "ledger_id": ledger.ledger_id,
        }
        text = encode_toml(config) + "\n[ledger]\n" + encode_toml(section) + key_sections
        # Before the ledger is written to: an account is made once.
        parse_config(text, IssuerConfig, path=folder / FILE_NAME)
        account_key = load_or_make_keypair(folder / "keys" / "account.priv")
        ledger.create_account(account, account_key.public_key)
        for name, content in secret_files.items():
            save_secret(folder / name, content)
        ledger.register_issuer(issuer_record, record)
    save_secret(folder / FILE_NAME, text)
    show(
        {
            "folder": str(folder),
            "account": account,
            "registered_as": IssuerRecord.key(issuer_record),
            "public_url": public_url,
            "operator_token": operator_token,
            "next": f"tegata issuer start {folder}",
        },
        as_json=as_json,
    )


def _prepare_key(
    group_key: Path | None, authorities: tuple[tuple[int, str, Path], ...]
) -> tuple[dict[str, str], dict[str, str], str, JsonObject]:
    """Return the key's files, its lines and sections of issuer.toml, and its public JWK."""
    if group_key is None:
        if authorities:
            raise click.UsageError("--authority needs --group-key")
        key = generate_key()
        files = {"keys/signing.jwk": json.dumps(export_private_jwk(key))}
        return files, {"signing_key_file": "keys/signing.jwk"}, "", export_public_jwk(key)
    group = load_group(group_key)
    if len(authorities) < group.threshold:
        raise click.UsageError(f"--authority is needed {group.threshold} times, better for all")
    files = {"keys/group.json": json.dumps(group.to_fields(), indent=2)}
    sections = '\n[authorities]\ngroup_key_file = "keys/group.json"\n'
    for identifier, url, token_file in authorities:
        name = f"keys/authority-{identifier}.token"
        files[name] = load_token(token_file) + "\n"
        sections += f"\n[[authorities.signers]]\nidentifier = {identifier}\n"
        sections += encode_toml({"url": url, "token_file": name})
    return files, {}, sections, group_jwk(group)


add_key_commands(issuer, "issuer")
issuer.add_command(batch)
add_migrate_command(
    issuer,
    SCHEMA,
    database_url=lambda folder: load_config(folder / FILE_NAME, IssuerConfig).database_url,
)


@issuer.command("add-login")
@_folder
@click.argument("name")
@password_option
@json_option
def add_login(folder: Path, name: str, password_file: IO[str] | None, as_json: bool) -> None:
    """Let NAME work at the counter's page of the issuer in FOLDER, once it is started again."""
    add_login_to(folder / FILE_NAME, IssuerConfig, name, password_file)
    page = f"{load_config(folder / FILE_NAME, IssuerConfig).public_url}/counter/"
    show({"login": name, "page": page}, as_json=as_json)


@issuer.command()
@_folder
@click.option("--verbose", is_flag=True, help="Log more.")
def start(folder: Path, verbose: bool) -> None:
    """Run the issuer in FOLDER until SIGTERM or Ctrl-C."""
    configure_logging(verbose=verbose)
    configure_telemetry("issuer")
    run_issuer(load_config(folder / FILE_NAME, IssuerConfig))


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

"""`tegata wallet`: a resident's wallet in a file."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from client_sdk.errors import ClientError
from client_sdk.formats import FORMATS
from client_sdk.wallet import Wallet
from client_sdk.wallet.records import StoredCredential
from node.cli.browser import opened_browser
from node.cli.card_on_reader import opened_card
from node.cli.consent_screen import preview
from node.cli.face_page import receive_after_face_test
from node.cli.json_value import JsonValue
from node.cli.lazy_group import LazyGroup
from node.cli.ledger_node import root_certificates_option, warn_of_plain
from node.cli.output import Value, json_option, show, show_rows, when
from node.cli.wallet_provider import load_anchors, load_provider, provider_options
from node.log import configure_logging
from node.telemetry import configure_telemetry

_Command = TypeVar("_Command", bound=Callable[..., object])


def wallet_argument(command: _Command) -> _Command:
    """Add the wallet's file and what opens it to a command."""
    command = click.option(
        "--passphrase",
        envvar="TEGATA_PASSPHRASE",
        prompt=True,
        hide_input=True,
        help="Opens the wallet; asked for, or taken from TEGATA_PASSPHRASE.",
    )(command)
    return click.argument("wallet_file", metavar="WALLET", type=click.Path(path_type=Path))(command)


@click.group(
    cls=LazyGroup,
    places={
        "protect": "node.cli.wallet_backup:protect",
        "recover": "node.cli.wallet_recovery:recover",
        "finish-recovery": "node.cli.wallet_recovery:finish_recovery",
        "back-up": "node.cli.wallet_backup:back_up",
        "escrow-log": "node.cli.wallet_backup:escrow_log",
        "paper": "node.cli.wallet_backup:paper",
        "check-ledger": "node.cli.wallet_ledger:check_ledger",
        "use-node": "node.cli.wallet_ledger:use_node",
        "guard": "node.cli.wallet_guard:guard",
        "history": "node.cli.wallet_history:history",
        "part": "node.cli.wallet_parts:part",
        "present": "node.cli.wallet_grants:present",
        "grants": "node.cli.wallet_grants:grants",
        "revoke": "node.cli.wallet_grants:revoke",
        "consent-record": "node.cli.wallet_history:consent_record",
        "recoveries": "node.cli.wallet_guard:recoveries",
        "veto": "node.cli.wallet_guard:veto",
        "changes": "node.cli.wallet_guard:changes",
        "lift-guard": "node.cli.wallet_guard:lift_guard",
        "refresh": "node.cli.wallet_refresh:refresh",
        "serve": "node.cli.wallet_serve:serve_wallet",
    },
)
def wallet() -> None:
    """A resident's wallet: keep credentials, show single attributes, revoke grants."""
    if configure_telemetry("wallet"):
        # What cannot be sent is said on standard error.
        configure_logging()


@wallet.command()
@click.argument("wallet_file", metavar="WALLET", type=click.Path(path_type=Path))
@click.option(
    "--passphrase",
    envvar="TEGATA_PASSPHRASE",
    prompt=True,
    hide_input=True,
    confirmation_prompt=True,
    help="Will open the wallet; asked for, or taken from TEGATA_PASSPHRASE.",
)
@click.option(
    "--trust",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    envvar="TEGATA_TRUST",
    help="Certificates (PEM) of the authorities that vouch for verifiers; or TEGATA_TRUST.",
)
@json_option
def create(wallet_file: Path, passphrase: str, trust: Path | None, as_json: bool) -> None:
    """Make a new wallet in the file WALLET."""
    # What is no text is no certificate in PEM either, and is refused as such.
    anchors = "" if trust is None else trust.read_bytes().decode("ascii", errors="replace")
    with Wallet.create(wallet_file, passphrase, trust_anchors=anchors) as made:
        show({"wallet": str(wallet_file), "public_key": made.public_key}, as_json=as_json)


@wallet.command()
@wallet_argument
@click.option(
    "--issuer",
    envvar="TEGATA_ISSUER",
    required=True,
    help="The address of the issuer service; or TEGATA_ISSUER.",
)
@click.option(
    "--code",
    type=JsonValue("enrolment_code"),
    required=True,
    help="The enrolment code that the issuer gave.",
)
@click.option(
    "--torii",
    envvar="TEGATA_TORII",
    required=True,
    help="host:port of the ledger node to use; or TEGATA_TORII.",
)
@root_certificates_option(envvar="TEGATA_ROOT_CERTIFICATES")
@json_option
def register(
    wallet_file: Path,
    passphrase: str,
    issuer: str,
    code: str,
    torii: str,
    root_certificates: bytes | None,
    as_json: bool,
) -> None:
    """Have a ledger account made for WALLET, under a random name.

    `--code @FILE` takes the code from what `tegata issuer enrol --json` printed.
    """
    warn_of_plain(torii, root_certificates)
    with Wallet.open(wallet_file, passphrase) as holder:
        account = holder.register(issuer, code, torii=torii, root_certificates=root_certificates)
    show({"account": account.account_id, "ledger": account.ledger_id}, as_json=as_json)


@wallet.command()
@wallet_argument
@click.argument("link", metavar="OFFER", type=JsonValue("offer"))
@click.option(
    "--tx-code",
    type=JsonValue("tx_code"),
    help="The transaction code, where the issuer gave one.",
)
@click.option(
    "--issuer-account",
    metavar="ACCOUNT",
    help="The issuer's ledger account; by default the one that made the wallet's account.",
)
@click.option(
    "--one-time",
    type=click.IntRange(min=1),
    metavar="COUNT",
    help="COUNT credentials that are each shown once, so that verifiers cannot link them.",
)
@click.option(
    "--format",
    "credential_format",
    type=click.Choice([*FORMATS]),
    help="The format to have it in; by default the first that the issuer offers.",
)
@click.option(
    "--browser",
    type=click.Choice(["open", "paste"]),
    help="Authenticate at the issuer's page: open it here, or elsewhere and paste where it ends.",
)
@click.option(
    "--card",
    is_flag=True,
    help="Let the My Number card on the reader sign, where the issuer wants to see it.",
)
@provider_options
@json_option
def receive(
    wallet_file: Path,
    passphrase: str,
    link: str,
    tx_code: str | None,
    issuer_account: str | None,
    one_time: int | None,
    credential_format: str | None,
    browser: str | None,
    card: bool,
    provider: Path | None,
    client_id: str | None,
    issuer_authority: Path | None,
    as_json: bool,
) -> None:
    """Fetch the credential that OFFER offers: openid-credential-offer://..., or an issuer's URL.

    An issuer that you come to without an offer shows you its page, or sees your card: it needs
    --browser or --card. `@FILE` takes offer or code from what `tegata issuer offer --json` printed.
    """
    vouching = load_provider(provider, client_id)
    with (
        Wallet.open(
            wallet_file,
            passphrase,
            provider=vouching,
            issuer_anchors=load_anchors(issuer_authority),
        ) as holder,
        opened_browser(browser) as page,
        opened_card(card) as prover,
    ):
        if prover is not None and link == holder.account.issuer_url:
            credential = holder.issuance.receive_by_card(prover)
        elif link.startswith(("https://", "http://")):
            if page is None:
                raise click.UsageError(
                    "an issuer without an offer needs --browser, or --card at the wallet's own"
                )
            credential = holder.issuance.receive_at(
                link,
                browser=page,
                trusted_issuer=issuer_account,
                credential_format=credential_format,
            )
        elif one_time is not None:
            holder.issuance.receive_one_time(
                link,
                tx_code=tx_code,
                count=one_time,
                trusted_issuer=issuer_account,
                credential_format=credential_format,
            )
            show({"one_time_left": holder.one_time_left}, as_json=as_json)
            return
        else:
            credential = receive_after_face_test(
                lambda: holder.issuance.receive(
                    link,
                    tx_code=tx_code,
                    trusted_issuer=issuer_account,
                    credential_format=credential_format,
                    card=prover,
                    browser=page,
                )
            )
    show(
        {
            "credential": credential.record_id,
            "type": credential.credential_type,
            "format": credential.format,
            "issuer": credential.issuer,
            "expires": when(credential.expires_at_ms),
        },
        as_json=as_json,
    )


@wallet.command()
@wallet_argument
@provider_options
@json_option
def resume(
    wallet_file: Path,
    passphrase: str,
    provider: Path | None,
    client_id: str | None,
    issuer_authority: Path | None,
    as_json: bool,
) -> None:
    """Fetch the credentials of offers that were accepted before, such as deferred ones."""
    rows: list[dict[str, Value]] = []
    vouching = load_provider(provider, client_id)
    anchors = load_anchors(issuer_authority)
    with Wallet.open(wallet_file, passphrase, provider=vouching, issuer_anchors=anchors) as holder:
        for issuance in holder.issuance.pending:
            try:
                found, state = holder.issuance.resume(issuance.issuance_id).record_id, "received"
            except ClientError as error:
                found, state = None, str(error)
            rows.append({"issuer": issuance.issuer_url, "credential": found, "state": state})
    show_rows(rows, empty="The wallet waits for no credential.", as_json=as_json)


@wallet.command()
@wallet_argument
@json_option
def credentials(wallet_file: Path, passphrase: str, as_json: bool) -> None:
    """List the credentials in WALLET, with what they say."""
    with Wallet.open(wallet_file, passphrase) as holder:
        rows: list[dict[str, Value]] = [
            {
                "credential": credential.record_id,
                "format": credential.format,
                "one_time": _one_time(credential),
                "issuer": credential.issuer,
                "expires": when(credential.expires_at_ms),
                "attributes": {
                    name: preview(value)
                    for name, value in holder.attributes(credential.record_id).items()
                },
            }
            for credential in holder.credentials
        ]
    show_rows(rows, empty="The wallet holds no credential yet.", as_json=as_json)


def _one_time(credential: StoredCredential) -> str | None:
    if not credential.is_one_time:
        return None
    return "used" if credential.is_used else "unused"

"""`tegata wallet recover` and `finish-recovery`: a lost wallet comes back."""

import os
import re
from html import unescape
from pathlib import Path
from typing import Final

import click

from client_sdk.credentials.jose import Key
from client_sdk.errors import ClientError, TransportError
from client_sdk.escrow.agents_faces import find_face_service
from client_sdk.escrow.paper_backup import parse_paper_share
from client_sdk.escrow.recovery import FaceTest, RecoveryFaceTest, recover_from_paper
from client_sdk.escrow.recovery import recover as recover_backup
from client_sdk.escrow.recovery_card import SCHEME, parse_recovery_card
from client_sdk.face.demand import FaceService
from client_sdk.face.portrait import PortraitOpening
from client_sdk.http.client import HttpClient
from client_sdk.http.endpoint_url import parse_endpoint
from client_sdk.wallet import Wallet
from client_sdk.wallet.credential_renewal import Renewal
from node.cli.face_page import face_tester
from node.cli.output import Value, json_option, show, when
from node.cli.patience import Patience, patience_option
from node.cli.progress import wait_until
from node.cli.wallet import wallet_argument

_CARD: Final = re.compile(rf"{re.escape(SCHEME)}[^<\s]+")


class _CardText(click.ParamType[str]):
    """What a recovery card's QR code holds, or `@FILE`: the page that `protect` wrote."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the card's text."""
        if not value.startswith("@"):
            return value
        page = Path(value.removeprefix("@"))
        try:
            found = _CARD.search(page.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            self.fail(f"{page}: cannot be read ({type(error).__name__})", param, ctx)
        if found is None:
            self.fail(f"{page}: there is no recovery card in it", param, ctx)
        return unescape(found[0])


@click.command()
@click.argument("wallet_file", metavar="WALLET", type=click.Path(path_type=Path))
@click.option(
    "--passphrase",
    envvar="TEGATA_PASSPHRASE",
    prompt=True,
    hide_input=True,
    confirmation_prompt=True,
    help="Will open the new wallet; asked for, or taken from TEGATA_PASSPHRASE.",
)
@click.option(
    "--card",
    type=_CardText(),
    envvar="TEGATA_RECOVERY_CARD",
    help="What the recovery card's QR code holds, or @FILE: the page that `protect` wrote; asked "
    "for, or taken from TEGATA_RECOVERY_CARD.",
)
@click.option(
    "--sheet",
    "sheets",
    multiple=True,
    help="What the QR code of a paper backup's sheet holds, instead of card and password.",
)
@click.option(
    "--face-service", metavar="URL", help="The face service, where the agents do not say it."
)
@click.option(
    "--face-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The portrait that `protect` wrote for face tests.",
)
@click.option("--version", type=int, help="An older version that is wanted.")
@click.option(
    "--account/--no-account",
    "opens",
    default=True,
    show_default=True,
    help="Have the agents open the recovery of the account too, where it is guarded.",
)
@patience_option
@json_option
def recover(
    wallet_file: Path,
    passphrase: str,
    card: str | None,
    sheets: tuple[str, ...],
    face_service: str | None,
    face_file: Path | None,
    version: int | None,
    opens: bool,
    patience: int,
    as_json: bool,
) -> None:
    """Make a new wallet in WALLET from the backup, with card and password or with paper sheets."""
    if face_service is not None and face_file is None:
        raise click.UsageError("--face-service needs --face-file")
    waiting = Patience(patience)
    http = HttpClient()
    try:
        if sheets:
            shares = [parse_paper_share(sheet) for sheet in sheets]
            recovered = waiting.insist(
                lambda: recover_from_paper(shares, http=http, version=version)
            )
        else:
            text = card or click.prompt("Recovery card", hide_input=True, err=as_json)
            password = os.environ.get("TEGATA_RECOVERY_PASSWORD") or click.prompt(
                "Recovery password", hide_input=True, err=as_json
            )
            parsed = parse_recovery_card(text)
            face_test = None
            if face_file is not None:
                service = face_service or waiting.insist(
                    lambda: find_face_service(parsed.urls, http=http)
                )
                face_test = _face_test(service, face_file, http)
            recovered = waiting.insist(
                lambda: recover_backup(
                    parsed,
                    password,
                    http=http,
                    face_test=face_test,
                    version=version,
                    patience=waiting,
                )
            )
    finally:
        http.close()
    with Wallet.recover(wallet_file, passphrase, recovered) as made:
        told: dict[str, Value] = {
            "wallet": str(wallet_file),
            "version": recovered.version,
            "credentials": [credential.record_id for credential in made.credentials],
            "public_key": made.public_key,
            "agents_at_fault": list(map(str, recovered.findings)),
        }
        if opens and recovered.success_key is not None and made.is_registered:
            told |= _open_account(made, recovered.success_key, waiting)
        show(told, as_json=as_json)


def _face_test(service: str, face_file: Path, http: HttpClient) -> FaceTest:
    portrait = PortraitOpening.parse(face_file.read_text(encoding="ascii", errors="replace"))
    have_tested = face_tester(http)

    def test(wanted: RecoveryFaceTest) -> str:
        return have_tested(
            FaceService(name=service, url=parse_endpoint(service, "--face-service")),
            wanted.with_portrait(portrait),
        )

    return test


def _open_account(made: Wallet, success_key: Key, waiting: Patience) -> dict[str, Value]:
    """Open the recovery of the account; the wallet is there in any case."""
    try:
        agents = made.escrow.signing_agents(success_key)
        opened = waiting.insist(lambda: made.recovery.open(agents))
    except ClientError as error:
        return {"account": f"not recovered: {error}"}
    return {
        "account": f"will have this wallet's key from {when(opened.window.matures_at_ms)} on",
        "recovery": opened.record_id,
        "next": "tegata wallet finish-recovery, then; or now, with --wait",
    }


@click.command("finish-recovery")
@wallet_argument
@click.option("--wait", is_flag=True, help="Wait until the guard's delay has passed.")
@patience_option
@json_option
def finish_recovery(
    wallet_file: Path, passphrase: str, wait: bool, patience: int, as_json: bool
) -> None:
    """Put WALLET's key in the lost one's place, and have its credentials issued anew."""
    waiting = Patience(patience)
    with Wallet.open(wallet_file, passphrase) as holder:
        agents = holder.escrow.signing_agents()
        if wait:
            # The account cannot be read with this wallet's key yet: the agents read it.
            account = holder.account.account_id
            found = waiting.insist(lambda: agents.guard_state(account)).recovery
            if found is not None:
                wait_until(found.window.matures_at_ms, text="The guard's delay")
        waiting.insist(lambda: holder.recovery.finish(agents))
        renewed = _renew(holder, waiting)
        findings = holder.escrow.bind_account()
    show(
        {
            "public_key": holder.public_key,
            "renewed": [r.credential.record_id for r in renewed if r.credential is not None],
            "not_renewed": [r.problem for r in renewed if r.problem],
            "agents_at_fault": list(map(str, findings)),
        },
        as_json=as_json,
    )


def _renew(holder: Wallet, waiting: Patience) -> list[Renewal]:
    """Renew the credentials; an issuer that cannot be reached is waited for."""
    renewed: list[Renewal] = []
    while True:
        found = holder.recovery.renew_credentials()
        renewed += [one for one in found if one.credential is not None]
        left = [one for one in found if one.credential is None]
        passing = next((one.problem for one in left if one.may_pass), None)
        if passing is None or not waiting.waits_for(TransportError(passing)):
            return [*renewed, *left]

"""`tegata wallet serve`: the wallet's page, for its holder's own browsers."""

import sys
from contextlib import ExitStack
from pathlib import Path

import click
import segno

from client_sdk.openid4vp.access_certificate import load_certificates
from node.cli.card_on_reader import find_reader
from node.cli.ledger_node import root_certificates_option
from node.cli.output import Value, json_option, show
from node.log import configure_logging
from node.wallet.app import create_app
from node.wallet.desk import Desk, Suggestions
from node.wallet.devices import Devices
from node.wallet.keeper import WalletKeeper
from node.wallet.pairing import PhoneAccess, pairing_link, prepare_phone
from node.wallet.serving import PhoneServer, require_loopback
from node.web.server import bind, parse_address, serve


@click.command("serve")
@click.argument("wallet_file", metavar="WALLET", type=click.Path(path_type=Path))
@click.option(
    "--listen",
    default="127.0.0.1:8460",
    show_default=True,
    envvar="TEGATA_WALLET_LISTEN",
    help="host:port on this machine alone.",
)
@click.option(
    "--phone",
    metavar="HOST:PORT",
    envvar="TEGATA_WALLET_PHONE",
    help="This machine's address in your network: a phone can be paired there, over TLS.",
)
@click.option(
    "--trust",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    envvar=["TEGATA_WALLET_TRUST", "TEGATA_TRUST"],
    help="For a new wallet: certificates (PEM) of the authorities that vouch for verifiers.",
)
@click.option(
    "--issuer",
    default="",
    envvar=["TEGATA_WALLET_ISSUER", "TEGATA_ISSUER"],
    help="Fills in a form.",
)
@click.option(
    "--torii", default="", envvar=["TEGATA_WALLET_TORII", "TEGATA_TORII"], help="Fills in a form."
)
@root_certificates_option(
    "Fills in a form: a node over TLS must lead to one of these (PEM).",
    envvar=["TEGATA_WALLET_ROOT_CERTIFICATES", "TEGATA_ROOT_CERTIFICATES"],
)
@click.option(
    "--agent",
    "agents",
    multiple=True,
    envvar=["TEGATA_WALLET_AGENTS", "TEGATA_AGENTS"],
    help="Fills in a form; once for each agent.",
)
@click.option("--open/--no-open", "opens", default=False, help="Open the page in the browser.")
@json_option
def serve_wallet(
    wallet_file: Path,
    listen: str,
    phone: str | None,
    trust: Path | None,
    issuer: str,
    torii: str,
    root_certificates: bytes | None,
    agents: tuple[str, ...],
    opens: bool,
    as_json: bool,
) -> None:
    """Show the wallet in the file WALLET as a page, in your own browser or on your phone.

    WALLET need not exist yet: the page makes it, or brings a lost one back. The link that is
    printed pairs one browser, once; the page asks for the passphrase. Keys stay in this process.
    """
    configure_logging()
    host, _ = require_loopback(listen)
    anchors = "" if trust is None else trust.read_bytes().decode("ascii", errors="replace")
    if anchors:
        load_certificates(anchors.encode())
    devices = Devices(wallet_file.with_name(f"{wallet_file.name}.devices"))
    access = None if phone is None else prepare_phone(wallet_file, *parse_address(phone))
    desk = Desk(
        WalletKeeper(wallet_file, trust_anchors=anchors),
        devices,
        suggestions=Suggestions(
            issuer=issuer,
            torii=torii,
            root_certificates=(root_certificates or b"").decode("ascii", errors="replace"),
            agents=agents,
        ),
        phone=access,
        card_reader=find_reader(),
    )
    listener = bind(listen)
    origin = f"http://{devices.host}:{listener.getsockname()[1]}"
    with ExitStack() as stack:
        stack.callback(desk.keeper.lock)
        stack.callback(desk.jobs.stop_all)
        if access is not None and phone is not None:
            app = create_app(desk, origin=access.origin)
            stack.enter_context(PhoneServer(app, access, listen=phone))
        link = f"{origin}/pair?code={devices.new_code()}"
        _tell(link, access, devices, as_json=as_json)
        if opens:
            click.launch(link)
        serve(
            create_app(desk, origin=origin),
            f"{host}:{listener.getsockname()[1]}",
            service="wallet",
            listener=listener,
        )


def _tell(link: str, phone: PhoneAccess | None, devices: Devices, *, as_json: bool) -> None:
    """Print the links that pair a browser of this machine, and a phone."""
    told: dict[str, Value] = {"open_once": link}
    phone_link = None
    if phone is not None:
        phone_link = pairing_link(phone, devices.new_code())
        told |= {"scan_once": phone_link, "fingerprint": phone.fingerprint}
    show(told, as_json=as_json)
    if phone_link is not None and not as_json:
        segno.make(phone_link, micro=False).terminal(compact=True)
    sys.stdout.flush()

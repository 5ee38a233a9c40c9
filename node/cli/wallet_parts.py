"""`tegata wallet part`: an account and a credential that one verifier alone meets."""

from pathlib import Path

import click

from client_sdk.openid4vp.request_link import RequestLink, parse_link
from client_sdk.wallet import Wallet
from node.cli.ledger_node import root_certificates_option, warn_of_plain
from node.cli.output import json_option, show
from node.cli.wallet import wallet_argument
from node.errors import ConfigError


@click.command()
@wallet_argument
@click.argument("link", metavar="REQUEST")
@click.option("--issuer", required=True, help="The address of the issuer service.")
@click.option("--code", required=True, help="The enrolment code that the issuer gave for it.")
@click.option("--torii", required=True, help="host:port of the ledger node to use.")
@root_certificates_option(envvar="TEGATA_ROOT_CERTIFICATES")
@click.option("--offer", required=True, help="The credential offer that the issuer made for it.")
@click.option("--tx-code", help="The transaction code, where the issuer gave one.")
@json_option
def part(
    wallet_file: Path,
    passphrase: str,
    link: str,
    issuer: str,
    code: str,
    torii: str,
    root_certificates: bytes | None,
    offer: str,
    tx_code: str | None,
    as_json: bool,
) -> None:
    """Meet the verifier of REQUEST (openid4vp://...) with an account of its own from now on.

    This verifier and others then share nothing by which they could know you again, but what you
    show them. Nothing is answered yet: use `present` as always.
    """
    warn_of_plain(torii, root_certificates)
    pointer = parse_link(link)
    if not isinstance(pointer, RequestLink):
        raise ConfigError("REQUEST: nobody signed it, so that it names no verifier for certain")
    with Wallet.open(wallet_file, passphrase) as holder:
        own = holder.part_for(pointer.client_id)
        if not own.is_registered:
            own.register(issuer, code, torii=torii, root_certificates=root_certificates)
        credential = own.issuance.receive(offer, tx_code=tx_code)
        account = own.account.account_id
    show(
        {"verifier": pointer.client_id, "account": account, "credential": credential.record_id},
        as_json=as_json,
    )

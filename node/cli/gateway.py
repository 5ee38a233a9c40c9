"""`tegata gateway`: make and run a gateway, and the verifiers behind it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import click

from client_sdk.http.endpoint_url import parse_endpoint
from client_sdk.openid4vp.access_certificate import create_access_authority
from client_sdk.purposes import PURPOSE_TERMS
from node.cli.lazy_group import LazyGroup
from node.cli.logins import add_login as add_login_to
from node.cli.logins import password_option
from node.cli.network import Network
from node.cli.output import json_option, show, show_rows
from node.cli.service_commands import (
    folder_argument,
    listen_option,
    network_option,
    public_url_option,
    refuse_second,
    start_command,
)
from node.cli.store_migration import migrate_command
from node.cli.toml import encode_toml
from node.config import load_config, save_secret
from node.gateway.config import FILE_NAME, GatewayConfig
from node.keypair import load_or_make_keypair

AUTHORITY = "access_authority"
"""The name of the access authority's files in a gateway's folder."""


@click.group(
    cls=LazyGroup,
    places={
        "add-verifier": "node.cli.gateway_verifiers:add_verifier",
        "key": "node.cli.gateway_keys:key",
    },
)
def gateway() -> None:
    """Make and run a gateway, and the verifiers behind it."""


gateway.add_command(
    start_command(
        "the gateway",
        GatewayConfig,
        file=FILE_NAME,
        run="node.gateway.app:run_gateway",
        # Each of its workers sets up its own traces.
        service=None,
        extra="gateway",
    )
)
gateway.add_command(
    migrate_command(
        "node.gateway.gateway_store:SCHEMA",
        database_url=lambda folder: load_config(folder / FILE_NAME, GatewayConfig).database_url,
    )
)


@gateway.command()
@folder_argument
@network_option("the administrator's key")
@click.option("--account", default="gateway_1@gateway", show_default=True, help="Its account.")
@listen_option("127.0.0.1:8080")
@public_url_option("wallets reach")
@click.option("--waci", is_flag=True, help="Make each request an invitation of WACI, too.")
@json_option
def init(
    folder: Path,
    network: Path,
    account: str,
    listen: str,
    public_url: str | None,
    waci: bool,
    as_json: bool,
) -> None:
    """Make a gateway in FOLDER: its ledger account, an access authority, gateway.toml.

    The access authority vouches for verifiers' names: give access_authority.crt to wallets, and
    keep its key away from the gateway where others run gateways too.
    """
    refuse_second(folder / FILE_NAME, "a gateway")
    with Network(network) as ledger:
        # Before the ledger is written to: an account is made once.
        public_url = parse_endpoint(public_url or f"http://{listen}", "public_url")
        config: dict[str, str | bool | list[str]] = {
            "public_url": public_url,
            "listen": listen,
            "waci": waci,
            "prove_ledger": True,
        }
        section = {
            "address": ledger.torii,
            "account": account,
            "private_key_file": "keys/account.priv",
            "ledger_id": ledger.ledger_id,
        }
        key = load_or_make_keypair(folder / "keys" / "account.priv")
        ledger.create_account(account, key.public_key)
    authority = create_access_authority(name="Tegata access authority", now=datetime.now(UTC))
    (folder / f"{AUTHORITY}.crt").write_bytes(authority.encode_chain())
    save_secret(folder / "keys" / f"{AUTHORITY}.key", authority.encode_key().decode())
    save_secret(folder / FILE_NAME, encode_toml(config) + "\n[ledger]\n" + encode_toml(section))
    show(
        {
            "folder": str(folder),
            "account": account,
            "public_url": public_url,
            "access_authority": str(folder / f"{AUTHORITY}.crt"),
            "next": f'tegata gateway add-verifier {folder} ID --name "Who asks" '
            "--may-ask PURPOSE=ATTRIBUTE",
        },
        as_json=as_json,
    )


@gateway.command("add-login")
@folder_argument
@click.argument("name")
@click.option("--verifier", required=True, metavar="ID", help="Whom the person works for.")
@password_option
@json_option
def add_login(
    folder: Path, name: str, verifier: str, password_file: IO[str] | None, as_json: bool
) -> None:
    """Let NAME work at the verifier's page of the gateway in FOLDER, once it is started again."""
    add_login_to(folder / FILE_NAME, GatewayConfig, name, password_file, verifier=verifier)
    page = f"{load_config(folder / FILE_NAME, GatewayConfig).public_url}/verifier/"
    show({"login": name, "verifier": verifier, "page": page}, as_json=as_json)


@gateway.command()
@json_option
def purposes(as_json: bool) -> None:
    """List the terms of the W3C Data Privacy Vocabulary that a request can name."""
    show_rows(
        [
            {
                "purpose": term.name,
                "english": term.english,
                "japanese": term.japanese,
                "within": term.broader,
                "identifier": term.iri,
            }
            for term in PURPOSE_TERMS.values()
        ],
        empty="",
        as_json=as_json,
    )

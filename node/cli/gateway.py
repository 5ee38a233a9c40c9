"""`tegata gateway`: make and run a gateway, and the verifiers behind it."""

import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import click

from client_sdk.http.endpoint_url import parse_endpoint
from client_sdk.openid4vp.access_certificate import (
    AccessIdentity,
    certify_verifier,
    create_access_authority,
    load_identity,
)
from client_sdk.purposes import PURPOSE_TERMS
from node.cli.config_file import extend_config, replace_config
from node.cli.gateway_keys import DAY_MS, key
from node.cli.gateway_registration import may_ask_option, parse_uses, register
from node.cli.logins import add_login as add_login_to
from node.cli.logins import password_option
from node.cli.network import Network
from node.cli.output import json_option, show, show_rows
from node.cli.store_migration import migrate_command
from node.cli.toml import encode_toml
from node.config import load_config, save_secret
from node.errors import ConfigError
from node.gateway.api_keys import Scope
from node.gateway.app import run_gateway
from node.gateway.config import FILE_NAME, GatewayConfig
from node.gateway.gateway_store import SCHEMA, GatewayStore
from node.keypair import load_or_make_keypair
from node.log import configure_logging

_AUTHORITY = "access_authority"
_folder = click.argument("folder", type=click.Path(path_type=Path, file_okay=False))


@click.group()
def gateway() -> None:
    """Make and run a gateway, and the verifiers behind it."""


gateway.add_command(key)
gateway.add_command(
    migrate_command(
        SCHEMA,
        database_url=lambda folder: load_config(folder / FILE_NAME, GatewayConfig).database_url,
    )
)


@gateway.command()
@_folder
@click.option(
    "--network",
    required=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The folder of the running node, with the administrator's key.",
)
@click.option("--account", default="gateway_1@gateway", show_default=True, help="Its account.")
@click.option("--listen", default="127.0.0.1:8080", show_default=True, help="host:port to bind.")
@click.option("--public-url", help="Where wallets reach it; http://LISTEN otherwise.")
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
    if (folder / FILE_NAME).exists():
        raise ConfigError(f"{folder / FILE_NAME} exists: a gateway is not made twice")
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
    (folder / f"{_AUTHORITY}.crt").write_bytes(authority.encode_chain())
    save_secret(folder / "keys" / f"{_AUTHORITY}.key", authority.encode_key().decode())
    save_secret(folder / FILE_NAME, encode_toml(config) + "\n[ledger]\n" + encode_toml(section))
    show(
        {
            "folder": str(folder),
            "account": account,
            "public_url": public_url,
            "access_authority": str(folder / f"{_AUTHORITY}.crt"),
            "next": f'tegata gateway add-verifier {folder} ID --name "Who asks" '
            "--may-ask PURPOSE=ATTRIBUTE",
        },
        as_json=as_json,
    )


@gateway.command("add-verifier")
@_folder
@click.argument("verifier_id", metavar="ID")
@click.option("--name", required=True, help="The organization, as holders will see it.")
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=365,
    show_default=True,
    help="How long it is certified.",
)
@may_ask_option
@click.option(
    "--may-exceed",
    is_flag=True,
    help="Make requests beyond the registration all the same; wallets warn.",
)
@json_option
def add_verifier(
    folder: Path,
    verifier_id: str,
    name: str,
    days: int,
    may_ask: tuple[str, ...],
    may_exceed: bool,
    as_json: bool,
) -> None:
    """Certify a verifier in FOLDER and give it an API key, which is shown only now.

    The key opens everything for as long as the certificate is valid; `tegata gateway key` makes
    narrower ones.
    """
    config_file = folder / FILE_NAME
    key_file = Path("keys") / f"verifier_{verifier_id}.key"
    chain_file = f"verifier_{verifier_id}.crt"
    uses = parse_uses(may_ask)
    registration_files = [f"verifier_{verifier_id}_{place}.rc" for place in range(len(uses))]
    section: dict[str, str | bool | list[str]] = {
        "id": verifier_id,
        "certificate_chain_file": chain_file,
        "private_key_file": str(key_file),
        "registration_files": registration_files,
        "may_exceed_registration": may_exceed,
    }
    # Before anything is written: the gateway must start with what is left here.
    text, config = extend_config(config_file, GatewayConfig, "verifiers", section)
    public_url = config.public_url
    authority = _load_authority(folder)
    identity = certify_verifier(
        authority,
        name=name,
        url=public_url,
        host=urlsplit(public_url).hostname or "localhost",
        now=datetime.now(UTC),
        days=days,
    )
    registrations = register(uses, identity, authority=authority, days=days)
    save_secret(folder / key_file, identity.encode_key().decode())
    (folder / chain_file).write_bytes(identity.encode_chain())
    for file, token in zip(registration_files, registrations, strict=True):
        (folder / file).write_text(token, encoding="ascii")
    replace_config(config_file, text)
    with closing(GatewayStore(config.database_url)) as store:
        now_ms = time.time_ns() // 1_000_000
        _, api_key = store.keys.create(
            verifier_id, scopes=tuple(Scope), now_ms=now_ms, expires_at_ms=now_ms + days * DAY_MS
        )
    show(
        {
            "verifier": verifier_id,
            "name": name,
            "client_id": identity.client_id,
            "api_key": api_key,
            "next": f"tegata gateway start {folder}",
        },
        as_json=as_json,
    )


def _load_authority(folder: Path) -> AccessIdentity:
    try:
        return load_identity(
            chain_pem=(folder / f"{_AUTHORITY}.crt").read_bytes(),
            key_pem=(folder / "keys" / f"{_AUTHORITY}.key").read_bytes(),
        )
    except OSError as error:
        raise ConfigError(f"{error.filename}: cannot be read: {error.strerror}") from None


@gateway.command("add-login")
@_folder
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
@_folder
@click.option("--verbose", is_flag=True, help="Log more.")
def start(folder: Path, verbose: bool) -> None:
    """Run the gateway in FOLDER until SIGTERM or Ctrl-C."""
    configure_logging(verbose=verbose)
    run_gateway(load_config(folder / FILE_NAME, GatewayConfig))


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

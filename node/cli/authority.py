"""`tegata authority`: make and run one authority's signer of an issuer's key."""

import hashlib
import secrets
from pathlib import Path

import click

from node.authority.app import run_authority
from node.authority.config import AuthorityConfig
from node.authority.store import SCHEMA
from node.cli.output import json_option, show
from node.cli.store_migration import migrate_command
from node.cli.toml import encode_toml
from node.config import load_config, parse_config, save_secret
from node.errors import ConfigError
from node.log import configure_logging
from node.telemetry import configure_telemetry
from node.threshold.ceremony_files import SHARE_FILE
from node.threshold.share_file import load_share

FILE_NAME = "authority.toml"
_folder = click.argument("folder", type=click.Path(path_type=Path, file_okay=False))


@click.group()
def authority() -> None:
    """Make and run one authority's signer of an issuer's key."""


@authority.command()
@_folder
@click.option("--issuer-url", required=True, help="The issuer's public address.")
@click.option("--issuer-account", required=True, help="Such as aoba_city@issuer.")
@click.option("--ledger-id", required=True, help="64 hex digits, as `tegata node status` shows.")
@click.option("--listen", default="127.0.0.1:8091", show_default=True, help="host:port to bind.")
@json_option
def init(
    folder: Path, issuer_url: str, issuer_account: str, ledger_id: str, listen: str, as_json: bool
) -> None:
    """Write authority.toml in FOLDER, where `tegata issuer keygen` put the share."""
    share = load_share(folder / SHARE_FILE)
    token = secrets.token_urlsafe(32)
    text = encode_toml(
        {
            "listen": listen,
            "share_file": SHARE_FILE,
            "issuer_token_sha256": hashlib.sha256(token.encode()).hexdigest(),
            "issuer_url": issuer_url.rstrip("/"),
            "issuer_account": issuer_account,
            "ledger_id": ledger_id,
        }
    )
    parse_config(text, AuthorityConfig, path=folder / FILE_NAME)
    if (folder / FILE_NAME).exists():
        raise ConfigError(f"{folder / FILE_NAME} exists: an authority is not made twice")
    save_secret(folder / FILE_NAME, text)
    show(
        {
            "folder": str(folder),
            "identifier": str(share.identifier),
            "signs_under": share.group.ledger_key,
            "issuer_token": token,
            "next": f"give the token to the issuer's operator; tegata authority start {folder}",
        },
        as_json=as_json,
    )


@authority.command()
@_folder
@click.option("--verbose", is_flag=True, help="Log more.")
def start(folder: Path, verbose: bool) -> None:
    """Run the authority's signer in FOLDER until SIGTERM or Ctrl-C."""
    configure_logging(verbose=verbose)
    configure_telemetry("authority")
    run_authority(load_config(folder / FILE_NAME, AuthorityConfig))


authority.add_command(
    migrate_command(
        SCHEMA,
        database_url=lambda folder: load_config(folder / FILE_NAME, AuthorityConfig).database_url,
    )
)

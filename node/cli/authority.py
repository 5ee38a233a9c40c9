"""`tegata authority`: make and run one authority's signer of an issuer's key."""

import hashlib
import secrets
from pathlib import Path

import click

from node.authority.config import AuthorityConfig
from node.cli.output import json_option, show
from node.cli.service_commands import (
    folder_argument,
    listen_option,
    refuse_second,
    start_command,
)
from node.cli.store_migration import migrate_command
from node.cli.toml import encode_toml
from node.config import load_config, parse_config, save_secret
from node.threshold.ceremony_files import SHARE_FILE
from node.threshold.share_file import load_share

FILE_NAME = "authority.toml"


@click.group()
def authority() -> None:
    """Make and run one authority's signer of an issuer's key."""


@authority.command()
@folder_argument
@click.option("--issuer-url", required=True, help="The issuer's public address.")
@click.option("--issuer-account", required=True, help="Such as aoba_city@issuer.")
@click.option("--ledger-id", required=True, help="64 hex digits, as `tegata node status` shows.")
@listen_option("127.0.0.1:8091")
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
    refuse_second(folder / FILE_NAME, "an authority")
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


authority.add_command(
    start_command(
        "the authority's signer",
        AuthorityConfig,
        file=FILE_NAME,
        run="node.authority.app:run_authority",
        service="authority",
        extra="gateway",
    )
)
authority.add_command(
    migrate_command(
        "node.authority.store:SCHEMA",
        database_url=lambda folder: load_config(folder / FILE_NAME, AuthorityConfig).database_url,
    )
)

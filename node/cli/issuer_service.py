"""`tegata issuer`: make and run an issuer service."""

import hashlib
import json
import secrets
from pathlib import Path
from typing import IO

import click

from chaincode.encoding import JsonObject
from chaincode.records import IssuerRecord
from client_sdk.credentials.jose import export_private_jwk, export_public_jwk, generate_key
from client_sdk.credentials.resident import RESIDENT_CREDENTIAL_TYPE
from client_sdk.issuer.authority_client import group_jwk
from client_sdk.ledger.grants import new_record_id
from node.cli.keygen import keygen_command, reshare_command
from node.cli.logins import add_login as add_login_to
from node.cli.logins import password_option
from node.cli.network import Network
from node.cli.output import json_option, show
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
from node.config import load_config, parse_config, save_secret
from node.issuer.config import FILE_NAME, IssuerConfig, load_token
from node.keypair import load_or_make_keypair
from node.threshold.share_file import load_group

keygen = keygen_command("issuer")
reshare = reshare_command("issuer")
migrate = migrate_command(
    "node.issuer.tables:SCHEMA",
    database_url=lambda folder: load_config(folder / FILE_NAME, IssuerConfig).database_url,
)
start = start_command(
    "the issuer",
    IssuerConfig,
    file=FILE_NAME,
    run="node.issuer.process:run_issuer",
    service="issuer",
    extra="gateway",
)


@click.command()
@folder_argument
@network_option("the administrator's and registrar's keys")
@click.option("--account", required=True, help="Its account, such as aoba_city@issuer.")
@listen_option("127.0.0.1:8081")
@public_url_option("wallets reach")
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
    refuse_second(folder / FILE_NAME, "an issuer")
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


@click.command("add-login")
@folder_argument
@click.argument("name")
@password_option
@json_option
def add_login(folder: Path, name: str, password_file: IO[str] | None, as_json: bool) -> None:
    """Let NAME work at the counter's page of the issuer in FOLDER, once it is started again."""
    add_login_to(folder / FILE_NAME, IssuerConfig, name, password_file)
    page = f"{load_config(folder / FILE_NAME, IssuerConfig).public_url}/counter/"
    show({"login": name, "page": page}, as_json=as_json)

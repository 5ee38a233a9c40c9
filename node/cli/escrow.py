"""`tegata escrow`: make and run an escrow agent."""

import json
from pathlib import Path

import click

from client_sdk.credentials.jose import export_private_jwk, generate_key, thumbprint
from node.cli.keygen import keygen_command, reshare_command
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
from node.errors import ConfigError
from node.escrow.config import EscrowConfig
from node.keypair import load_or_make_keypair
from node.threshold.ceremony_files import GROUP_FILE, SHARE_FILE
from node.threshold.share_file import load_group

FILE_NAME = "escrow.toml"
_KEY_FILE = Path("keys") / "signing.jwk"
_ACCOUNT_KEY_FILE = Path("keys") / "account.priv"


@click.group()
def escrow() -> None:
    """Make and run an escrow agent: it keeps shares of backups that it cannot open."""


@escrow.command()
@folder_argument
@click.option("--name", required=True, help="Who runs it, as holders will see it.")
@listen_option("127.0.0.1:8082")
@public_url_option("wallets reach")
@json_option
def init(folder: Path, name: str, listen: str, public_url: str | None, as_json: bool) -> None:
    """Make an agent in FOLDER: its key and escrow.toml.

    Holders know the agent by its key, and its shares are sealed under it: keep a copy of it apart
    from copies of the database.
    """
    refuse_second(folder / FILE_NAME, "an agent")
    text = encode_toml(
        {
            "name": name,
            "public_url": public_url or f"http://{listen}",
            "listen": listen,
            "signing_key_file": str(_KEY_FILE),
        }
    )
    config = parse_config(text, EscrowConfig, path=folder / FILE_NAME)
    signing_key = generate_key()
    try:
        (folder / _KEY_FILE).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be created: {error.strerror}") from None
    save_secret(folder / _KEY_FILE, json.dumps(export_private_jwk(signing_key)))
    save_secret(folder / FILE_NAME, text)
    show(
        {
            "folder": str(folder),
            "name": name,
            "public_url": config.public_url,
            "key": thumbprint(signing_key),
            "next": f"tegata escrow start {folder}",
        },
        as_json=as_json,
    )


escrow.add_command(
    start_command(
        "the agent",
        EscrowConfig,
        file=FILE_NAME,
        run="node.escrow.app:run_escrow",
        service="escrow",
        extra="gateway",
    )
)
escrow.add_command(keygen_command("escrow"))
escrow.add_command(reshare_command("escrow"))
escrow.add_command(
    migrate_command(
        "node.escrow.store:SCHEMA",
        database_url=lambda folder: load_config(folder / FILE_NAME, EscrowConfig).database_url,
    )
)


@escrow.command()
@folder_argument
@network_option("the administrator's and registrar's keys")
@click.option("--account", required=True, help="As which the agent reads: agent_1@gateway.")
@click.option("--escrow-account", required=True, help="Whose key the agents share: agents@holder.")
@json_option
def join(folder: Path, network: Path, account: str, escrow_account: str, as_json: bool) -> None:
    """Let the agent in FOLDER sign recoveries, once keygen has put its share there.

    The first agent that joins makes the escrow account; the others find it with the same key.
    """
    config_file = folder / FILE_NAME
    if load_config(config_file, EscrowConfig).recovery is not None:
        raise ConfigError(f"{config_file}: the agent has joined already")
    group_key = load_group(folder / GROUP_FILE).ledger_key
    with Network(network) as ledger:
        sections = "\n[recovery]\n" + encode_toml(
            {"escrow_account": escrow_account, "share_file": SHARE_FILE}
        )
        sections += "\n[recovery.ledger]\n" + encode_toml(
            {
                "address": ledger.torii,
                "account": account,
                "private_key_file": str(_ACCOUNT_KEY_FILE),
                "ledger_id": ledger.ledger_id,
            }
        )
        text = config_file.read_text(encoding="utf-8").rstrip() + "\n" + sections
        # Before the ledger is written to: an account is made once.
        parse_config(text, EscrowConfig, path=config_file)
        key = load_or_make_keypair(folder / _ACCOUNT_KEY_FILE)
        ledger.ensure_account(escrow_account, group_key)
        ledger.ensure_account(account, key.public_key)
    draft = config_file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    save_secret(draft, text)
    draft.replace(config_file)
    show(
        {
            "escrow_account": escrow_account,
            "account": account,
            "next": f"restart the agent: tegata escrow start {folder}",
        },
        as_json=as_json,
    )

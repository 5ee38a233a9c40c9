"""`tegata escrow`: make and run an escrow agent."""

import json
from pathlib import Path

import click

from client_sdk.credentials.jose import export_private_jwk, generate_key, thumbprint
from node.cli.keygen import add_key_commands
from node.cli.output import json_option, show
from node.cli.toml import encode_toml
from node.config import load_config, parse_config, save_secret
from node.errors import ConfigError
from node.escrow.app import run_escrow
from node.escrow.config import EscrowConfig
from node.log import configure_logging

FILE_NAME = "escrow.toml"
_KEY_FILE = Path("keys") / "signing.jwk"
_folder = click.argument("folder", type=click.Path(path_type=Path, file_okay=False))


@click.group()
def escrow() -> None:
    """Make and run an escrow agent: it keeps shares of backups that it cannot open."""


@escrow.command()
@_folder
@click.option("--name", required=True, help="Who runs it, as holders will see it.")
@click.option("--listen", default="127.0.0.1:8082", show_default=True, help="host:port to bind.")
@click.option("--public-url", help="Where wallets reach it; http://LISTEN otherwise.")
@json_option
def init(folder: Path, name: str, listen: str, public_url: str | None, as_json: bool) -> None:
    """Make an agent in FOLDER: its key and escrow.toml.

    Holders know the agent by its key, and its shares are sealed under it: keep a copy of it apart
    from copies of the database.
    """
    if (folder / FILE_NAME).exists():
        raise ConfigError(f"{folder / FILE_NAME} exists: an agent is not made twice")
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


@escrow.command()
@_folder
@click.option("--verbose", is_flag=True, help="Log more.")
def start(folder: Path, verbose: bool) -> None:
    """Run the agent in FOLDER until SIGTERM or Ctrl-C."""
    configure_logging(verbose=verbose)
    run_escrow(load_config(folder / FILE_NAME, EscrowConfig))


add_key_commands(escrow, "escrow")

"""`tegata node page`: the page on which an operator sees the ledger."""

from pathlib import Path
from typing import IO

import click

from client_sdk.http.endpoint_url import parse_endpoint
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
from node.cli.toml import encode_toml
from node.config import load_config, parse_config, save_secret
from node.keypair import load_or_make_keypair
from node.observer.config import FILE_NAME, ObserverConfig


@click.group()
def page() -> None:
    """Show a ledger to its operator: read-only, in a process of its own, behind a login."""


@page.command()
@folder_argument
@network_option("the administrator's key")
@click.option(
    "--account", default="operator_page@tegata", show_default=True, help="The account that reads."
)
@listen_option("127.0.0.1:8084")
@public_url_option("your browser reaches")
@click.option("--metrics", help="The node's metrics, such as http://127.0.0.1:7001/metrics.")
@json_option
def init(
    folder: Path,
    network: Path,
    account: str,
    listen: str,
    public_url: str | None,
    metrics: str | None,
    as_json: bool,
) -> None:
    """Make a page in FOLDER: an account that reads and nothing more, and page.toml."""
    refuse_second(folder / FILE_NAME, "a page")
    with Network(network) as ledger:
        public_url = parse_endpoint(public_url or f"http://{listen}", "public_url")
        config: dict[str, str | bool | list[str]] = {"public_url": public_url, "listen": listen}
        if metrics is not None:
            config["metrics_url"] = metrics
        section = {
            "address": ledger.torii,
            "account": account,
            "private_key_file": "keys/account.priv",
            "ledger_id": ledger.ledger_id,
        }
        text = encode_toml(config) + "\n[ledger]\n" + encode_toml(section)
        # Before the ledger is written to: an account is made once.
        parse_config(text, ObserverConfig, path=folder / FILE_NAME)
        key = load_or_make_keypair(folder / "keys" / "account.priv")
        ledger.create_observer(account, key.public_key)
    save_secret(folder / FILE_NAME, text)
    show(
        {
            "folder": str(folder),
            "account": account,
            "page": public_url,
            "next": f"tegata node page add-login {folder} NAME",
        },
        as_json=as_json,
    )


@page.command("add-login")
@folder_argument
@click.argument("name")
@password_option
@json_option
def add_login(folder: Path, name: str, password_file: IO[str] | None, as_json: bool) -> None:
    """Let NAME see the page in FOLDER, once it is started again."""
    add_login_to(folder / FILE_NAME, ObserverConfig, name, password_file)
    config = load_config(folder / FILE_NAME, ObserverConfig)
    show({"login": name, "page": f"{config.public_url}/"}, as_json=as_json)


page.add_command(
    start_command(
        "the page",
        ObserverConfig,
        file=FILE_NAME,
        run="node.observer.app:run_observer",
        service="page",
        extra="gateway",
    )
)

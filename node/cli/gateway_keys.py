"""`tegata gateway key`: API keys of the verifiers behind a gateway."""

import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from node.cli.json_value import JsonValue
from node.cli.output import Value, json_option, show, show_rows
from node.cli.service_commands import folder_argument
from node.config import load_config
from node.errors import ConfigError
from node.gateway.api_keys import ApiKey, Scope
from node.gateway.config import FILE_NAME, GatewayConfig
from node.gateway.gateway_store import GatewayStore

DAY_MS: Final = 86_400_000


@click.group()
def key() -> None:
    """API keys of the verifiers behind a gateway; they count at once, also while it runs."""


@key.command()
@folder_argument
@click.argument("verifier_id", metavar="ID")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([str(scope) for scope in Scope]),
    help="What it opens; may be given more than once. Everything otherwise.",
)
@click.option("--days", type=click.IntRange(1, 3650), help="When it ends; never otherwise.")
@click.option("--note", default="", help="Whose it is, for `list`.")
@json_option
def create(
    folder: Path,
    verifier_id: str,
    scopes: tuple[str, ...],
    days: int | None,
    note: str,
    as_json: bool,
) -> None:
    """Make a key for the verifier ID in FOLDER. It is shown only now."""
    config = load_config(folder / FILE_NAME, GatewayConfig)
    if verifier_id not in {verifier.id for verifier in config.verifiers}:
        raise ConfigError(f"{folder / FILE_NAME}: there is no verifier {verifier_id!r}")
    now_ms = _now_ms()
    with closing(GatewayStore(config.database_url)) as store:
        made, token = store.keys.create(
            verifier_id,
            scopes=[Scope(scope) for scope in scopes] or tuple(Scope),
            now_ms=now_ms,
            expires_at_ms=None if days is None else now_ms + days * DAY_MS,
            note=note,
        )
    show({**_row(made, now_ms), "api_key": token}, as_json=as_json)


@key.command("list")
@folder_argument
@json_option
def list_keys(folder: Path, as_json: bool) -> None:
    """List the keys of the gateway in FOLDER, also those that have ended."""
    config = load_config(folder / FILE_NAME, GatewayConfig)
    now_ms = _now_ms()
    with closing(GatewayStore(config.database_url)) as store:
        rows = [_row(found, now_ms) for found in store.keys.all()]
    show_rows(rows, empty="The gateway has no keys yet.", as_json=as_json)


@key.command()
@folder_argument
@click.argument("key_id", metavar="KEY", type=JsonValue("key"))
@json_option
def revoke(folder: Path, key_id: str, as_json: bool) -> None:
    """End KEY, an id that `list` shows, for good; `@FILE` takes it from `create --json`."""
    config = load_config(folder / FILE_NAME, GatewayConfig)
    with closing(GatewayStore(config.database_url)) as store:
        if not store.keys.revoke(key_id, now_ms=_now_ms()):
            raise ConfigError(f"there is no key {key_id!r} that could be revoked")
    show({"key": key_id, "state": "revoked"}, as_json=as_json)


def _row(found: ApiKey, now_ms: int) -> dict[str, Value]:
    return {
        "key": found.id,
        "verifier": found.verifier,
        "scopes": sorted(found.scopes),
        "note": found.note,
        "created": _when(found.created_at_ms),
        "expires": None if found.expires_at_ms is None else _when(found.expires_at_ms),
        "state": found.state_at(now_ms),
    }


def _when(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M UTC")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

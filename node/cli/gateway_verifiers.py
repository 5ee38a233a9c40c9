"""`tegata gateway add-verifier`: who asks behind a gateway, and the key that it asks with."""

import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import click

from client_sdk.openid4vp.access_certificate import (
    AccessIdentity,
    certify_verifier,
    load_identity,
)
from node.cli.config_file import extend_config, replace_config
from node.cli.gateway import AUTHORITY
from node.cli.gateway_keys import DAY_MS
from node.cli.gateway_registration import may_ask_option, parse_uses, register
from node.cli.output import json_option, show
from node.cli.service_commands import folder_argument
from node.config import save_secret
from node.errors import ConfigError
from node.gateway.api_keys import Scope
from node.gateway.config import FILE_NAME, GatewayConfig
from node.gateway.gateway_store import GatewayStore


@click.command("add-verifier")
@folder_argument
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
            chain_pem=(folder / f"{AUTHORITY}.crt").read_bytes(),
            key_pem=(folder / "keys" / f"{AUTHORITY}.key").read_bytes(),
        )
    except OSError as error:
        raise ConfigError(f"{error.filename}: cannot be read: {error.strerror}") from None

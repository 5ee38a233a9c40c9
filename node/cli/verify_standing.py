"""`tegata verify standing`: ask once, look again and again, for as long as the holder granted."""

from pathlib import Path

import click
from rich.console import Console

from client_sdk.purposes import DEFAULT_TERM, find_term
from client_sdk.sealing.hpke import SealingKey
from client_sdk.verifier.gateway_client import RequestResult
from client_sdk.verifier.standing_client import StandingClient, StandingStatus
from node.cli.json_value import JsonValue
from node.cli.output import Value, json_option, show, show_rows
from node.cli.verify import gateway_options, result_view, show_request
from node.config import save_secret
from node.errors import ConfigError

_KEY = click.option(
    "--key",
    "key_file",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The file that `keygen` made.",
)


@click.group()
def standing() -> None:
    """Look up what a holder granted for a while; each look is on the holder's record."""


@standing.command()
@click.argument("key_file", metavar="FILE", type=click.Path(path_type=Path))
@json_option
def keygen(key_file: Path, as_json: bool) -> None:
    """Make the key that holders seal to, in the new FILE: nobody else opens what they leave."""
    key = SealingKey.generate()
    save_secret(key_file, key.private_bytes.hex() + "\n")
    show({"key": str(key_file), "public_key": key.public_bytes.hex()}, as_json=as_json)


@standing.command()
@click.argument("attributes", nargs=-1, required=True)
@click.option("--purpose", required=True, help="What for; the holder reads this.")
@click.option(
    "--purpose-term",
    default=DEFAULT_TERM.name,
    show_default=True,
    help="The same as a term that `tegata gateway purposes` lists.",
)
@click.option("--uses", type=click.IntRange(1, 1_000_000), required=True, help="How often.")
@click.option("--days", type=click.IntRange(1, 366), required=True, help="For how long.")
@click.option("--qr/--no-qr", default=True, help="Draw the request as a QR code.")
@_KEY
@gateway_options
@json_option
def ask(
    attributes: tuple[str, ...],
    purpose: str,
    purpose_term: str,
    uses: int,
    days: int,
    qr: bool,
    key_file: Path,
    gateway: str,
    api_key: str,
    as_json: bool,
) -> None:
    """Ask a holder to let you look up ATTRIBUTES, such as `address`, for a while."""
    key = _load_key(key_file)
    with StandingClient(gateway, api_key) as client:
        created = client.ask(
            attributes,
            purpose=purpose,
            purpose_term=find_term(purpose_term),
            uses=uses,
            days=days,
            deposit_key=key.public_bytes,
        )
    following = f"tegata verify standing status {created.request_id} --gateway {gateway}"
    show_request(created, following, qr=qr, as_json=as_json)


@standing.command()
@click.argument("request_id", metavar="REQUEST", type=JsonValue("request"))
@gateway_options
@json_option
def status(request_id: str, gateway: str, api_key: str, as_json: bool) -> None:
    """Read what became of REQUEST: the grant that the holder made, if any.

    `@FILE` takes it from what `ask --json` printed.
    """
    with StandingClient(gateway, api_key) as client:
        show(_fields(client.status(request_id)), as_json=as_json)


@standing.command()
@gateway_options
@json_option
def grants(gateway: str, api_key: str, as_json: bool) -> None:
    """List the standing grants that holders made."""
    with StandingClient(gateway, api_key) as client:
        rows = [_fields(grant) for grant in client.grants()]
    show_rows(rows, empty="No holder made a standing grant yet.", as_json=as_json)


@standing.command()
@click.argument("grant_id", metavar="GRANT", type=JsonValue("grant"))
@click.option(
    "--access",
    "access_id",
    help="32 hex digits: give the same again where an answer was lost. By default a new one.",
)
@_KEY
@gateway_options
@json_option
def look(
    grant_id: str,
    access_id: str | None,
    key_file: Path,
    gateway: str,
    api_key: str,
    as_json: bool,
) -> None:
    """Look up once more what GRANT allows: the named checks, and the attributes.

    `@FILE` takes it from what `status --json` printed.
    """
    key = _load_key(key_file)
    with StandingClient(gateway, api_key) as client:
        found = client.look_up(grant_id, key, access_id=access_id)
    if as_json:
        checks = [{"name": c.name, "passed": c.passed, "detail": c.detail} for c in found.checks]
        values: dict[str, Value] = {
            "use": found.use,
            "checks": checks,
            "attributes": found.attributes,
        }
        show(values, as_json=True)
    else:
        result = RequestResult(
            state=f"use {found.use}", checks=found.checks, attributes=found.attributes
        )
        Console(highlight=False).print(result_view(result))


def _fields(found: StandingStatus) -> dict[str, Value]:
    return {
        "request": found.request_id,
        "status": found.state,
        "grant": found.grant,
        "attributes": list(found.attributes),
        "purpose": found.purpose,
        "until": found.until,
        "uses": found.uses,
        "used": found.used,
    }


def _load_key(path: Path) -> SealingKey:
    try:
        return SealingKey(bytes.fromhex(path.read_text(encoding="ascii").strip()))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not a key of `keygen` ({type(error).__name__})") from None

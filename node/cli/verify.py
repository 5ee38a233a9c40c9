"""`tegata verify`: a verifier asks its gateway, and reads the result."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click
import segno
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from client_sdk.openid4vp.dcql import parse_query
from client_sdk.purposes import DEFAULT_TERM, find_term
from client_sdk.strict_json import parse_strict_json_object
from client_sdk.verifier.gateway_client import (
    CreatedRequest,
    FaceTestDemand,
    GatewayClient,
    RequestResult,
)
from node.cli.json_value import JsonValue
from node.cli.lazy_group import LazyGroup
from node.cli.output import Value, json_option, plain, show

EXIT_REFUSED = 3
_Command = TypeVar("_Command", bound=Callable[..., object])
_MARKS = {True: "[green]✓[/]", False: "[bold red]✗[/]", None: "[dim]·[/]"}


def gateway_options(command: _Command) -> _Command:
    """Add the gateway's address and the verifier's key to a command."""
    command = click.option(
        "--gateway",
        envvar="TEGATA_GATEWAY",
        required=True,
        help="The gateway's address; or TEGATA_GATEWAY.",
    )(command)
    return click.option(
        "--api-key", envvar="TEGATA_API_KEY", required=True, help="Or set TEGATA_API_KEY."
    )(command)


@click.group(cls=LazyGroup, places={"standing": "node.cli.verify_standing:standing"})
def verify() -> None:
    """Ask a holder for attributes through a gateway, and read the result."""


@verify.command()
@click.argument("attributes", nargs=-1)
@click.option(
    "--query",
    "query_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Instead of ATTRIBUTES: a file with a whole query (DCQL, JSON), also for other formats.",
)
@click.option("--purpose", required=True, help="What for; the holder reads this.")
@click.option(
    "--purpose-term",
    default=DEFAULT_TERM.name,
    show_default=True,
    help="The same as a term that `tegata gateway purposes` lists.",
)
@click.option("--face", is_flag=True, help="Demand a face test for this request.")
@click.option(
    "--face-max-age",
    type=int,
    metavar="SECONDS",
    help="Demand a face test; one for you that is so old will do.",
)
@click.option("--qr/--no-qr", default=True, help="Draw the request as a QR code.")
@gateway_options
@json_option
def ask(
    attributes: tuple[str, ...],
    query_file: Path | None,
    purpose: str,
    purpose_term: str,
    face: bool,
    face_max_age: int | None,
    gateway: str,
    api_key: str,
    qr: bool,
    as_json: bool,
) -> None:
    """Ask for ATTRIBUTES, such as `address`."""
    if bool(attributes) is (query_file is not None):
        raise click.UsageError("either ATTRIBUTES or --query is needed")
    term = find_term(purpose_term)
    demand = FaceTestDemand(max_age_s=face_max_age) if face or face_max_age else None
    with GatewayClient(gateway, api_key) as client:
        if query_file is None:
            created = client.ask(attributes, purpose=purpose, purpose_term=term, face=demand)
        else:
            query = parse_query(parse_strict_json_object(query_file.read_bytes()))
            created = client.ask_query(query, purpose=purpose, purpose_term=term, face=demand)
    following = f"tegata verify result {created.request_id} --wait --gateway {gateway}"
    show_request(created, following, qr=qr, as_json=as_json)


def show_request(created: CreatedRequest, following: str, *, qr: bool, as_json: bool) -> None:
    """Show a new request, the command that reads what becomes of it, and a code for a wallet."""
    if qr and not as_json:
        segno.make(created.link, micro=False).terminal(compact=True)
    show(
        {
            "request": created.request_id,
            "link": created.link,
            "expires_at": created.expires_at,
            "next": following,
        },
        as_json=as_json,
    )


@verify.command()
@click.argument("request_id", metavar="REQUEST", type=JsonValue("request"))
@click.option("--wait", is_flag=True, help="Wait until the holder has answered.")
@gateway_options
@json_option
def result(request_id: str, wait: bool, gateway: str, api_key: str, as_json: bool) -> None:
    """Read what became of REQUEST: the named checks, and the attributes if all passed.

    `@FILE` takes it from what `tegata verify ask --json` printed.
    """
    with GatewayClient(gateway, api_key) as client:
        found = client.wait(request_id) if wait else client.result(request_id)
    if as_json:
        checks = [{"name": c.name, "passed": c.passed, "detail": c.detail} for c in found.checks]
        values: dict[str, Value] = {
            "status": found.state,
            "checks": checks,
            "attributes": found.attributes,
        }
        show(values, as_json=True)
    else:
        Console(highlight=False).print(result_view(found))
    if found.state == "refused":
        sys.exit(EXIT_REFUSED)


def result_view(found: RequestResult) -> Group:
    """Return what the person at the counter sees: state, checks, attributes."""
    checks = Table.grid(padding=(0, 1))
    for check in found.checks:
        checks.add_row(_MARKS[check.passed], plain(check.name, "cyan"), plain(check.detail))
    shown = Table.grid(padding=(0, 2))
    for name, value in found.attributes.items():
        shown.add_row(plain(name, "bold"), plain(str(value), "bold"))
    return Group(Text.assemble("Status: ", plain(found.state, "bold")), checks, shown)

"""What a command prints: a readable table for people, or JSON for machines."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TypeAlias, TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chaincode.records import MAX_TIME_MS

Value: TypeAlias = str | int | float | bool | Sequence["Value"] | Mapping[str, "Value"] | None
_Command = TypeVar("_Command", bound=Callable[..., object])
# The second is the wide space of Japanese.
_SPACES: Final = "\n\u3000"

json_option: Callable[[_Command], _Command] = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON for machines."
)


def show(values: Mapping[str, Value], *, as_json: bool) -> None:
    """Print one thing's values, named."""
    if as_json:
        click.echo(json.dumps(values, ensure_ascii=False, indent=2))
        return
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in values.items():
        table.add_row(f"[cyan]{name.replace('_', ' ')}[/]", plain(_text(value)))
    Console(highlight=False).print(table)


def show_rows(rows: Sequence[Mapping[str, Value]], *, empty: str, as_json: bool) -> None:
    """Print a list of things of one kind; `empty` is said where there are none."""
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    console = Console(highlight=False)
    if not rows:
        console.print(empty)
        return
    table = Table(box=None, header_style="cyan", pad_edge=False)
    for name in rows[0]:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(plain(_text(value)) for value in row.values()))
    console.print(table)


def plain(text: str, style: str = "") -> Text:
    """Return a text of others as a terminal may show it: no markup, and no control characters.

    An escape sequence, or a mark that turns the direction of writing, could show the reader
    something else than what is there.
    """
    shown = "".join(
        char if char.isprintable() or char in _SPACES else ascii(char)[1:-1] for char in text
    )
    return Text(shown, style=style)


def when(time_ms: int) -> str:
    """Return a time, in milliseconds since 1970, UTC, as people read it."""
    # An issuer may write any time.
    time_s = min(time_ms, MAX_TIME_MS) / 1000
    return datetime.fromtimestamp(time_s, tz=UTC).strftime("%Y-%m-%d %H:%M UTC")


def _text(value: Value) -> str:
    if isinstance(value, Mapping):
        return "\n".join(f"{name}: {_text(item)}" for name, item in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "\n".join(_text(item) for item in value)
    return "" if value is None else str(value)

"""What a command prints: a readable table for people, or JSON for machines."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias, TypeVar

import click
from rich.console import Console
from rich.table import Table

Value: TypeAlias = str | int | bool | Sequence["Value"] | Mapping[str, "Value"] | None
_Command = TypeVar("_Command", bound=Callable[..., object])

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
        table.add_row(f"[cyan]{name.replace('_', ' ')}[/]", _text(value))
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
        table.add_row(*(_text(value) for value in row.values()))
    console.print(table)


def _text(value: Value) -> str:
    if isinstance(value, Mapping):
        return "\n".join(f"{name}: {_text(item)}" for name, item in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "\n".join(_text(item) for item in value)
    return "" if value is None else str(value)

"""`tegata up`: everything on this machine, in one folder, with one command."""

import json
import queue
import signal
import sys
from collections import deque
from pathlib import Path
from typing import Final, Self

import click
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from node.cli.machine import LOGIN, OPTIONAL, PORTS, Line, Machine
from node.cli.output import json_option, plain
from node.errors import ConfigError

_SHOWN_LINES: Final = 14
_LOOK_S: Final = 0.2
_NAME_WIDTH: Final = 12
_WHO: Final = {
    "wallet": "the resident: opens once, within five minutes",
    "issuer": "the city's counter",
    "gateway": "the verifier",
    "page": "the operator",
}


class TerminalView:
    """A table of the pages over the last lines of all logs. Use it as a context."""

    def __init__(self, console: Console) -> None:
        self._lines: deque[Line] = deque(maxlen=_SHOWN_LINES)
        self._doing = ""
        self._notes: list[str] = []
        self._facts: dict[str, tuple[str, str]] = {}
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=5)

    def tell(self, text: str) -> None:
        """Say what is being done."""
        self._doing = text

    def note(self, text: str) -> None:
        """Say what the person should know, also later."""
        self._notes.append(text)

    def show(self, line: Line) -> None:
        """Show a line of a service's log."""
        self._lines.append(line)

    def is_up(self, machine: Machine) -> None:
        """Say that all runs, and where."""
        self._doing = "Everything runs. Ctrl-C stops it; the folder is kept."
        self._facts = {name: (url, _WHO[name]) for name, url in machine.pages.items()}
        self._facts["login"] = (LOGIN, f"password in {machine.secrets_folder / 'password'}")
        self._facts["shell"] = (f". {machine.environment_file}", "tells tegata all addresses")

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def _render(self) -> Group:
        # No table: a link that is cut into a column cannot be copied.
        facts = [
            Text.assemble((f"{name:<8} ", "cyan"), (what, "bold"), f"  {who}", overflow="fold")
            for name, (what, who) in self._facts.items()
        ]
        notes = [Text(note, "yellow") for note in self._notes]
        lines = [
            Text(f"{line.service:<{_NAME_WIDTH}} ", "cyan") + plain(line.text)
            for line in self._lines
        ]
        for line in lines:
            line.no_wrap = True
        return Group(Text(self._doing, "green"), *notes, *facts, *lines)


class PlainView:
    """Lines of text, or of JSON, one after the other."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def tell(self, text: str) -> None:
        """Say what is being done."""
        self._print("up", text)

    def note(self, text: str) -> None:
        """Say what the person should know."""
        self._print("up", text)

    def show(self, line: Line) -> None:
        """Show a line of a service's log."""
        self._print(line.service, line.text)

    def is_up(self, machine: Machine) -> None:
        """Say that all runs, and where."""
        where = {
            **machine.pages,
            "login": LOGIN,
            "secrets": str(machine.secrets_folder),
            "env": str(machine.environment_file),
        }
        if self._as_json:
            click.echo(json.dumps({"service": "up", "event": "ready", **where}))
        else:
            self._print("up", "ready: " + ", ".join(f"{n} {text}" for n, text in where.items()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def _print(self, service: str, text: str) -> None:
        if self._as_json:
            click.echo(json.dumps({"service": service, "line": text}))
        else:
            click.echo(f"{service:<{_NAME_WIDTH}} {plain(text).plain}")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--port",
    type=click.IntRange(1024, 65_536 - len(PORTS)),
    default=8080,
    show_default=True,
    help=f"The first of {len(PORTS)} ports, for what is made now: gateway, issuer, operator's "
    "page, ledger, wallet, face service, three agents.",
)
@click.option(
    "--without",
    type=click.Choice(OPTIONAL),
    multiple=True,
    help="Leave this out; once for each.",
)
@json_option
def up(folder: Path, port: int, without: tuple[str, ...], as_json: bool) -> None:
    """Run everything from FOLDER: ledger, issuer, gateway, agents, face service, all pages.

    The first time all is made in FOLDER; `secrets/` holds the pages' password, the issuer's
    operator token and the verifier's API key. `. FOLDER/env` tells a shell's `tegata` all
    addresses. Logs are shown as they come, and kept as FOLDER/NAME.log. Ctrl-C stops everything and
    keeps the folder.
    """
    # Commands that run inside this process have another standard output meanwhile.
    console = Console(file=sys.stdout, highlight=False)
    is_live = console.is_terminal and not as_json
    # Also where whoever started it, such as a script in the background, has Ctrl-C ignored.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    with TerminalView(console) if is_live else PlainView(as_json=as_json) as view:
        try:
            with Machine(folder, port, view, without=without) as machine:
                view.is_up(machine)
                _follow(machine, view)
        except KeyboardInterrupt:
            view.tell("stopped")


def _follow(machine: Machine, view: TerminalView | PlainView) -> None:
    while True:
        try:
            view.show(machine.lines.get(timeout=_LOOK_S))
        except queue.Empty:
            if (name := machine.ended()) is not None:
                raise ConfigError(f"{name} has ended; see {machine.folder / name}.log") from None


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt

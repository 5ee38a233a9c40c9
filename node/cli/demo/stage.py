"""How the story is shown: chapters, who does what, results, and the ledger beside them."""

import io
import time
from collections.abc import Iterable, Mapping

import segno
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from client_sdk.verifier.gateway_client import RequestResult
from client_sdk.wallet.consent import PendingRequest
from node.cli.consent_screen import consent
from node.cli.demo.ledger_view import LedgerEntry
from node.cli.verify import result_view

_STYLES = {
    "resident": "cyan",
    "city": "yellow",
    "ward office": "magenta",
    "ledger": "green",
    "face service": "blue",
    "thief": "red",
}


class Stage:
    """Prints the story."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._chapter = 0
        self._started = time.monotonic()

    def chapter(self, title: str) -> None:
        """Begin a chapter."""
        self._chapter += 1
        self._console.print()
        self._console.rule(f"[bold]{self._chapter}. {title}[/]", align="left", style="dim")

    def tell(self, who: str, what: str, **facts: str) -> None:
        """Say what somebody does, with facts below it."""
        style = _STYLES.get(who, "white")
        self._console.print(f"[bold {style}]{who:>12}[/]  {what}", soft_wrap=True)
        for name, value in facts.items():
            label = name.replace("_", " ")
            self._console.print(f"{'':14}[dim]{label}[/] {escape(value)}", soft_wrap=True)

    def qr_code(self, link: str) -> None:
        """Show a link as a QR code, as a counter's screen would."""
        drawn = io.StringIO()
        segno.make(link, micro=False).terminal(drawn, compact=True)
        self._console.print(drawn.getvalue(), highlight=False, markup=False)

    def consent(self, pending: PendingRequest) -> None:
        """Show the wallet's consent screen."""
        self._console.print(consent(pending))

    def show(self, what: RenderableType) -> None:
        """Show what a command would print."""
        self._console.print(what)

    def result(self, result: RequestResult) -> None:
        """Show what the verifier sees."""
        self._console.print(_result_panel(result))

    def refusal(self, what: str, result: RequestResult) -> None:
        """Show that something was refused, by which check, and why."""
        failed = result.refusal
        name, reason = (failed.name, failed.detail) if failed else ("?", result.state)
        self._console.print(f"[bold red]{'refused':>12}[/]  {what}")
        self._console.print(f"{'':14}[red]{name}[/] {escape(reason)}", soft_wrap=True)

    def side_by_side(self, result: RequestResult, entries: Iterable[LedgerEntry]) -> None:
        """Show what the verifier saw beside all that the ledger stores."""
        lines = []
        for entry in entries:
            by = f"[green]block {entry.height}[/]  [bold]{entry.command}[/]  by {entry.creator}"
            facts = [f"   [dim]{name}[/] {escape(value)}" for name, value in entry.fields.items()]
            lines += [by, *facts]
        ledger = Panel("\n".join(lines), title="All that the ledger stores", border_style="green")
        self._show_beside(_result_panel(result), ledger)

    def searched(self, places: str, found: Mapping[str, bool]) -> None:
        """Show which values were searched for in the ledger's files and logs."""
        for name, is_there in found.items():
            verdict = "[bold red]FOUND[/]" if is_there else "[green]not there[/]"
            self._console.print(f"{'':14}{name:<18} {verdict} [dim]in {places}[/]")

    def end(self) -> None:
        """Say that the story is over, and how long it took."""
        seconds = time.monotonic() - self._started
        self._console.print()
        self._console.rule(f"[bold green]done in {seconds:.1f} s[/]", style="green")

    def _show_beside(self, left: RenderableType, right: RenderableType) -> None:
        if self._console.width >= 160:
            beside = Table.grid(padding=(0, 1))
            beside.add_row(left, right)
            self._console.print(beside)
        else:
            self._console.print(left)
            self._console.print(right)


def _result_panel(result: RequestResult) -> Panel:
    return Panel(
        result_view(result), title="What the ward office sees", border_style="magenta", expand=False
    )

"""What is shown of a network's peers, once or again and again."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table

from node.network.peer_status import NetworkStatus


class NetworkView:
    """What is shown of a network, again and again: a table, or a line of JSON each time."""

    def __init__(self, live: Live | None) -> None:
        """Begin.

        Args:
            live: Where a table is shown; None for JSON.
        """
        self._live = live

    def update(
        self, status: NetworkStatus, ended: dict[str, str | None], batches_per_s: float
    ) -> None:
        """Show how the peers are now.

        Args:
            status: How they are.
            ended: How each peer's process ended, by the peer's name; None where it runs.
            batches_per_s: How many batches are decided in a second.
        """
        if self._live is not None:
            self._live.update(status_table(status, ended, batches_per_s), refresh=True)
            return
        peers = [{**asdict(peer), "ended": ended[peer.name]} for peer in status.peers]
        values = {
            "height": status.height,
            "batches_per_s": round(batches_per_s, 1),
            "is_agreed": status.is_agreed,
            "peers": peers,
        }
        click.echo(json.dumps(values))


@contextmanager
def network_view(*, as_json: bool) -> Iterator[NetworkView]:
    """Give what shows a network, and leave the terminal as it was."""
    if as_json:
        yield NetworkView(None)
        return
    with Live(console=Console(), auto_refresh=False) as live:
        yield NetworkView(live)


def status_table(
    status: NetworkStatus, ended: dict[str, str | None], batches_per_s: float | None = None
) -> Table:
    """Return how the peers are as a table; the arguments are those of `NetworkView.update`."""
    agreed = {None: "-", True: "[green]agrees[/]", False: "[bold red]DIFFERS[/]"}[status.is_agreed]
    rate = "" if batches_per_s is None else f"{batches_per_s:.0f} batches/s   "
    table = Table(
        title=f"height {status.height}   {rate}state {agreed}",
        header_style="cyan",
        box=None,
    )
    for name in ("peer", "height", "neighbours", "votes", "state", ""):
        table.add_column(name)
    for peer in status.peers:
        doing = ended.get(peer.name) or ("catching up" if peer.is_catching_up else "")
        if peer.height is None:
            table.add_row(peer.name, "-", "-", "-", "-", f"[red]{doing or 'does not answer'}[/]")
            continue
        table.add_row(
            peer.name,
            str(peer.height),
            str(peer.neighbours),
            "yes" if peer.power else "no",
            peer.app_hash[:12].lower(),
            doing,
        )
    return table

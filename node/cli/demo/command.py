"""`tegata demo`: tell the story."""

import secrets
import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console

from node.cli.demo.cast import Cast, example_resident
from node.cli.demo.film import portrait
from node.cli.demo.stage import Stage
from node.cli.demo.story import tell
from node.cli.demo.town import Town
from node.cli.face import is_installed
from node.errors import ConfigError


@click.command()
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep all files in this new folder, to look at them.",
)
def demo(keep: Path | None) -> None:
    """Show one attribute to one verifier, with real processes on this machine.

    A ledger node, an issuer service, a gateway, a face service where it is installed, and three
    escrow agents are started on free ports; all is removed at the end.
    """
    # Commands that run inside this process have another standard output meanwhile.
    console = Console(file=sys.stdout, highlight=False)
    with tempfile.TemporaryDirectory(prefix="tegata-demo-") as scratch:
        folder = keep or Path(scratch)
        try:
            folder.mkdir(parents=True, exist_ok=keep is None)
        except OSError as error:
            raise ConfigError(f"{folder}: cannot be made: {error.strerror}") from None
        starting = console.status("Starting ledger node, issuer and gateway")
        with starting, Town(folder, with_face=is_installed()) as town:
            starting.stop()
            cast = Cast(
                town,
                Stage(console),
                example_resident(portrait()),
                wallet_file=folder / "hanako.wallet",
                passphrase=secrets.token_urlsafe(16),
            )
            with cast:
                tell(cast)

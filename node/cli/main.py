"""`tegata`: the root of the command line, and the meaning of its exit codes."""

import sys
from collections.abc import Callable

import click
from rich.console import Console

from chaincode.errors import ChaincodeError, InvalidBlockError
from client_sdk.errors import ClientError, TransportError, VerificationError
from node.cli.lazy_group import LazyGroup
from node.cli.output import plain
from node.errors import (
    ConfigError,
    DivergenceError,
    NodeError,
    PeerUnreachableError,
    RulesFaultError,
    StorageError,
)

EXIT_REFUSED = 1
EXIT_VERIFICATION = 3
EXIT_UNREACHABLE = 4
EXIT_CONFIG = 5
EXIT_STORAGE = 6

_EPILOG = """\b
Exit codes:
  0  done
  1  refused: the text says by whom and why
  2  the command line is wrong
  3  a presentation was verified and refused
  4  the other side cannot be reached
  5  a configuration file cannot be used
  6  a store is damaged or cannot be written, or the ledger cannot go on with this version
"""


@click.group(
    cls=LazyGroup,
    places={
        "authority": "node.cli.authority:authority",
        "card-reader": "node.cli.card_reader:card_reader",
        "demo": "node.cli.demo.command:demo",
        "doctor": "node.cli.doctor:doctor",
        "escrow": "node.cli.escrow:escrow",
        "face": "node.cli.face:face",
        "gateway": "node.cli.gateway:gateway",
        "issuer": "node.cli.issuer:issuer",
        "migrate": "node.cli.migrate:migrate",
        "network": "node.cli.peers:network",
        "node": "node.cli.node:node",
        "registry": "node.cli.registry:registry",
        "up": "node.cli.up:up",
        "verify": "node.cli.verify:verify",
        "wallet": "node.cli.wallet:wallet",
    },
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="tegata", prog_name="tegata")
def tegata() -> None:
    """Self-sovereign identity: show one attribute, to one verifier, for one purpose."""


def main() -> None:
    """Run the command line; an error of ours becomes one clear line and an exit code."""
    run("tegata", tegata)


def run(name: str, command: Callable[[], object]) -> None:
    """Run a command line under the name by which it was called."""
    try:
        command()
    except (ChaincodeError, ClientError, NodeError) as error:
        console = Console(stderr=True, highlight=False)
        console.print(f"[bold red]{name}:[/] {type(error).__name__}: ", end="")
        console.print(plain(str(error)), soft_wrap=True)
        sys.exit(_exit_code(error))


def _exit_code(error: Exception) -> int:
    match error:
        case VerificationError():
            return EXIT_VERIFICATION
        case TransportError() | PeerUnreachableError():
            return EXIT_UNREACHABLE
        case ConfigError():
            return EXIT_CONFIG
        case StorageError() | InvalidBlockError() | DivergenceError() | RulesFaultError():
            return EXIT_STORAGE
        case _:
            return EXIT_REFUSED


if __name__ == "__main__":
    main()

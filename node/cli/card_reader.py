"""`tegata card-reader`: let My Number cards prove themselves to an issuer, on a desk's reader."""

from contextlib import AbstractContextManager
from importlib import import_module
from typing import cast

import click

from client_sdk.card.smart_card import CardTransport
from client_sdk.http.endpoint_url import is_loopback, parse_endpoint
from node.card_reader.app import Reader, create_app
from node.errors import ConfigError
from node.log import configure_logging
from node.web.server import parse_address, serve

DEFAULT_LISTEN = "127.0.0.1:8085"


@click.command("card-reader")
@click.option("--for", "issuer", required=True, metavar="URL", help="The issuer whose pages ask.")
@click.option("--listen", default=DEFAULT_LISTEN, show_default=True, help="host:port to bind.")
@click.option("--verbose", is_flag=True, help="Log more.")
def card_reader(issuer: str, listen: str, verbose: bool) -> None:
    """Serve the card reader of the desk that this machine stands on, until SIGTERM or Ctrl-C.

    The counter's page asks it, where issuer.toml names it: [card] reader = "http://127.0.0.1:8085".
    A card proves itself to that issuer alone, and its password never leaves this machine.
    """
    host, _ = parse_address(listen)
    if not is_loopback(host):
        raise ConfigError(f"--listen {listen}: others reach this address, and would use the reader")
    app = create_app(parse_endpoint(issuer.rstrip("/"), "--for"), _pcsc())
    configure_logging(verbose=verbose)
    serve(app, listen, service="card-reader", threads=2)


def _pcsc() -> Reader:
    """Return the way to the readers of this machine.

    Raises:
        ConfigError: What talks to readers is not installed.
    """
    try:
        # An extra, which is built against the reader's driver.
        pcsc = import_module("client_sdk.card.pcsc")
    except ImportError as error:
        raise ConfigError(f"a card reader needs {error.name}: pip install 'tegata[card]'") from None
    return lambda: cast(AbstractContextManager[CardTransport], pcsc.PcscTransport())

"""The My Number card on this machine's reader, for commands that let it sign or read it."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

import click

from client_sdk.card.card_proof import CardProof, prove_card
from client_sdk.card.my_number_card import CardAttributes, MyNumberCard
from client_sdk.card.smart_card import CardTransport
from client_sdk.openid4vci.token_client import CardProver

_Command = TypeVar("_Command", bound=Callable[..., object])


def card_portrait_option(command: _Command) -> _Command:
    """Add the reading of the portrait to a command."""
    return click.option(
        "--card-portrait",
        is_flag=True,
        help="Read the portrait from the card on the reader; its number B is asked for.",
    )(command)


def find_reader() -> Callable[[], AbstractContextManager[CardTransport]] | None:
    """Return what waits for a card on this machine's readers; None without the extra `card`."""
    try:
        from client_sdk.card.pcsc import PcscTransport  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    return PcscTransport


@contextmanager
def card_on_reader() -> Iterator[MyNumberCard]:
    """Give the first card that is laid on a reader.

    Raises:
        click.ClickException: The extra `card` is not installed.
        CardError: There is no reader, or no card came.
    """
    lay_card = find_reader()
    if lay_card is None:
        raise click.ClickException("no card reader is supported here: pip install 'tegata[card]'")
    click.echo("Lay the My Number card on the reader.", err=True)
    with lay_card() as reader:
        yield MyNumberCard(reader)


@contextmanager
def opened_card(is_wanted: bool) -> Iterator[CardProver | None]:
    """Give what lets the card on the reader sign; None where no card is wanted.

    Raises:
        click.ClickException: The extra `card` is not installed.
        CardError: There is no reader, or no card came.
    """
    if not is_wanted:
        yield None
        return
    with card_on_reader() as card:

        def prove(audience: str, nonce: str) -> CardProof:
            password = ask("Password of the card's signing key", "TEGATA_CARD_PASSWORD")
            return prove_card(card, password=password, audience=audience, nonce=nonce)

        yield prove


def read_attributes() -> CardAttributes:
    """Return the four attributes of the card on the reader; its PIN is asked for.

    Raises:
        CardError: The card cannot be read; the subclass says why.
    """
    with card_on_reader() as card:
        return card.read_attributes(ask("PIN of the card (4 digits)", "TEGATA_CARD_PIN"))


def read_portrait() -> bytes:
    """Return the portrait of the card on the reader; its number B is asked for.

    Raises:
        CardError: The card cannot be read; the subclass says why.
    """
    with card_on_reader() as card:
        return card.read_portrait(
            ask("Number B of the card (14 digits on its face)", "TEGATA_CARD_NUMBER_B")
        )


def ask(what: str, variable: str) -> str:
    """Return a secret: of an environment variable, or typed and not shown."""
    return os.environ.get(variable) or str(click.prompt(what, hide_input=True, err=True))

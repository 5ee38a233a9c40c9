"""Waiting at a terminal for services that cannot be reached now: one that restarts is no error."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

import click
from rich.console import Console

from client_sdk.errors import ClientError, is_passing
from node.cli.output import plain

_PAUSE_S: Final = 1.0
_DEFAULT_S: Final = 60
_Result = TypeVar("_Result")
_Command = TypeVar("_Command", bound=Callable[..., object])

patience_option: Callable[[_Command], _Command] = click.option(
    "--patience",
    type=click.IntRange(min=0),
    default=_DEFAULT_S,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait in all for services that cannot be reached, before it is an error.",
)


class Patience:
    """Waits so long in all, and tells a person on standard error for what.

    Called with an error, it waits a moment, or raises the error: what `recover` expects.
    """

    def __init__(self, seconds: float) -> None:
        """Wait no longer than that in all."""
        self._left_s = seconds
        self._told = ""
        self._console = Console(stderr=True, highlight=False)

    def __call__(self, error: ClientError) -> None:
        """Wait a moment.

        Raises:
            ClientError: The same: it will not pass, or the patience has come to its end.
        """
        if not self.waits_for(error):
            raise error

    def waits_for(self, error: ClientError) -> bool:
        """Wait a moment for what is in the way; tell whether to try again."""
        if not is_passing(error) or self._left_s <= 0:
            return False
        if str(error) != self._told:
            self._told = str(error)
            self._console.print(plain(f"Waiting: {error}"), soft_wrap=True)
        pause_s = min(_PAUSE_S, self._left_s)
        with self._console.status(f"Waiting, for {self._left_s:.0f} s more at most"):
            time.sleep(pause_s)
        self._left_s -= pause_s
        return True

    def insist(self, work: Callable[[], _Result]) -> _Result:
        """Return what work gives, tried again while a service cannot be reached.

        Args:
            work: Done twice, it does no harm.

        Raises:
            ClientError: It will not pass, or the patience has come to its end.
        """
        while True:
            try:
                return work()
            except ClientError as error:
                self(error)

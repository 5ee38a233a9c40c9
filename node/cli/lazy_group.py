"""A group of commands that loads the module of a command when the command is called.

The services import a web server, a database library or a ledger; each is needed by some only.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


def load_attribute(place: str) -> Any:
    """Return what stands at `module:attribute`.

    Raises:
        ImportError: The module, or one that it needs, is not installed.
    """
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)


class LazyGroup(click.Group):
    """A group, some of whose commands stand in modules that are loaded when they are called."""

    def __init__(self, *, places: Mapping[str, str], **options: Any) -> None:
        """Take the commands' places.

        Args:
            places: Of each command by its name, as `module:attribute`.
            options: As `click.Group` takes them.
        """
        super().__init__(**options)
        self._places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, sorted."""
        return sorted({*super().list_commands(ctx), *self._places})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, from its module where it has one; None where there is none."""
        if cmd_name not in self._places:
            return super().get_command(ctx, cmd_name)
        command: click.Command = load_attribute(self._places[cmd_name])
        return command

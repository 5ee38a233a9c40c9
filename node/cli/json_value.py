"""Text of a command line that may come from what another command printed as JSON."""

from pathlib import Path
from typing import Final

import click

from client_sdk.errors import CredentialFormatError
from client_sdk.strict_json import parse_strict_json_object

_MARK: Final = "@"


class JsonValue(click.ParamType[str]):
    """Text as it stands, or `@FILE`: the value of one name in a file that holds a JSON object."""

    name = "text"

    def __init__(self, key: str) -> None:
        """Choose the name whose value is taken from a file."""
        self._key = key

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text; click tells the person what is wrong with a file."""
        if not value.startswith(_MARK):
            return value
        path = Path(value.removeprefix(_MARK))
        try:
            found = parse_strict_json_object(path.read_bytes()).get(self._key)
        except OSError as error:
            self.fail(f"{path}: cannot be read: {error.strerror}", param, ctx)
        except CredentialFormatError as error:
            self.fail(f"{path}: {error}", param, ctx)
        if not isinstance(found, str):
            self.fail(f"{path}: it says nothing of {self._key!r}", param, ctx)
        return found

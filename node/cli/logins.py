"""`add-login` of each service with pages: a name and a password's hash in its configuration."""

from collections.abc import Callable
from pathlib import Path
from typing import IO, TypeVar

import click

from node.cli.config_file import extend_config, replace_config
from node.config import ProcessConfig
from node.errors import ConfigError
from node.web.passwords import hash_password

_Command = TypeVar("_Command", bound=Callable[..., object])
password_option: Callable[[_Command], _Command] = click.option(
    "--password-file",
    type=click.File("r", encoding="utf-8"),
    help="Read the password from this file (`-`: standard input) instead of asking for it.",
)


def add_login(
    path: Path,
    kind: type[ProcessConfig],
    name: str,
    password_file: IO[str] | None,
    **more: str,
) -> None:
    """Add a login to a configuration file; the service must be started again to know it.

    Args:
        path: The file.
        kind: Its kind.
        name: The name to log in with.
        password_file: Where the password stands, on one line; None to ask for it.
        more: What else stands in the section.

    Raises:
        ConfigError: The file cannot be used, the name is taken or no name, or the password is weak.
    """
    # Before a password is asked for.
    extend_config(path, kind, "logins", {"name": name, "password_hash": _EXAMPLE, **more})
    if password_file is None:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = password_file.readline().rstrip("\r\n")
    try:
        password_hash = hash_password(password)
    except ValueError as error:
        raise ConfigError(f"password: {error}") from None
    text, _ = extend_config(
        path, kind, "logins", {"name": name, "password_hash": password_hash, **more}
    )
    replace_config(path, text)


_EXAMPLE = "$argon2id$v=19$m=65536,t=2,p=1$AAAA$AAAA"

"""Reading a process's TOML file, and writing files that hold secrets."""

import os
import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from node.errors import ConfigError

_Config = TypeVar("_Config", bound="ProcessConfig")


class ProcessConfig(BaseModel):
    """The base of each process's configuration: frozen, and strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def load_config(path: Path, kind: type[_Config]) -> _Config:
    """Read a TOML file into a configuration. Relative paths in it are taken from its own folder.

    Raises:
        ConfigError: The file cannot be read, is not TOML, or a key is missing, unknown or wrong.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as TOML: {error}") from None
    try:
        return kind.model_validate(values, context={"folder": path.parent})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "(top level)"
        raise ConfigError(f"{path}: {where}: {first['msg']}") from None


def save_secret(path: Path, text: str) -> None:
    """Write a new file that only its owner can read; never through a wider mode.

    Raises:
        ConfigError: The file exists already, or the folder cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be created: {error.strerror}") from None

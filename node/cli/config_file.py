"""Adding to a configuration file: only what a service can start with, and never half of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from node.cli.toml import encode_toml
from node.config import ProcessConfig, parse_config, save_secret
from node.errors import ConfigError

_Config = TypeVar("_Config", bound=ProcessConfig)


def extend_config(
    path: Path, kind: type[_Config], table: str, section: Mapping[str, str | bool | list[str]]
) -> tuple[str, _Config]:
    """Return a file's text with one more `[[table]]`, and the configuration that it stands for.

    Raises:
        ConfigError: The file cannot be read, or is none with the section.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}; make it first") from None
    extended = f"{text}\n[[{table}]]\n{encode_toml(section)}"
    return extended, parse_config(extended, kind, path=path)


def replace_config(path: Path, text: str) -> None:
    """Put a text in the place of a file at once; it stays readable by its owner only.

    Raises:
        ConfigError: The folder cannot be written.
    """
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    save_secret(draft, text)
    draft.replace(path)

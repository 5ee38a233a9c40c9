"""Write docs/configuration.md from the configuration classes. Run it as a script."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Any, Final, Literal, get_args, get_origin

from griffe import Docstring, DocstringSectionKind, Parser
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from support.configurations import SERVICES

from node.config import NESTED

PAGE: Final = Path(__file__).parents[2] / "docs" / "configuration.md"
_INTRODUCTION: Final = f"""# Configuration

Generated from the configuration classes by `tests/docs/generate_configuration.py`, with
`PYTHONPATH=tests`.

Each service reads one TOML file, in the folder that its command is given, and then the
environment: a variable stands before the key of the file. Its name is `TEGATA_`, the service, and
the key, with `{NESTED}` between a table and its key: `TEGATA_GATEWAY_LISTEN`,
`TEGATA_GATEWAY_LEDGER{NESTED}ADDRESS`. What is no text or number, such as a list, is JSON there. A
key or variable that is unknown, or a value that cannot be, stops the service at its start with
exit code 5 and says which. Relative paths are taken from the file's folder. Keys, tokens and
passwords are in files of their own, never in these.
"""


def generate() -> str:
    """Return the page."""
    parts = [_INTRODUCTION]
    for service, config in SERVICES.items():
        parts.append(f"## `{service}.toml`\n")
        rows = [_row(config.environment_prefix, *field) for field in _fields(config)]
        header = ["| key | environment | default | what it is |", "| --- | --- | --- | --- |"]
        parts.append("\n".join([*header, *rows, ""]))
    return "\n".join(parts)


def _fields(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, FieldInfo, str]]:
    texts = _attributes(model)
    for name, field in model.model_fields.items():
        key = f"{path}{name}"
        yield key, field, texts[name]
        table, is_list = _table(field.annotation)
        if table is not None:
            yield from _fields(table, f"{key}{'[]' if is_list else ''}.")


def _row(prefix: str, key: str, field: FieldInfo, text: str) -> str:
    # The members of a list of tables have no variables: the list is one, as JSON.
    variable = "" if "[]" in key else f"`{prefix}{key.replace('.', NESTED).upper()}`"
    return f"| `{key}` | {variable} | {_default(field)} | {text} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**needed**"
    match field.get_default(call_default_factory=True):
        case None | ():
            return ""
        case bool() as value:
            return f"`{str(value).lower()}`"
        case BaseModel():
            return ""
        case tuple() as values:
            return " ".join(f"`{_plain(value)}`" for value in values)
        case value:
            return f"`{value}`"


def _plain(value: object) -> object:
    return value.model_dump_json() if isinstance(value, BaseModel) else value


def _attributes(model: type[BaseModel]) -> dict[str, str]:
    """Return what the docstrings say of each key, those of the classes above too."""
    return {
        item.name: " ".join(item.description.split()).replace("|", "\\|")
        for each in reversed(model.__mro__)
        for section in Docstring(inspect.cleandoc(each.__doc__ or "")).parse(
            Parser.google, warnings=False
        )
        if section.kind is DocstringSectionKind.attributes
        for item in section.value
    }


def _table(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """Return the table that a key stands for, or None; and whether it is a list of them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    if get_origin(annotation) is Literal:
        return None, False
    is_list = get_origin(annotation) is tuple
    for argument in get_args(annotation):
        if argument not in (NoneType, Ellipsis):
            table, within = _table(argument)
            if table is not None:
                return table, is_list or within
    return None, False


if __name__ == "__main__":
    PAGE.write_text(generate(), encoding="utf-8")

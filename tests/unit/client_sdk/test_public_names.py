"""What applications begin with comes from `client_sdk` itself."""

import ast
from pathlib import Path

import pytest

import client_sdk

TREE = ast.parse(Path(client_sdk.__file__).read_text(encoding="utf-8"))
TYPED = {
    alias.name: statement.module
    for statement in ast.walk(TREE)
    if isinstance(statement, ast.ImportFrom) and str(statement.module).startswith("client_sdk")
    for alias in statement.names
}


@pytest.mark.parametrize("name", sorted(TYPED))
def test_a_name_is_loaded_from_where_type_checkers_look(name: str) -> None:
    assert client_sdk._MODULES[name] == TYPED[name]
    assert getattr(client_sdk, name).__name__ == name


def test_there_are_no_other_names() -> None:
    assert TYPED.keys() == client_sdk._MODULES.keys()
    with pytest.raises(AttributeError, match="no attribute 'Nobody'"):
        client_sdk.Nobody  # noqa: B018

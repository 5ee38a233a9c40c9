"""The page of result codes, the rules' docstrings and the rules themselves say the same."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType

import pytest

from chaincode.errors import QueryCode, RecordCode
from chaincode.protocol.commands_pb2 import Command
from chaincode.rules import accounts, assets, details, engine, peers, roles, settings

PAGE = (Path(__file__).parents[2] / "docs" / "result-codes.md").read_text(encoding="utf-8")
NAMED_CODES = {"INTERNAL": 1, "NO_PERMISSION": 2}


def table_rows(heading: str, first_column: str) -> list[list[str]]:
    """Return the cells of the table under a heading whose first column has this name."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    table = section.split(f"| {first_column} |")[1].split("\n\n")[0]
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[2:]
    ]


RULES = {
    command: rule
    for command in sorted(Command.DESCRIPTOR.fields_by_name)
    for module in (accounts, assets, details, engine, peers, roles, settings)
    if isinstance(rule := vars(module).get(command), FunctionType)
}


def codes_in_docstring(rule: FunctionType) -> set[int]:
    text = " ".join((inspect.getdoc(rule) or "").split())
    found = re.search(r"Codes?: ([^.]*)\.", text)
    assert found, rule.__name__
    return {int(code) for code in re.findall(r"(?:^|, )(\d) ", found[1])}


def codes_in_code(rule: FunctionType) -> Iterator[int]:
    """Yield the code of each way in which a rule rejects, those of the identity records aside."""
    for node in ast.walk(ast.parse(inspect.getsource(rule))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name == "reject_no_permission":
            yield NAMED_CODES["NO_PERMISSION"]
        elif name == "RejectedError":
            yield code_of(node.args[0])
        elif name == "_require_asset":
            yield code_of(node.args[-1])
        elif isinstance(node.func, ast.Attribute) and node.func.attr == "require_account":
            yield code_of(node.args[1])


def code_of(argument: ast.expr) -> int:
    if isinstance(argument, ast.Name):
        return NAMED_CODES[argument.id]
    assert isinstance(argument, ast.Constant)
    assert isinstance(argument.value, int)
    return argument.value


def message_name(command: str) -> str:
    name: str = getattr(Command(), command).DESCRIPTOR.name
    return name


@pytest.mark.parametrize("command", RULES)
def test_the_codes_of_a_command(command: str) -> None:
    (row,) = (
        cells
        for cells in table_rows("Commands", "command")
        if cells[0].startswith(f"`{message_name(command)}`")
    )
    order = {int(code) for code in re.findall(r"\d", row[1])}
    described = {code for code, cell in enumerate(row[2:], start=1) if cell != "-"}
    rule = RULES[command]
    assert set(codes_in_code(rule)) == codes_in_docstring(rule) == order == described


def test_the_page_names_no_other_command() -> None:
    named = [cells[0].split("`")[1] for cells in table_rows("Commands", "command")]
    assert named == sorted(message_name(command) for command in RULES)


def test_the_codes_of_the_identity_records() -> None:
    listed = {
        int(cells[0]): cells[1].strip("`") for cells in table_rows("Identity records", "code")
    }
    assert listed == {code.value: code.name for code in RecordCode}


def test_the_codes_of_queries_that_irohad_does_not_have() -> None:
    listed = {
        (int(cells[2]), cells[3].split("`")[1])
        for cells in table_rows("Queries", "query")
        if int(cells[2]) > 100
    }
    assert listed == {(code.value, code.name) for code in QueryCode}

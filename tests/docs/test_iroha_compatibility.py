"""The page on compatibility names every command, query, permission and listed difference."""

import tomllib
from pathlib import Path

import pytest
from google.protobuf.message import Message

from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import GrantablePermission, RolePermission
from chaincode.protocol.queries_pb2 import Query

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "iroha-compatibility.md").read_text(encoding="utf-8")
DIFFERENCES = ROOT / "tests" / "vectors" / "iroha1" / "differences.toml"


def named_in(section: str) -> list[str]:
    """Return the names in the first column of a section's table, sorted."""
    rows = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0].splitlines()
    cells = (row.split(" | ")[0] for row in rows if row.startswith("| `"))
    return sorted(name for cell in cells for name in cell.split("`")[1::2])


def messages_in(kind: type[Message]) -> list[str]:
    fields = kind.DESCRIPTOR.oneofs[0].fields
    return sorted(field.message_type.name for field in fields)


@pytest.mark.parametrize(
    ("section", "names"),
    [
        ("Commands", messages_in(Command)),
        ("Queries", messages_in(Query.Payload)),
        ("Permissions", sorted([*RolePermission.keys(), *GrantablePermission.keys()])),
    ],
)
def test_every_one_has_its_row(section: str, names: list[str]) -> None:
    assert named_in(section) == names


def test_every_listed_difference_of_the_replay_is_told() -> None:
    listed = tomllib.loads(DIFFERENCES.read_text(encoding="utf-8"))["difference"]
    section = PAGE.split("\n## What the replay shows\n")[1].split("\n## ")[0]
    told = {line.removeprefix("- ") for line in section.splitlines() if line.startswith("- ")}
    assert told == {row["reason"] for row in listed if not row.get("pending")}

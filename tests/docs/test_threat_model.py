"""The threat model is whole: its page is made of it, and each test that it names is there."""

import ast
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "threat-model"
sys.path.insert(0, str(FOLDER))

import build  # noqa: E402 - the folder of documents is no package
import model  # noqa: E402

CONTENT = build.load()
THREATS: list[dict[str, Any]] = CONTENT["threat"]
CLASSES = {
    "spoofing",
    "tampering",
    "repudiation",
    "information disclosure",
    "denial of service",
    "elevation of privilege",
    "linking",
    "identifying",
    "non-repudiation",
    "detecting",
    "data disclosure",
    "unawareness",
    "non-compliance",
}


def test_the_page_is_made_of_the_model() -> None:
    """`make threat-model` makes it anew."""
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == build.build_page(CONTENT)


@pytest.mark.parametrize("threat", THREATS, ids=lambda threat: str(threat["id"]))
def test_each_mitigation_names_tests_that_are_there(threat: dict[str, Any]) -> None:
    assert threat["mitigations"]
    for mitigation in threat["mitigations"]:
        assert mitigation["tests"], mitigation["text"]
        for test in mitigation["tests"]:
            path, _, name = test.partition("::")
            tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
            names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
            # A state machine of Hypothesis is a test by the name that it is bound to.
            names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
            found = (
                name in names if name else any(each.startswith(("test_", "Test")) for each in names)
            )
            assert found, test


@pytest.mark.parametrize("threat", THREATS, ids=lambda threat: str(threat["id"]))
def test_each_threat_is_graded_and_placed(threat: dict[str, Any]) -> None:
    assert set(threat["classes"]) <= CLASSES
    assert set(threat["parts"]) <= set(model.part_names())
    assert set(threat["assets"]) <= set(CONTENT["asset"])
    assert 1 <= threat["residual"] <= threat["likelihood"] <= 5
    assert 1 <= threat["impact"] <= 5
    assert "open" in threat or threat["residual"] <= 2, "a likely threat says what is open"


def test_pytm_finds_each_threat_at_its_parts_and_nowhere_else() -> None:
    found = {(finding.threat_id, finding.target) for finding in build.resolve(CONTENT).findings}
    assert found == {(threat["id"], part) for threat in THREATS for part in threat["parts"]}


def test_each_part_and_asset_has_a_threat() -> None:
    assert {part for threat in THREATS for part in threat["parts"]} >= {
        name for name in model.part_names() if name not in ("holder", "wallet file")
    }
    assert {asset for threat in THREATS for asset in threat["assets"]} == set(CONTENT["asset"])


def test_each_tree_ends_in_threats_and_has_its_picture() -> None:
    ids = {threat["id"] for threat in THREATS}
    for number, tree in enumerate(CONTENT["tree"], 1):
        assert leaves(tree) <= ids
        assert (FOLDER / f"tree-{number}.svg").is_file()
    assert set.union(*map(leaves, CONTENT["tree"])) >= {"T01", "T11", "T30"}


def leaves(node: dict[str, Any]) -> set[str]:
    branches = node.get("any", []) + node.get("all", [])
    return set().union(*map(leaves, branches)) if branches else {node["threat"]}

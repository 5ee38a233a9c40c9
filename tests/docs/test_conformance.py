"""docs/conformance.md names tests that exist, and each module once."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/conformance.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(?P<module>[a-z0-9_-]+)` \| (?P<test>.+) \|$", PAGE, re.MULTILINE)
CLAUSES = re.findall(r"^\| [^|`]+ \| [^|]+ \| `(test_\w+)` \|$", PAGE, re.MULTILINE)
LINKED = re.findall(r"\]\(\.\./(tests/[a-z0-9_/]+\.py)\)", PAGE)


def test_every_module_stands_there_once() -> None:
    modules = [module for module, _ in ROWS]
    assert len(modules) == len(set(modules)) > 0


@pytest.mark.parametrize(("module", "test"), ROWS)
def test_each_module_has_its_test(module: str, test: str) -> None:
    if test.startswith("not applicable: "):
        return
    name = test.strip("`")
    sources = [(ROOT / path).read_text(encoding="utf-8") for path in LINKED]
    assert any(f"def {name}(" in source for source in sources), f"{module}: no test {name}"


@pytest.mark.parametrize("name", CLAUSES)
def test_each_clause_has_its_test(name: str) -> None:
    sources = [(ROOT / path).read_text(encoding="utf-8") for path in LINKED]
    assert any(f"def {name}(" in source for source in sources), f"no test {name}"


def test_clauses_are_read() -> None:
    assert len(CLAUSES) > 20


ISSUING = PAGE.partition("## OpenID4VCI")[2]
ISSUING_ROWS = re.findall(
    r"^\| `(?P<module>[A-Za-z0-9]+)` \| (?P<row>.+) \|$", ISSUING, re.MULTILINE
)


def test_each_module_of_issuing_has_its_tests() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("tests/unit/**/*.py"))
    modules = [module for module, _ in ISSUING_ROWS]
    assert len(modules) == len(set(modules)) > 70
    for module, row in ISSUING_ROWS:
        for name in re.findall(r"`(test_\w+)`", row):
            assert f"def {name}(" in sources, f"{module}: no test {name}"

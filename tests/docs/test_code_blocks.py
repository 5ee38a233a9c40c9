"""Every block of code in the documents is run by a test, or says why it is not."""

import json
import re
import tomllib
from pathlib import Path
from typing import Final

import pytest
from support.documents import ROOT, Block, blocks_of

DOCUMENTS: Final = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "deploy/*.md", "benchmarks/*.md")
    for path in ROOT.glob(pattern)
)
# Which test runs a document's blocks of a language; Python that is not whole is type-checked.
RUN_BY: Final = {
    ("README.md", "sh"): "test_newcomer.py",
    ("README.md", "python"): "test_readme.py",
    ("deploy/README.md", "sh"): "deployed_city.py",
    ("docs/escrow.md", "python"): "test_readme.py",
    ("docs/face-service.md", "python"): "test_readme.py",
    ("docs/for-residents.md", "console"): "test_newcomer.py",
    ("docs/issuer-page.md", "sh"): "test_newcomer.py",
    ("docs/my-number-card.md", "python"): "test_readme.py",
    ("docs/operating-a-node.md", "sh"): "test_operating_a_node.py",
    ("docs/operations.md", "sh"): "test_operations.py",
    ("docs/operator-page.md", "sh"): "test_newcomer.py",
    ("docs/pages.md", "python"): "test_readme.py",
    ("docs/recovery.md", "python"): "test_readme.py",
    ("docs/tutorial.md", "python"): "test_tutorial.py",
    ("docs/verifier-page.md", "sh"): "test_newcomer.py",
    ("docs/verifier-tutorial.md", "python"): "test_newcomer.py",
    ("docs/verifier-tutorial.md", "sh"): "test_newcomer.py",
}
# Generated, drawn, read by a parser below, or made into a page by Sphinx (test_site.py).
NOT_CODE: Final = {"text", "mermaid", "json", "toml", "{toctree}", "{eval-rst}"}
_PROGRAMS: Final = (
    *("tegata", "make", "pip", "git", "go", "curl", "apt", "install", "sed"),
    *("docker", "podman", "helm", "kubectl", "systemctl", "journalctl", "runuser"),
)
_COMMAND: Final = re.compile(rf"^(?:\$ )?(?:{'|'.join(_PROGRAMS)}) ", re.MULTILINE)


def is_code(block: Block) -> bool:
    """Tell whether somebody could run it; a block without a language may be a drawing."""
    if block.language == "":
        return _COMMAND.search(block.code) is not None
    return block.language not in NOT_CODE


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_block_is_run_or_says_why_not(document: str) -> None:
    missing = [
        f"{block.heading}: {block.code.splitlines()[0]}"
        for block in blocks_of(document)
        if is_code(block) and block.reason is None and (document, block.language) not in RUN_BY
    ]
    assert missing == [], "run it by a test, or say why not: <!-- not run: ... --> above it"


def test_the_tests_that_run_them_name_them() -> None:
    sources = {path.name: path for path in (ROOT / "tests").rglob("*.py")}
    for (document, language), test in RUN_BY.items():
        blocks = [block for block in blocks_of(document) if block.language == language]
        assert blocks, document
        assert Path(document).name in sources[test].read_text(encoding="utf-8"), test


def test_a_block_that_nobody_runs_is_found() -> None:
    block = Block(heading="", language="", code="tegata node status ledger\n", reason=None)
    assert is_code(block)
    assert not is_code(Block(heading="", language="", code=" wallet ──► issuer\n", reason=None))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_data_can_be_parsed(document: str) -> None:
    for block in blocks_of(document):
        if block.language == "json":
            json.loads(block.code)
        elif block.language == "toml":
            tomllib.loads(block.code)

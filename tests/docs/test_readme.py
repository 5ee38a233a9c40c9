"""What the documents tell a reader to type, import or look at is really there."""

import ast
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import mypy.api
import pytest

from node.cli.main import tegata

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "deploy/*.md", "benchmarks/*.md")
    for path in ROOT.glob(pattern)
)
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
PACKAGES = ("chaincode", "client_sdk", "node")
GIVEN_IN_THE_README = {
    "path": "Path",
    **dict.fromkeys(("passphrase", "certificates", "issuer_url", "enrolment_code"), "str"),
    **dict.fromkeys(("offer_link", "tx_code", "gateway_url", "api_key"), "str"),
}
# A file that the reader's own run makes.
MADE_LATER = ("tests/interop/js/node_modules",)

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_COMMAND = re.compile(r"(?<![\w@/.\"'-])tegata(?![\w@\[.-])((?: +[^\s`&|;()#]+)*)")
_MAKE = re.compile(r"(?:^|&& )make ([a-z][a-z-]*)", re.MULTILINE)
_TEST_PATH = re.compile(r"(?<![\w/])tests/[\w./-]*\w")
_EVENT_ROW = re.compile(r"^\| `([^`]+)` \| (?:ledger|issuer|gateway)", re.MULTILINE)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def code_of(document: Path) -> Iterator[str]:
    """Yield all code in a document, lines that go on joined."""
    text = document.read_text(encoding="utf-8")
    for _, block in _FENCE.findall(text):
        yield block.replace("\\\n", " ")
    yield from _INLINE.findall(_FENCE.sub("", text))


def check_command(words: list[str]) -> None:
    """Fail unless `tegata WORDS` names a command, and options that it has."""
    command: click.Command = tegata
    for word in words:
        if word.startswith("-"):
            own = (name for p in command.params for name in (*p.opts, *p.secondary_opts))
            options = {"--help", "-h", *own}
            assert word.partition("=")[0] in options, f"{command.name} has no option {word}"
        # An ellipsis stands for any command.
        elif isinstance(command, click.Group) and word != "...":
            inner = command.get_command(click.Context(command), word)
            assert inner is not None, f"tegata {' '.join(words)}: no command {word}"
            command = inner


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_every_command_exists(document: Path) -> None:
    for code in code_of(document):
        for found in _COMMAND.finditer(code):
            check_command(found.group(1).split())


def test_the_readme_names_commands() -> None:
    found = [m.group(1) for code in code_of(ROOT / "README.md") for m in _COMMAND.finditer(code)]
    assert any("node init" in words for words in found)


@pytest.mark.parametrize(
    "words", [["nod", "init"], ["node", "begin"], ["node", "init", "x", "--no-such"]]
)
def test_a_command_that_does_not_exist_is_found(words: list[str]) -> None:
    with pytest.raises(AssertionError):
        check_command(words)


@pytest.mark.parametrize("unit", UNITS, ids=relative)
def test_every_unit_starts_a_command(unit: Path) -> None:
    (start,) = re.findall(r"^ExecStart=(\S+) (.+)$", unit.read_text(encoding="utf-8"), re.MULTILINE)
    assert start[0].endswith("/bin/tegata")
    check_command(start[1].split())


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_every_make_target_exists(document: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    named = {target for code in code_of(document) for target in _MAKE.findall(code)}
    assert named <= targets


@pytest.mark.parametrize("name", ["README.md", "docs/tutorial.md"])
def test_python_in_the_documents_imports_what_exists(name: str) -> None:
    blocks = [block for language, block in fences(name) if language == "python"]
    assert blocks
    for block in blocks:
        for node in ast.walk(ast.parse(block, filename=name)):
            match node:
                case ast.ImportFrom(module=str(module), names=names) if is_ours(module):
                    found = importlib.import_module(module)
                    assert [n.name for n in names if not hasattr(found, n.name)] == []
                case ast.Import(names=names):
                    for imported in names:
                        importlib.import_module(imported.name)


def test_the_readme_calls_the_sdk_as_it_is(tmp_path: Path) -> None:
    """The tutorial is run; the README's block is not whole, so its calls are type-checked."""
    (block,) = (code for language, code in fences("README.md") if language == "python")
    given = [f"{name}: {kind}" for name, kind in GIVEN_IN_THE_README.items()]
    program = tmp_path / "readme.py"
    # It shortens: that an offer or a grant may be absent is left out.
    before = ["# mypy: no-strict-optional", "from pathlib import Path", *given]
    program.write_text("\n".join([*before, block]), encoding="utf-8")
    # mypy raises the limit for the whole process, and other tests depend on it.
    limit = sys.getrecursionlimit()
    try:
        report, errors, status = mypy.api.run(
            ["--config-file", str(ROOT / "setup.cfg"), str(program)]
        )
    finally:
        sys.setrecursionlimit(limit)
    assert status == 0, report + errors


def fences(name: str) -> list[tuple[str, str]]:
    """Return language and text of each block of a document."""
    return _FENCE.findall((ROOT / name).read_text(encoding="utf-8"))


def is_ours(module: str) -> bool:
    return module.partition(".")[0] in PACKAGES


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_every_test_that_is_named_exists(document: Path) -> None:
    named = set(_TEST_PATH.findall(document.read_text(encoding="utf-8")))
    missing = {path for path in named if not (ROOT / path).exists()}
    assert {path for path in missing if not path.startswith(MADE_LATER)} == set()


def test_every_log_event_to_watch_is_logged() -> None:
    text = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "node").rglob("*.py"))
    logged = set(re.findall(r"_log\.\w+\(\s*\"([^\"]+)\"", source))
    _, _, watched = text.partition("## What to watch")
    events = set(_EVENT_ROW.findall(watched))
    assert events
    assert events <= logged


def test_the_proxy_and_the_page_name_the_ports_that_are_the_defaults() -> None:
    caddyfile = (ROOT / "deploy" / "Caddyfile").read_text(encoding="utf-8")
    page = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
    for service, option in (("node", "--torii"), ("issuer", "--listen"), ("gateway", "--listen")):
        context = click.Context(tegata)
        group = tegata.get_command(context, service)
        assert isinstance(group, click.Group)
        init = group.get_command(context, "init")
        assert init is not None
        (address,) = (p.default for p in init.params if option in p.opts)
        assert f"| {address} " in page
        assert service == "node" or f"reverse_proxy {address}" in caddyfile

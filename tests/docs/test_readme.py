"""What the documents tell a reader to type, import or look at is really there."""

import ast
import importlib
import re
import sys
import textwrap
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
# What stands around blocks of Python that are not whole: of what their page has spoken before.
BEFORE_THE_BLOCKS = {
    "README.md": """
        from pathlib import Path
        path: Path
        passphrase: str; certificates: str; issuer_url: str; enrolment_code: str
        offer_link: str; tx_code: str; gateway_url: str; api_key: str
    """,
    "docs/escrow.md": """
        from pathlib import Path
        from client_sdk import Wallet
        from client_sdk.escrow.printable_page import render_card
        from client_sdk.escrow.recovery import recover
        from client_sdk.http.client import HttpClient
        path: Path; wallet: Wallet; passphrase: str; password: str
    """,
    "docs/recovery.md": """
        from pathlib import Path
        from chaincode.protocol.commands_pb2 import Command
        from client_sdk import Wallet
        from client_sdk.escrow.recovery import recover
        from client_sdk.escrow.recovery_card import RecoveryCard
        from client_sdk.http.client import HttpClient
        path: Path; wallet: Wallet; passphrase: str; password: str; new_password: str
        now_ms: int; command: Command; card: RecoveryCard; agent_urls: list[str]
    """,
    "docs/face-service.md": """
        from client_sdk import Wallet
        from client_sdk.face import CaptureSource
        from client_sdk.http.client import HttpClient
        from client_sdk.wallet.records.credential import StoredCredential
        wallet: Wallet; credential: StoredCredential; http: HttpClient
        camera: CaptureSource; request_hash: str
    """,
    "docs/my-number-card.md": "password: str; issuer: str; nonce: str",
    "docs/pages.md": """
        from flask import Flask, render_template
        from node.gateway.config import GatewayConfig
        from node.web.languages import gettext_noop
        from node.web.logins import Logins
        from node.web.pages import NavigationItem, Pages, derive_session_key
        app: Flask; config: GatewayConfig; seed: bytes
    """,
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
    assert any("up machine" in words for words in found)


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


# The driver of a card reader is not among what the tests install.
@pytest.mark.parametrize(
    "name", sorted({*BEFORE_THE_BLOCKS, "docs/tutorial.md"} - {"docs/my-number-card.md"})
)
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


def test_python_that_is_not_whole_calls_things_as_they_are(tmp_path: Path) -> None:
    """The tutorials are run; these blocks show a part, so their calls are type-checked."""
    programs = []
    for name, before in BEFORE_THE_BLOCKS.items():
        blocks = [code for language, code in fences(name) if language == "python"]
        for number, block in enumerate(blocks, start=1):
            program = tmp_path / f"{Path(name).stem.replace('-', '_')}_{number}.py"
            # They shorten: that an offer or a grant may be absent is left out.
            parts = ["# mypy: no-strict-optional", textwrap.dedent(before), block]
            program.write_text("\n".join(parts), encoding="utf-8")
            programs.append(str(program))
    # mypy raises the limit for the whole process, and other tests depend on it.
    limit = sys.getrecursionlimit()
    try:
        report, errors, status = mypy.api.run(["--config-file", str(ROOT / "setup.cfg"), *programs])
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

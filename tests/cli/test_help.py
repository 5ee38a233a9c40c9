"""What each command says of itself, and what a wrong command line ends with."""

from collections.abc import Iterator

import click
import pytest
from support.command_line import run, run_inside

from node.cli.main import tegata


def commands(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield words
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from commands(inner, (*words, name))


ALL = sorted(commands(tegata))


def test_the_commands() -> None:
    assert {" ".join(words) for words in ALL if len(words) == 2} == {
        "authority migrate",
        "escrow migrate",
        "gateway add-login",
        "gateway migrate",
        "issuer add-login",
        "issuer migrate",
        "node page",
        "network add",
        "network admit",
        "network dismiss",
        "network init",
        "network refound",
        "network start",
        "network status",
        "node check",
        "node init",
        "node repair",
        "node start",
        "node status",
        "node verify",
        "issuer init",
        "issuer start",
        "issuer enrol",
        "issuer batch",
        "issuer offer",
        "issuer offer-to-card",
        "issuer review",
        "issuer revoke",
        "issuer suspend",
        "issuer reinstate",
        "issuer credentials",
        "issuer approve-recovery",
        "issuer approve-change",
        "issuer keygen",
        "issuer reshare",
        "authority init",
        "authority start",
        "gateway init",
        "gateway add-verifier",
        "gateway purposes",
        "gateway key",
        "registry list",
        "registry add",
        "registry withdraw",
        "registry reinstate",
        "gateway start",
        "face init",
        "face start",
        "escrow init",
        "escrow join",
        "escrow keygen",
        "escrow reshare",
        "escrow start",
        "wallet create",
        "wallet register",
        "wallet receive",
        "wallet credentials",
        "wallet present",
        "wallet grants",
        "wallet check-ledger",
        "wallet history",
        "wallet part",
        "wallet consent-record",
        "wallet revoke",
        "wallet protect",
        "wallet recover",
        "wallet finish-recovery",
        "wallet back-up",
        "wallet escrow-log",
        "wallet paper",
        "wallet guard",
        "wallet recoveries",
        "wallet refresh",
        "wallet veto",
        "wallet changes",
        "wallet lift-guard",
        "wallet resume",
        "wallet serve",
        "wallet use-node",
        "verify ask",
        "verify result",
        "verify standing",
    }


@pytest.mark.parametrize("words", ALL, ids=" ".join)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help(words: tuple[str, ...], flag: str) -> None:
    result = run_inside(*words, flag)
    assert result.exit_code == 0
    assert result.output.startswith("Usage: ")
    # A sentence says what it does, and every option is explained or explains itself.
    assert len(result.output.splitlines()) >= 4


def test_the_installed_command() -> None:
    done = run("--help")
    assert done.returncode == 0
    for code in range(7):
        assert f"\n    {code}  " in done.stdout
    version = run("--version")
    assert version.returncode == 0
    assert version.stdout.startswith("tegata, version ")


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("wallet", "create"),
        ("verify", "ask", "--purpose", "why"),
        ("gateway", "add-verifier", "folder", "id", "--name", "n", "--days", "0"),
        ("gateway", "add-verifier", "folder", "id", "--name", "n", "--days", "99999999999"),
        ("issuer", "init", "folder", "--network", "/nowhere", "--account", "a@issuer"),
    ],
)
def test_a_wrong_command_line(words: tuple[str, ...]) -> None:
    result = run_inside(*words)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_a_wrong_command_line_of_the_installed_command() -> None:
    done = run("wallet", "present", "w", "--nonsense")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "No such option" in done.stderr

"""`@FILE` in the place of text that another command printed, or wrote on a page."""

from pathlib import Path

import pytest
from support.command_line import run_inside

NOWHERE = ("--gateway", "http://127.0.0.1:1", "--api-key", "k")


def ask_for(value: str) -> str:
    """Return why a command line is wrong."""
    done = run_inside("verify", "result", value, *NOWHERE)
    assert done.exit_code == 2, done.output
    return " ".join(done.output.split())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no JSON", "JSON"),
        (b'["request"]', "an object is expected"),
        (b'{"link": "openid4vp://"}', "it says nothing of 'request'"),
        (b'{"request": 7}', "it says nothing of 'request'"),
        (b'{"request": "a", "request": "b"}', "JSON"),
        (b"\xff", "JSON"),
    ],
)
def test_a_file_that_says_nothing_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "ask.json"
    file.write_bytes(content)
    told = ask_for(f"@{file}")
    assert "ask.json" in told
    assert reason in told


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "No such file" in ask_for(f"@{tmp_path / 'none'}")
    assert "cannot be read" in ask_for(f"@{tmp_path}")


def test_a_page_without_a_recovery_card_is_named(tmp_path: Path) -> None:
    page = tmp_path / "card.html"
    for content, reason in ((b"<p>none</p>", "no recovery card"), (b"\xff", "cannot be read")):
        page.write_bytes(content)
        options = ("--passphrase", "p", "--card", f"@{page}")
        done = run_inside("wallet", "recover", tmp_path / "new", *options)
        assert done.exit_code == 2
        assert reason in " ".join(done.output.split())

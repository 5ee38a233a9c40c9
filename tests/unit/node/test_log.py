"""Logs: one JSON object a line for machines, text for a terminal."""

import io
import json
from collections.abc import Iterator

import pytest
import structlog

from node.log import configure_logging


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    yield
    structlog.reset_defaults()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    log = structlog.get_logger()
    log.debug("not shown")
    log.info("ready", address="127.0.0.1:1", city="青葉\nsecond line")
    captured = capsys.readouterr()
    assert captured.out == ""
    (text,) = captured.err.splitlines()
    line = json.loads(text)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "ready",
        "level": "info",
        "address": "127.0.0.1:1",
        "city": "青葉\nsecond line",
    }


def test_more_where_it_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(verbose=True)
    structlog.get_logger().debug("shown")
    assert json.loads(capsys.readouterr().err)["level"] == "debug"


def test_an_exception_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    try:
        int("what happened")
    except ValueError:
        structlog.get_logger().exception("failed")
    (text,) = capsys.readouterr().err.splitlines()
    assert "ValueError: invalid literal" in json.loads(text)["exception"]


def test_text_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    configure_logging()
    structlog.get_logger().info("ready", address="127.0.0.1:1")
    assert "ready" in terminal.getvalue()
    assert "127.0.0.1:1" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")

"""`tegata up`: everything on this machine with one command, stopped and started again."""

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import requests

from node.cli.up import LOGIN


def free_ports(count: int) -> int:
    """Return the first of ports in a row that nothing listens on."""
    for first in range(20_000, 60_000, count):
        with ExitStack() as stack, suppress(OSError):
            for port in range(first, first + count):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
            return first
    raise AssertionError("no ports")


@contextmanager
def running(folder: Path, port: int, stop: signal.Signals) -> Iterator[dict[str, Any]]:
    """Run the command until the body is left; yield what it said once all was up."""
    command = [sys.executable, "-m", "node.cli.main", "up", str(folder), "--port", str(port)]
    with subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = (json.loads(line) for line in process.stdout)
        try:
            yield next(line for line in lines if line.get("event") == "ready")
        finally:
            process.send_signal(stop)
            rest = list(lines)
            assert process.wait() == 0
        assert rest[-1] == {"service": "up", "line": "stopped"}


def log_in(url: str, password: str) -> requests.Response:
    """Log in at a page as a browser does, and return the page behind it."""
    with requests.Session() as browser:
        page = browser.get(url, headers={"Accept-Language": "en"}, timeout=10)
        found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
        assert found
        form = {"csrf_token": found[1], "name": LOGIN, "password": password}
        return browser.post(page.url, data=form, timeout=10)


def test_everything_runs_stops_and_runs_again(tmp_path: Path) -> None:
    folder, port = tmp_path / "machine", free_ports(4)
    with running(folder, port, signal.SIGINT) as said:
        password = (folder / "secrets" / "password").read_text(encoding="ascii").strip()
        for service in ("gateway", "issuer", "page"):
            page = log_in(said[service], password)
            assert page.status_code == 200
            assert page.url == said[service]
        genesis = (folder / "ledger" / "genesis.block").read_bytes()
    with running(folder, port, signal.SIGTERM) as again:
        assert again == said
        assert (folder / "secrets" / "password").read_text(encoding="ascii").strip() == password
        assert (folder / "ledger" / "genesis.block").read_bytes() == genesis
        assert "The node is healthy." in log_in(said["page"], password).text
    with socket.create_server(("127.0.0.1", port)):
        """The port is free again."""
    # What was logged names no secret.
    logs = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.log"))
    for secret in (folder / "secrets").iterdir():
        assert secret.read_text(encoding="ascii").strip() not in logs

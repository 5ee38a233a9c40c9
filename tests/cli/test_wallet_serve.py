"""`tegata wallet serve` as a process of its own."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import requests

from node.cli.demo.free_ports import free_addresses

DEADLINE_S = 30


def test_the_page_is_served_until_the_process_is_told_to_stop(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "node.cli.main", "wallet", "serve", str(tmp_path / "wallet")]
    (phone,) = free_addresses(1)
    options = ["--listen", "127.0.0.1:0", "--phone", phone, "--json"]
    with subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        printed = ""
        while not printed.endswith("}\n"):
            line = process.stdout.readline()
            assert line, process.stderr.read()
            printed += line
        told = json.loads(printed)
        assert told["scan_once"].endswith(told["fingerprint"])
        ready = process.stderr.readline()
        assert json.loads(ready)["event"] == "ready"
        link = urlsplit(told["open_once"])
        answer = requests.get(
            f"http://127.0.0.1:{link.port}{link.path}?{link.query}",
            headers={"Host": link.netloc},
            timeout=DEADLINE_S,
        )
        assert answer.status_code == 200
        assert "Pair this browser" in answer.text
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0
        code = link.query.removeprefix("code=")
        assert code not in ready + process.stderr.read()
    assert not (tmp_path / "wallet").exists()

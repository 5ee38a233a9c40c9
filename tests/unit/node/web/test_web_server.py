"""The server: a real address, a clean stop, requests under way are finished."""

import os
import signal
import subprocess
import sys
import threading

import pytest
import requests
from flask import Flask

from node.errors import ConfigError
from node.web.server import WebServer, parse_address

PROGRAM = """
from node.log import configure_logging
from node.web.app import create_api
from node.web.server import serve
configure_logging()
serve(create_api("sample", "1", title="Sample"), "127.0.0.1:0", service="sample")
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [("127.0.0.1:80", ("127.0.0.1", 80)), ("[::1]:0", ("::1", 0)), ("a.example:65535", None)],
)
def test_addresses(text: str, expected: tuple[str, int] | None) -> None:
    assert parse_address(text) == (expected or ("a.example", 65535))


@pytest.mark.parametrize(
    "text", ["", "80", ":80", "a:", "a:65536", "a:-1", "a:٣", "::1:80", "a:b:80", "a:1e3"]
)
def test_addresses_that_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="host:port"):
        parse_address(text)


def test_an_address_in_use_is_the_operators_problem() -> None:
    server = WebServer(Flask("first"), "127.0.0.1:0")
    with pytest.raises(ConfigError, match="cannot be used"):
        WebServer(Flask("second"), server.address)
    server.stop()
    server.run()


def test_a_request_under_way_is_finished_before_the_server_stops() -> None:
    started, may_finish = threading.Event(), threading.Event()
    app = Flask("slow")

    @app.get("/slow")
    def slow() -> str:
        started.set()
        assert may_finish.wait(60)
        return "done"

    server = WebServer(app, "127.0.0.1:0")
    loop = threading.Thread(target=server.run)
    loop.start()
    answers: list[str] = []
    asking = threading.Thread(
        target=lambda: answers.append(
            requests.get(f"http://{server.address}/slow", timeout=60).text
        )
    )
    asking.start()
    assert started.wait(60)
    server.stop()
    may_finish.set()
    loop.join(60)
    asking.join(60)
    assert not loop.is_alive()
    assert answers == ["done"]
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://{server.address}/slow", timeout=60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_process_cleanly(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stderr=subprocess.PIPE, text=True, env={**os.environ}
    ) as process:
        assert process.stderr is not None
        ready = process.stderr.readline()
        assert '"event": "ready"' in ready
        address = ready.split('"address": "')[1].split('"')[0]
        assert requests.get(f"http://{address}/healthz", timeout=60).status_code == 200
        process.send_signal(number)
        rest = process.stderr.read()
    assert process.returncode == 0
    assert '"event": "stopped"' in rest


def test_stop_may_come_again_and_late() -> None:
    server = WebServer(Flask("stopped"), "127.0.0.1:0")
    runner = threading.Thread(target=server.run)
    runner.start()
    stoppers = [threading.Thread(target=server.stop) for _ in range(4)]
    for stopper in stoppers:
        stopper.start()
    for thread in (*stoppers, runner):
        thread.join(60)
    server.stop()
    assert not runner.is_alive()

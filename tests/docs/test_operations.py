"""The page of a replicated ledger's operator: every drill, command after command."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.command_line import type_line
from support.peer_lab import require_cometbft
from support.processes import NodeProcess

from node.cli.demo.free_ports import free_ports
from node.network.layout import PeerPlace

pytestmark = pytest.mark.xdist_group("replication")

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
BIN = Path(sys.executable).parent
PATIENCE_S = 180
PORTS_NEEDED = 60
UNIT = re.compile(r"systemctl (start|stop) tegata-ledger +# on (peer\d+)")


def commands_of(page: Path) -> Iterator[str]:
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield from block.splitlines()


class Systemd:
    """Starts and stops peers as their hosts' systemd does by `tegata-ledger.service`."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._running: dict[str, NodeProcess] = {}

    def do(self, verb: str, peer: str) -> None:
        if verb == "stop":
            assert self._running.pop(peer).stop() == 0
            return
        # As systemd, it does not wait until the node is ready: the page's next command does.
        process = NodeProcess(self._folder / peer)
        self._running[peer] = self._stack.enter_context(process)


def test_every_drill_of_the_page_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_cometbft()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
    first = str(free_ports(PORTS_NEEDED)[0])
    commands = [line.replace("27000", first) for line in commands_of(PAGE)]
    assert len(commands) > 30
    with ExitStack() as stack:
        systemd = Systemd(tmp_path / "net", stack)
        for command in commands:
            if unit := UNIT.fullmatch(command):
                systemd.do(unit[1], unit[2])
                continue
            type_line(command, seconds=PATIENCE_S)


ROOT = PAGE.parents[1]


def test_one_version_of_cometbft() -> None:
    found = re.search(
        r"^COMETBFT_VERSION := (v\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    assert found is not None
    assert f"ARG COMETBFT_VERSION={found[1]}\n" in (ROOT / "deploy" / "Containerfile").read_text()
    assert f"cmd/cometbft@{found[1]}\n" in PAGE.read_text()


def test_compose_opens_the_ports_of_a_peer() -> None:
    compose = (ROOT / "deploy" / "compose.peer.yaml").read_text()
    place = PeerPlace.on_host(1, "ledger1.example")
    ports = re.findall(r'^ +- "(\d+:\d+)"', compose, re.MULTILINE)
    assert ports == [f"{port}:{port}" for port in (place.torii, place.p2p, place.rpc)]

"""The operator's page, run command after command as its reader would."""

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.command_line import type_line
from support.irohad_blocks import VECTORS, recorded_blocks, write_flat_files
from support.processes import DEADLINE_S, NodeProcess

from node.cli.demo.free_ports import free_ports

PAGE = Path(__file__).parents[2] / "docs" / "operating-a-node.md"
PORTS = ("50051", "50052", "50061", "10001", "50508", "7001", "55552")
BIN = Path(sys.executable).parent


@pytest.fixture
def ports() -> dict[str, str]:
    """A free port for each that the page names."""
    return dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What an operator of irohad has."""
    irohad = tmp_path / "irohad"
    write_flat_files(irohad / "blocks", recorded_blocks())
    for name in ("genesis.block", "node0.priv", "node0.pub"):
        shutil.copy(VECTORS / name, irohad)
    config = {
        "torii_port": 0,
        "internal_port": 0,
        "healthcheck_port": 0,
        "block_store_path": "irohad/blocks",
        "max_proposal_size": 10,
        "vote_delay": 5000,
        "mst_enable": True,
    }
    (irohad / "config.json").write_text(json.dumps(config))
    return tmp_path


def commands_of(page: Path, ports: dict[str, str]) -> Iterator[str]:
    blocks = re.findall(
        r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    for line in "".join(blocks).splitlines():
        yield re.sub(r"(?<=:)\d{4,5}\b", lambda port: ports.get(port[0], port[0]), line)


def test_every_command_of_the_page_works(
    folder: Path, ports: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
    running: dict[str, NodeProcess] = {}
    with ExitStack() as nodes:
        commands = list(commands_of(PAGE, ports))
        assert len(commands) > 20
        for command in commands:
            *start, last = command.split()
            if command.startswith(("tegata node start ", "irohad ")):
                if last in running:
                    assert running[last].stop() == 0
                running[last] = nodes.enter_context(NodeProcess(Path(last), command=start))
                running[last].wait_for_log("ledger node ready")
            else:
                type_line(command, seconds=DEADLINE_S)
        assert running["replica"].wait_for_log("following")["peer_height"] == 169

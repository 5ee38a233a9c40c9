"""A city as it is deployed: the folders of all services, made as deploy/README.md says."""

import shutil
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from support.command_line import run_inside
from support.docker_stand import DockerStand
from support.documents import blocks_of
from support.processes import NodeProcess

from node.cli.demo.free_ports import free_addresses

DOMAIN: Final = "city.example.jp"
PEERS: Final = ("peer1", "peer2", "peer3", "peer4")
PASSWORD: Final = "three tall towers at noon"


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """The folders of all services.

    Attributes:
        folder: What `CITY` names.
        ledger: The folder of the one node that stands in for the four peers.
        started: The services that `docker compose up` was told, each time.
    """

    folder: Path
    ledger: Path
    started: list[tuple[str, ...]] = field(default_factory=list)


def make_city(root: Path) -> City:
    """Follow the page; the node that the services' accounts are on has ended when this returns."""
    city = City(folder=root / "city", ledger=root / "ledger")
    (torii,) = free_addresses(1)
    with ExitStack() as stack:
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        environment.setenv("CITY", str(city.folder))
        environment.setenv("TEGATA_NODE_TORII", torii)

        def up(services: tuple[str, ...]) -> None:
            city.started.append(services)
            if services == PEERS:
                # It orders alone, with keys of its own.
                assert run_inside("node", "init", city.ledger, "--torii", torii).exit_code == 0
                stack.enter_context(NodeProcess(city.ledger)).wait_for_log("ledger node ready")
                for key in (city.ledger / "keys").glob("*@tegata.*"):
                    shutil.copy(key, city.folder / "network" / "peer1" / "keys")

        stand = DockerStand(root, city.folder, on_up=up, typed=f"{PASSWORD}\n{PASSWORD}\n")
        page = [one for one in blocks_of("deploy/README.md") if one.heading == "In containers"]
        script = "".join(block.code for block in page if block.language == "sh")
        assert "export CITY=/srv/city " in script
        stand.run(script.replace("export CITY=/srv/city ", "export "))
    return city

"""The units: systemd finds no fault, their sandbox is tight, their commands start the services."""

import configparser
import shlex
import shutil
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.deployed_city import City
from support.processes import DEADLINE_S, NodeProcess

from node.cli.demo.free_ports import free_addresses

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
VENV = "/opt/tegata/venv"
STATE = "/var/lib/tegata"

# The city is made once.
pytestmark = pytest.mark.xdist_group("deploy")

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed (make test)"
)


def exec_start(unit: Path) -> list[str]:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(unit)
    return shlex.split(parser["Service"]["ExecStart"])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A file system that has the units, and a program where they expect one."""
    shutil.copytree(DEPLOY / "systemd", tmp_path / "etc" / "systemd" / "system")
    program = tmp_path / "opt" / "tegata" / "venv" / "bin" / "tegata"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    return tmp_path


def faults(root: Path) -> list[str]:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", f"--root={root}", *(u.name for u in UNITS)],
        capture_output=True,
        text=True,
        check=False,
    )
    # The system's own units are not in this root.
    return [line for line in done.stderr.splitlines() if not line.endswith(".target not found.")]


@needs_systemd
def test_systemd_finds_no_fault(root: Path) -> None:
    assert faults(root) == []
    unit = root / "etc" / "systemd" / "system" / UNITS[0].name
    unit.write_text(unit.read_text() + "[Service]\nPrivateEverything=yes\n")
    (fault,) = faults(root)
    assert "PrivateEverything" in fault


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_the_sandbox_is_tight(root: Path, unit: Path) -> None:
    """`systemd-analyze security`: 0 is locked in, 10 is free; that of a bare unit is 9.6."""
    done = subprocess.run(
        [
            "systemd-analyze",
            "security",
            "--offline=yes",
            "--threshold=20",
            f"--root={root}",
            "--no-pager",
            unit.name,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-400:] + done.stderr


def test_every_service_has_a_user_of_its_own() -> None:
    made = (DEPLOY / "sysusers.d" / "tegata.conf").read_text()
    users = []
    for unit in UNITS:
        text = unit.read_text()
        (user,) = [line[5:] for line in text.splitlines() if line.startswith("User=")]
        assert f"u {user} " in made
        users.append(user)
    assert len(set(users)) == len(users)


def folder_of(service: str, city: City) -> Path:
    """Return the folder of a unit's service; the agent of this machine is one of the three."""
    if service == "ledger":
        return city.ledger
    return city.folder / ("notary" if service == "escrow" else service)


def test_the_commands_start_every_service(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each by the command of its unit; the environment says where."""
    with ExitStack() as stack:
        health = []
        for unit in UNITS:
            name = unit.stem.removeprefix("tegata-")
            (listen,) = free_addresses(1)
            *command, folder = exec_start(unit)
            assert folder == f"{STATE}/{name}"
            if name == "ledger":
                monkeypatch.setenv("TEGATA_NODE_HEALTH", listen)
                health.append(f"http://{listen}/healthcheck")
            else:
                prefix = "OBSERVER" if name == "page" else name.upper()
                monkeypatch.setenv(f"TEGATA_{prefix}_LISTEN", listen)
                health.append(f"http://{listen}/healthz")
            process = NodeProcess(
                folder_of(name, city),
                command=[word.replace(VENV, str(Path(sys.prefix))) for word in command],
            )
            stack.enter_context(process).wait_for_line(
                lambda line: line.get("event") in ("ready", "ledger node ready")
            )
        for url in health:
            with urllib.request.urlopen(url, timeout=DEADLINE_S) as response:
                assert response.status == 200

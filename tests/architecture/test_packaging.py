"""What is installed: the wheel holds our packages and nothing else, and a wallet stays light."""

import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Collection, Iterable
from configparser import ConfigParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PACKAGES = ("chaincode", "client_sdk", "node")
SERVER_ONLY = {"click", "flask", "pydantic", "rich", "sqlalchemy", "structlog", "waitress"}
# Loaded where they are installed, and done without where they are not; the third shares protobuf's
# folder `google`.
ALSO_LOADED = {"grpcio-tools", "tegata-ed25519", "googleapis-common-protos", "tegata-es256"}
# Built from source against a driver that only a machine with a card reader has.
NOT_LOCKED = {"pyscard"}
# Too large for the development install: locked in a file of its own.
APART = "face-training"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree, so that building leaves the checkout as it is."""
    folder = tmp_path_factory.mktemp("source")
    for name in (*PACKAGES, "tests", "benchmarks"):
        ignored = shutil.ignore_patterns("__pycache__", "node_modules")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps")
    subprocess.run(
        [*pip, "--no-build-isolation", "--wheel-dir", str(folder), str(source)], check=True
    )
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


def test_the_wheel_holds_every_file_of_the_packages_and_no_other(
    source: Path, wheel: zipfile.ZipFile
) -> None:
    expected = {
        path.relative_to(source).as_posix()
        for package in PACKAGES
        for path in (source / package).rglob("*")
        if path.is_file()
    }
    metadata = {name for name in wheel.namelist() if ".dist-info/" in name}
    assert set(wheel.namelist()) - metadata == expected


def test_the_wheel_is_typed_and_has_the_command_line(wheel: zipfile.ZipFile) -> None:
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(wheel.namelist())
    (entry_points,) = (n for n in wheel.namelist() if n.endswith("entry_points.txt"))
    assert "tegata = node.cli.main:main" in wheel.read(entry_points).decode()


def test_the_packages_belong_to_this_distribution_alone() -> None:
    found = run_isolated(
        "import importlib.metadata, json\n"
        "print(json.dumps(importlib.metadata.packages_distributions()))"
    )
    assert [found.get(name) for name in PACKAGES] == [["tegata"]] * len(PACKAGES)


@pytest.mark.parametrize(
    "module", ["client_sdk", "client_sdk.wallet", "client_sdk.issuer", "client_sdk.verifier"]
)
def test_the_sdk_loads_what_a_wallet_installs_and_no_more(module: str) -> None:
    loaded = run_isolated(
        "import importlib, json, sys\n"
        "at_start = set(sys.modules)\n"
        f"importlib.import_module({module!r})\n"
        "print(json.dumps({'modules': sorted(set(sys.modules) - at_start)}))"
    )["modules"]
    top_level = {name.partition(".")[0] for name in loaded}
    assert not top_level & SERVER_ONLY
    assert "grpc._server" not in loaded
    distributions = importlib.metadata.packages_distributions()
    used = {
        canonicalize_name(distribution)
        for name in top_level
        for distribution in distributions.get(name, [])
    }
    needed = with_their_own(section("options")["install_requires"].split("\n"))
    assert used - needed - ALSO_LOADED == {"tegata"}


def test_every_dependency_is_explained() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    named = {canonicalize_name(name) for name in re.findall(r"`@?([\w./-]+)`", text)}
    stubs = {r.name for r in requirements() if r.name.startswith("types-")}
    assert {canonicalize_name(r.name) for r in requirements() if r.name not in stubs} <= named


def test_the_locked_versions_satisfy_the_ranges() -> None:
    locked = locked_versions("dev.txt")
    assert not NOT_LOCKED & locked.keys()
    for requirement in requirements(without={APART}):
        if canonicalize_name(requirement.name) in NOT_LOCKED:
            continue
        assert locked[canonicalize_name(requirement.name)] in requirement.specifier, requirement


def test_the_versions_of_the_environment_apart_satisfy_its_ranges() -> None:
    locked = locked_versions(f"{APART}.txt")
    extras = section("options.extras_require")
    for line in (extras[APART] + extras["face"]).strip().split("\n"):
        name = canonicalize_name(Requirement(line).name)
        assert locked[name] in Requirement(line).specifier, line


@pytest.mark.parametrize("file", ["dev.txt", f"{APART}.txt"])
def test_every_locked_version_has_hashes(file: str) -> None:
    text = (ROOT / "requirements" / file).read_text(encoding="utf-8")
    blocks = re.split(r"^(?=[\w.-]+(?:\[\S+\])?==)", text, flags=re.MULTILINE)[1:]
    assert blocks
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


def run_isolated(code: str) -> dict[str, list[str]]:
    """Run code in a fresh interpreter that sees only what is installed; return the JSON it said."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    said: dict[str, list[str]] = json.loads(done.stdout)
    return said


def section(name: str) -> dict[str, str]:
    config = ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return dict(config[name])


def locked_versions(file: str) -> dict[str, Version]:
    text = (ROOT / "requirements" / file).read_text(encoding="utf-8")
    return {
        canonicalize_name(name): Version(version)
        for name, version in re.findall(r"^([\w.-]+)(?:\[\S+\])?==(\S+)", text, re.MULTILINE)
    }


def requirements(without: Collection[str] = ()) -> list[Requirement]:
    """Return all that setup.cfg asks for, without some extras."""
    lists = [section("options")["install_requires"]]
    extras = section("options.extras_require")
    lists += [text for name, text in extras.items() if name not in without]
    return [Requirement(line) for text in lists for line in text.split("\n") if line.strip()]


def with_their_own(lines: Iterable[str]) -> set[str]:
    """Return the distributions that requirements bring, their own requirements included."""
    found: set[str] = set()
    waiting = [Requirement(line) for line in lines if line.strip()]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if name in found or not applies:
            continue
        try:
            own = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        found.add(name)
        waiting += [Requirement(line) for line in own]
    return found

"""The image, without an engine: what is copied is there, what is installed was tested."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTAINERFILE = ROOT / "deploy" / "Containerfile"
# Where a stage of the build puts things; one file system stands in for those of all stages.
PLACES = ("/opt/tegata", "/source", "/native", "/wheels", "/venv")
# What only changes the system that is built on.
SYSTEM = ("apt-get ", "useradd ", "go install ")


@dataclass(frozen=True, slots=True)
class Instruction:
    verb: str
    words: str


def instructions() -> list[Instruction]:
    text = CONTAINERFILE.read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.findall(r"^([A-Z]+) +(.+)$", text, re.MULTILINE)
    return [Instruction(verb, words) for verb, words in found]


def copied() -> list[str]:
    """Return what is copied out of the tree; `.` stands for all that .dockerignore lets through."""
    lines = [one.words.split() for one in instructions() if one.verb == "COPY"]
    return [
        source
        for *sources, _ in lines
        if not sources[0].startswith("--from=")
        for source in sources
    ]


def let_through() -> list[str]:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    return [line.removeprefix("!") for line in lines if line.startswith("!")]


def pins(name: str) -> dict[str, set[str]]:
    """Return the hashes that each `package==version` of a requirements file may have."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8").replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        if pinned := re.match(r"([\w.\[\],-]+==\S+)", line):
            found[re.sub(r"\[.*\]", "", pinned[1])] = set(re.findall(r"sha256:(\w+)", line))
    return found


def test_what_is_copied_is_there() -> None:
    assert [path for path in let_through() if not (ROOT / path).exists()] == []
    for source in copied():
        assert source == "." or any(source.startswith(path) for path in let_through()), source


def test_every_native_part_is_built() -> None:
    loops = [
        re.search(r"for part in ([\w ]+);", text)
        for text in (CONTAINERFILE.read_text(), (ROOT / "Makefile").read_text())
    ]
    parts = {path.parent.name for path in (ROOT / "native").glob("*/Cargo.toml")}
    assert [set(loop[1].split()) for loop in loops if loop] == [parts, parts]


def test_it_installs_what_the_tests_ran_with() -> None:
    installed, tested = pins("services.txt"), pins("dev.txt")
    assert len(installed) > 50
    assert {name: hashes for name, hashes in installed.items() if tested.get(name) != hashes} == {}


@pytest.mark.skipif("TEGATA_SOAK" not in os.environ, reason="builds all that is in it: make soak")
def test_what_it_holds_can_be_built_and_run(tmp_path: Path) -> None:
    """Its lines, one after the other, in a folder instead of a container."""

    def here(words: str) -> str:
        for place in PLACES:
            words = re.sub(rf"(?<![\w/.]){place}\b", str(tmp_path / place[1:]), words)
        return words

    for one in instructions():
        *sources, target = here(one.words).split()
        if one.verb == "COPY" and not sources[0].startswith("--from="):
            for source in let_through() if sources == ["."] else sources:
                path = Path(target, source) if sources == ["."] else Path(target)
                path.parent.mkdir(parents=True, exist_ok=True)
                if (ROOT / source).is_dir():
                    ignored = shutil.ignore_patterns("__pycache__", "target")
                    shutil.copytree(ROOT / source, path, ignore=ignored, dirs_exist_ok=True)
                else:
                    shutil.copy(ROOT / source, path)
        elif one.verb == "RUN" and not one.words.startswith(SYSTEM):
            command = here(one.words).replace("python3 -m venv", f"{sys.executable} -m venv")
            command = re.sub(r"^python -m venv", f"{sys.executable} -m venv", command)
            subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True)
    python = tmp_path / "opt" / "tegata" / "bin" / "python"
    services = ("ledger.daemon", "issuer.process", "gateway.app", "escrow.app", "face.process")
    program = "; ".join(f"import node.{one}" for one in services)
    native = "import tegata_ed25519, tegata_es256, tegata_grpc"
    subprocess.run([python, "-c", f"{program}; {native}"], cwd=tmp_path, check=True)
    subprocess.run([python.with_name("tegata"), "--version"], cwd=tmp_path, check=True)

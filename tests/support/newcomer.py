"""Somebody who reads a document and types what it says, and what is running meanwhile."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from support.documents import Block

BIN: Final = Path(sys.executable).parent
_MINUTES: Final = re.compile(r"\((\d+) minutes\)$")
_MOST_S: Final = 300


class Newcomer:
    """Somebody at a terminal, in a folder. What is exported stays, from one block to the next."""

    def __init__(self, folder: Path, *, columns: int = 200) -> None:
        """Open the terminal.

        Args:
            folder: Where it is.
            columns: How wide it is.
        """
        clean = {name: text for name, text in os.environ.items() if not name.startswith("TEGATA_")}
        path = f"{BIN}{os.pathsep}{clean['PATH']}"
        self._environment = {**clean, "PATH": path, "COLUMNS": str(columns)}
        self._folder = folder

    def type(self, code: str, *, seconds: float = _MOST_S) -> str:
        """Type commands; return what was printed. None of them may fail."""
        variables = self._folder / ".variables"
        done = subprocess.run(
            ["bash", "-c", f"set -e\n{code}\nenv -0 > {variables.name}"],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"{code}\n{done.stdout}{done.stderr}"
        pairs = variables.read_text(encoding="utf-8").split("\0")[:-1]
        self._environment = dict(pair.split("=", 1) for pair in pairs)
        return done.stdout

    def follow(self, blocks: Sequence[Block]) -> str:
        """Type the blocks of a path that promises its minutes; return what was printed."""
        (minutes,) = {_MINUTES.findall(block.heading)[0] for block in blocks}
        seconds = int(minutes) * 60
        began = time.monotonic()
        printed = self.type("".join(block.code for block in blocks), seconds=seconds)
        assert time.monotonic() - began < seconds
        return printed

    def work_through(self, blocks: Sequence[Block]) -> None:
        """Type a document's commands, and run its Python as one program, in their order."""
        names: dict[str, object] = {}
        with pytest.MonkeyPatch.context() as here:
            here.chdir(self._folder)
            for block in blocks:
                if block.language == "sh":
                    self.type(block.code)
                    for name, text in self._environment.items():
                        here.setenv(name, text)
                elif block.language == "python":
                    exec(compile(block.code, block.heading, "exec"), names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What `tegata up` runs.

    Attributes:
        folder: Where everything is kept.
        port: The first of its ports.
        before: What it said until all was up.
        said: What it said then.
        stop: Stops it.
    """

    folder: Path
    port: int
    before: list[dict[str, Any]]
    said: dict[str, Any]
    stop: Callable[[], None]

    @property
    def password(self) -> str:
        """The password of its pages."""
        return (self.folder / "secrets" / "password").read_text(encoding="ascii").strip()


@contextmanager
def running(command: Sequence[str], folder: Path, stop: signal.Signals) -> Iterator[Machine]:
    """Run `COMMAND NAME --port PORT --json` in a folder, until it is stopped or the body left."""
    *_, name, _, port = command
    with (
        subprocess.Popen(
            [*command, "--json"], stdout=subprocess.PIPE, text=True, cwd=folder
        ) as process,
        ExitStack() as stack,
    ):
        assert process.stdout is not None
        lines = (json.loads(line) for line in process.stdout)

        def end() -> None:
            process.send_signal(stop)
            rest = list(lines)
            assert process.wait() == 0
            assert rest[-1] == {"service": "up", "line": "stopped"}

        stack.callback(end)
        before: list[dict[str, Any]] = []
        for line in lines:
            if line.get("event") == "ready":
                break
            before.append(line)
        else:
            raise AssertionError(before)
        yield Machine(
            folder=folder / name, port=int(port), before=before, said=line, stop=stack.close
        )

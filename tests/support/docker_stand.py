"""A `docker` for tests without an engine: it runs `tegata` where `docker compose run tools` would.

It is a script that passes its words on; the commands run inside the test's process.
"""

import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from support.command_line import run_inside

_TOOLS: Final = ["compose", "run", "--rm", "tools"]
_DOCKER: Final = """#!/bin/sh
printf '%s\\0' "$@" > asked
cat answer
exit "$(cat code)"
"""
# Only root gives files to others.
_INSTALL: Final = """#!/bin/bash
words=(); while [ $# -gt 0 ]; do
  case $1 in --owner|--group) shift 2;; *) words+=("$1"); shift;; esac
done
exec /usr/bin/install "${words[@]}"
"""


class DockerStand:
    """Runs a shell's script in which `docker` is this stand."""

    def __init__(
        self, folder: Path, city: Path, *, on_up: Callable[[tuple[str, ...]], None], typed: str
    ) -> None:
        """Prepare.

        Args:
            folder: An empty folder, in which the script runs.
            city: What is mounted as `/city`.
            on_up: Is called for `docker compose up`, with the services.
            typed: What is typed for a command that asks.
        """
        self._folder = folder
        self._city = city
        self._on_up = on_up
        self._typed = typed
        for name, script in (("docker", _DOCKER), ("install", _INSTALL)):
            program = folder / "bin" / name
            program.parent.mkdir(exist_ok=True)
            program.write_text(script)
            program.chmod(0o755)
        for name in ("asked", "answer"):
            os.mkfifo(folder / name)

    def run(self, script: str) -> str:
        """Run a script by bash, to its end; return what it printed."""
        environment = {**os.environ, "PATH": f"{self._folder / 'bin'}:{os.environ['PATH']}"}
        answering = threading.Thread(target=self._answer, daemon=True)
        answering.start()
        done = subprocess.run(
            ["bash", "-c", f"set -e\n{script}\ndocker end"],
            cwd=self._folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        answering.join()
        return done.stdout

    def _answer(self) -> None:
        words: list[str] = []
        while words != ["end"]:
            asked = (self._folder / "asked").read_bytes().decode()
            words = asked.split("\0")[:-1]
            code, text = self._do(words)
            (self._folder / "code").write_text(str(code))
            (self._folder / "answer").write_text(text)

    def _do(self, words: list[str]) -> tuple[int, str]:
        if words[:2] == ["compose", "up"]:
            self._on_up(tuple(word for word in words[2:] if not word.startswith("-")))
        if words[: len(_TOOLS)] != _TOOLS:
            return 0, ""
        inside = [
            word.replace("/city", str(self._city), 1) if word.startswith("/city") else word
            for word in words[len(_TOOLS) :]
        ]
        done = run_inside(*inside, typed=self._typed)
        return (
            done.exit_code,
            done.stdout if done.exit_code == 0 else f"{done.output}{done.exception}",
        )

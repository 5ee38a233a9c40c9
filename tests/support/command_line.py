"""`tegata` as its users run it: the installed command in a process of its own, or inside ours."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from node.cli.main import tegata

COMMAND = Path(sys.executable).parent / "tegata"
_SHELL = re.compile(r"[|<>&;$`*?]")


def run(
    *arguments: str | Path, env: Mapping[str, str] | None = None, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the installed command to its end, whatever it ends with.

    Args:
        arguments: The command line.
        env: More variables of the environment.
        typed: What is typed.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TEGATA_")}
    return subprocess.run(
        [str(COMMAND), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        input=typed,
        env={**clean, "COLUMNS": "200", **(env or {})},
    )


def run_json(*arguments: str | Path, env: Mapping[str, str] | None = None) -> Any:
    """Run the installed command with `--json`; return what it printed, which must be JSON."""
    done = run(*arguments, "--json", env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def run_inside(
    *arguments: str | Path, env: Mapping[str, str] | None = None, typed: str | None = None
) -> Result:
    """Run a command inside this process: quicker, but without what `main` does of errors."""
    return CliRunner().invoke(
        tegata, [*map(str, arguments)], env={"COLUMNS": "200", **(env or {})}, input=typed
    )


def run_inside_json(*arguments: str | Path) -> Any:
    """Run a command with `--json` inside this process; return what it printed, which is JSON."""
    done = run_inside(*arguments, "--json")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def type_line(line: str, *, seconds: float) -> None:
    """Do what a line of a document says, in the present folder; it must not fail.

    Where the line is a command of `tegata` and nothing else it runs inside this process.
    """
    program, *words = shlex.split(line, comments=True)
    if program == "tegata" and not _SHELL.search(line):
        result = run_inside(*words)
        assert result.exit_code == 0, f"{line}\n{result.output}{result.exception}"
        return
    done = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, timeout=seconds, check=False
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"

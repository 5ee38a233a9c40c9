"""Write docs/command-line.md from the help texts of `tegata`. Run it as a script."""

import re
from collections.abc import Iterator
from pathlib import Path

import click

from node.cli import main as command_line

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"
WIDTH = 100
_INTRODUCTION = """# The command line

Generated from the help texts; `.venv/bin/python tests/docs/generate_command_line.py` does it anew.

Results go to standard output, as a table or with `--json` as JSON; errors and logs go to standard
error. A folder that a command names holds everything of one process: its configuration, its keys,
its data.

Addresses and secrets can stand in the environment: `TEGATA_ISSUER`, `TEGATA_OPERATOR_TOKEN`,
`TEGATA_GATEWAY`, `TEGATA_API_KEY`, `TEGATA_TORII`, `TEGATA_TRUST`, `TEGATA_AGENTS` (several,
with spaces between), `TEGATA_PASSPHRASE`, `TEGATA_RECOVERY_PASSWORD`. `tegata up` writes those of
its machine to a file for shells. Codes, links and ids can be taken from what another command
printed with `--json`: `@FILE` in their place.
"""


def generate() -> str:
    """Return the page."""
    context = _context(command_line.tegata, "tegata", None)
    commands = [found for found in _walk(context) if not isinstance(found.command, click.Group)]
    parts = [_INTRODUCTION, _overview(commands), _exit_codes(context)]
    group = ""
    for found in commands:
        words = found.command_path.split()
        if len(words) > 2 and words[1] != group:
            group = words[1]
            assert found.parent is not None
            parts.append(f"## `tegata {group}`\n\n{found.parent.command.help}\n")
        parts.append(_section(found, level=len(words)))
    return "\n".join(parts)


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    return click.Context(
        command, parent, info_name=name, terminal_width=WIDTH, **command.context_settings
    )


def _walk(context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            assert command is not None
            yield from _walk(_context(command, name, context))


def _overview(commands: list[click.Context]) -> str:
    rows = [
        f"| [`{found.command_path}`](#{found.command_path.replace(' ', '-')}) "
        f"| {found.command.get_short_help_str(limit=WIDTH)} |"
        for found in commands
    ]
    return "\n".join(["| command | what it does |", "| --- | --- |", *rows, ""])


def _exit_codes(root: click.Context) -> str:
    codes = re.findall(r"^ +(\d)  (.+)$", root.command.epilog or "", re.MULTILINE)
    rows = [f"| {code} | {meaning} |" for code, meaning in codes]
    return "\n".join(["## Exit codes", "", "| code | meaning |", "| ---: | --- |", *rows, ""])


def _section(found: click.Context, *, level: int) -> str:
    heading = f"{'#' * level} `{found.command_path}`"
    return f"{heading}\n\n```text\n{found.get_help()}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(generate(), encoding="utf-8")

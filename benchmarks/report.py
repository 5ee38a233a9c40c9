"""How figures are shown and kept: a table, JSON, Markdown."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.table import Table

from benchmarks.figures import Figure, Unit
from benchmarks.machine import Machine

_HEADINGS: Final = ("what", "ours", "beside it", "theirs", "our speed")
_DIGITS: Final = 3


def table(figures: Sequence[Figure]) -> Table:
    """Return the figures for a terminal."""
    shown = Table(box=None, header_style="cyan", pad_edge=False)
    for heading, right in zip(_HEADINGS, (False, True, False, True, True), strict=True):
        shown.add_column(heading, justify="right" if right else "left")
    group = ""
    for figure in figures:
        if figure.group != group:
            group = figure.group
            shown.add_section()
            shown.add_row(f"[bold]{group}[/]")
        for cells in _rows(figure):
            shown.add_row(*cells)
    return shown


def load(path: Path) -> list[Figure]:
    """Return the figures of a file that `save` wrote; none where there is no file."""
    if not path.exists():
        return []
    return [
        Figure(
            group=row["group"],
            name=row["name"],
            unit=Unit(row["unit"]),
            value=row["value"],
            peers=row["peers"],
            bound_by=row.get("bound_by", ""),
        )
        for row in json.loads(path.read_text(encoding="utf-8"))["figures"]
    ]


def save(path: Path, figures: Sequence[Figure], machine: Machine) -> Path:
    """Write the figures as JSON, and as Markdown beside it; return the Markdown's path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    taken_at = datetime.now(UTC).isoformat(timespec="seconds")
    document = {
        "taken_at": taken_at,
        "machine": asdict(machine),
        "figures": [
            {
                "group": figure.group,
                "name": figure.name,
                "unit": figure.unit.value,
                "value": _rounded(figure.value),
                "peers": {name: _rounded(value) for name, value in figure.peers.items()},
                "bound_by": figure.bound_by,
            }
            for figure in figures
        ],
    }
    path.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    markdown = path.with_suffix(".md")
    markdown.write_text(_markdown(taken_at, figures, machine), encoding="utf-8")
    return markdown


def _markdown(taken_at: str, figures: Sequence[Figure], machine: Machine) -> str:
    lines = [f"# Measured {taken_at}", ""]
    lines += [f"- {name}: {value}" for name, value in asdict(machine).items()]
    lines += [
        "",
        "Best of several rounds, ours and theirs in turn. Our speed: 2.0 is twice as fast.",
    ]
    for group in dict.fromkeys(figure.group for figure in figures):
        lines += ["", f"## {group.capitalize()}", ""]
        lines += [f"| {' | '.join(_HEADINGS)} |", "| --- | ---: | --- | ---: | ---: |"]
        lines += [
            f"| {' | '.join(cells)} |"
            for figure in figures
            if figure.group == group
            for cells in _rows(figure)
        ]
    lines += ["", "## What they are bound by", ""]
    lines += [f"- {each.name}: {each.bound_by}." for each in figures if each.bound_by]
    return "\n".join(lines) + "\n"


def _rows(figure: Figure) -> Iterator[tuple[str, ...]]:
    unit = figure.unit.value
    ours = (figure.name, f"{_text(figure.value)} {unit}")
    if not figure.peers:
        yield (*ours, "", "", "")
    for name, value in figure.peers.items():
        speed = f"{figure.speed_against(name):.2f}"
        yield (*ours, name, f"{_text(value)} {unit}", speed)
        ours = ("", "")


def _text(value: float) -> str:
    return f"{_rounded(value):,}"


def _rounded(value: float) -> float:
    rounded = float(f"{value:.{_DIGITS}g}")
    return int(rounded) if rounded >= 10 ** (_DIGITS - 1) else rounded

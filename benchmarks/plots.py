"""Plots of figures, as PNG: our node beside irohad, and what grows with the state."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from benchmarks.figures import Figure, Unit

mpl.use("Agg")

_OURS, _THEIRS, _INK, _GRID = "#1f6f8b", "#c9a227", "#333333", "#dddddd"
_ACCOUNTS: Final = re.compile(r"(.*?),? (?:with |at |of )?([0-9,]+) accounts(.*)")


def plot_figures(folder: Path, figures: Sequence[Figure]) -> list[Path]:
    """Draw what can be drawn into a folder; return the pictures' paths."""
    drawn = []
    rates = [
        figure for figure in figures if figure.group == "ledger" and figure.unit is Unit.PER_SECOND
    ]
    if rates:
        drawn.append(_plot_rates(folder / "performance-throughput.png", rates))
    growing = _growing(figures)
    if growing:
        drawn.append(_plot_growth(folder / "performance-growth.png", growing))
    return drawn


def plot_soak(path: Path, samples: Sequence[Mapping[str, float]], title: str) -> None:
    """Draw a soak: latency, memory and errors over time.

    Args:
        path: Where the picture goes.
        samples: At each moment `minute`, `p50_ms`, `p99_ms`, `memory_mib`, `errors`.
        title: What it was.
    """
    figure, axes = plt.subplots(3, 1, figsize=(9, 7), sharex=True, layout="constrained")
    minutes = [sample["minute"] for sample in samples]
    axes[0].plot(minutes, [each["p99_ms"] for each in samples], color=_THEIRS, label="p99")
    axes[0].plot(minutes, [each["p50_ms"] for each in samples], color=_OURS, label="p50")
    axes[0].set_ylabel("latency, ms")
    axes[0].legend(frameon=False)
    axes[1].plot(minutes, [each["memory_mib"] for each in samples], color=_OURS)
    axes[1].set_ylabel("memory, MiB")
    axes[2].plot(minutes, [each["errors"] for each in samples], color=_THEIRS)
    axes[2].set_ylabel("errors")
    axes[2].set_xlabel("minutes")
    for axis in axes:
        _plain(axis)
        axis.set_ylim(bottom=0)
    figure.suptitle(title, color=_INK)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _plot_rates(path: Path, figures: Sequence[Figure]) -> Path:
    picture, axis = plt.subplots(figsize=(9, 0.55 * len(figures) + 1.2), layout="constrained")
    for row, each in enumerate(reversed(figures)):
        axis.barh(row + 0.2, each.value, 0.36, color=_OURS)
        axis.text(each.value, row + 0.2, f" {each.value:,.0f}", va="center", color=_INK, size=8)
        for name, value in list(each.peers.items())[:1]:
            axis.barh(row - 0.2, value, 0.36, color=_THEIRS)
            axis.text(value, row - 0.2, f" {value:,.0f}  {name}", va="center", color=_INK, size=8)
    axis.set_yticks(range(len(figures)), [each.name for each in reversed(figures)], size=8)
    axis.set_xlabel("a second")
    _plain(axis)
    picture.savefig(path, dpi=110)
    plt.close(picture)
    return path


def _growing(figures: Sequence[Figure]) -> Mapping[tuple[str, Unit], Sequence[tuple[int, float]]]:
    """Return what was measured at several numbers of accounts, in their order."""
    lines: dict[tuple[str, Unit], list[tuple[int, float]]] = defaultdict(list)
    for figure in figures:
        if figure.group == "growth" and (found := _ACCOUNTS.fullmatch(figure.name)):
            before, accounts, behind = found.groups()
            lines[before + behind, figure.unit].append(
                (int(accounts.replace(",", "")), figure.value)
            )
    return {name: sorted(points) for name, points in lines.items() if len(points) > 1}


def _plot_growth(path: Path, lines: Mapping[tuple[str, Unit], Sequence[tuple[int, float]]]) -> Path:
    picture, axes = plt.subplots(
        len(lines),
        1,
        figsize=(8, 2.2 * len(lines)),
        sharex=True,
        squeeze=False,
        layout="constrained",
    )
    for (axis,), ((name, unit), points) in zip(axes, lines.items(), strict=True):
        axis.plot(*zip(*points, strict=True), marker="o", color=_OURS)
        axis.set_title(name, size=9, loc="left", color=_INK)
        axis.set_ylabel(unit.value)
        axis.set_xscale("log")
        axis.set_ylim(0, 1.1 * max(value for _, value in points))
        _plain(axis)
    axes[-1][0].set_xlabel("accounts")
    picture.savefig(path, dpi=110)
    plt.close(picture)
    return path


def _plain(axis: Axes) -> None:
    axis.grid(color=_GRID, linewidth=0.6)
    axis.set_axisbelow(True)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)

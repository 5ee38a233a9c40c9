"""Figures are kept, read again and drawn."""

from pathlib import Path

from benchmarks.figures import Figure, Unit
from benchmarks.machine import read_machine
from benchmarks.plots import plot_figures, plot_soak
from benchmarks.report import load, save

FIGURES = [
    Figure(
        group="ledger",
        name="lists",
        unit=Unit.PER_SECOND,
        value=8000,
        peers={"irohad": 983},
        bound_by="CPU",
    ),
    Figure(group="ledger", name="memory", unit=Unit.MEBIBYTES, value=94, peers={}),
    *(
        Figure(
            group="growth",
            name=f"a transaction with {accounts:,} accounts",
            unit=Unit.MICROSECONDS,
            value=100,
            peers={},
        )
        for accounts in (10_000, 100_000)
    ),
]


def test_figures_are_read_as_they_were_kept(tmp_path: Path) -> None:
    json_file = tmp_path / "figures.json"
    assert load(json_file) == []
    markdown = save(json_file, FIGURES, read_machine(tmp_path))
    assert load(json_file) == FIGURES
    text = markdown.read_text(encoding="utf-8")
    assert "| lists | 8,000 /s | irohad | 983 /s | 8.14 |" in text
    assert "| memory | 94.0 MiB |" in text
    assert "- lists: CPU." in text


def test_rates_and_growth_are_drawn(tmp_path: Path) -> None:
    drawn = plot_figures(tmp_path, FIGURES)
    assert [path.name for path in drawn] == ["performance-throughput.png", "performance-growth.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
    assert plot_figures(tmp_path, FIGURES[1:2]) == []


def test_a_soak_is_drawn(tmp_path: Path) -> None:
    moment = {"minute": 1.0, "p50_ms": 3.0, "p99_ms": 9.0, "memory_mib": 90.0, "errors": 0.0}
    plot_soak(tmp_path / "soak.png", [moment, {**moment, "minute": 2.0}], "a soak")
    assert (tmp_path / "soak.png").read_bytes().startswith(b"\x89PNG")

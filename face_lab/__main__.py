"""`make face-eval`: error rates of the face test, on free faces and on sets that are at hand."""

import json
import pickle
from dataclasses import asdict
from pathlib import Path

import click
import numpy as np

from benchmarks.machine import read_machine
from face_lab.clips import Attack
from face_lab.curves import plot_rates, plot_trade_off
from face_lab.evaluation import (
    REPLAY_DRAWS,
    RULES,
    embed_people,
    film,
    measure_detector,
    measure_match,
    measure_prompts,
    pair_scores,
)
from face_lab.people import find_pictures, free_faces, people_of, read_picture
from face_lab.rates import Rate, bits, percent
from node.cli.progress import progress_bar
from node.face.vision.limits import Limits
from node.face.vision.models import FaceModels

_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command()
@click.option("--sets", type=_FOLDER, help="Sets at hand: portraits/, match/NAME/PERSON/, "
              "detector/NAME/{real,fake}/.")  # fmt: skip
@click.option("--people", default=24, show_default=True, help="How many portraits are filmed.")
@click.option("--part", type=click.Choice(["all", "calibration", "held-out"]), default="held-out",
              show_default=True, help="Which half of the portraits.")  # fmt: skip
@click.option("--live", default=2, show_default=True, help="Clips of each prompt and person.")
@click.option("--draws", default=REPLAY_DRAWS, show_default=True)
@click.option("--short", is_flag=True, help="The free faces alone, and few clips.")
@click.option("--films", type=click.Path(path_type=Path), help="Keep what was read of the clips.")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--plots", type=_FOLDER)
def main(
    sets: Path | None,
    people: int,
    part: str,
    live: int,
    draws: int,
    *,
    short: bool,
    films: Path | None,
    json_file: Path | None,
    plots: Path | None,
) -> None:
    """Measure, print, and keep the figures."""
    models, limits = FaceModels.load(), Limits()
    if films and films.exists():
        recordings = pickle.loads(films.read_bytes())
    else:
        photographs = _portraits(sets, people, part)
        attacks = (Attack.PHOTO, Attack.FLAT_PRINT) if short else tuple(Attack)
        with progress_bar("filming", total=len(photographs)) as advance:
            recordings = film(
                models, photographs, live_each=1 if short else live, attacks=attacks,
                limits=limits, advance=advance,
            )  # fmt: skip
        if films:
            films.write_bytes(pickle.dumps(recordings))
    figures = {"prompts": measure_prompts(recordings, limits, draws=500 if short else draws)}
    curves = {}
    for folder in _subfolders(sets, "match"):
        total = sum(map(len, people_of(folder).values()))
        with progress_bar(f"match, {folder.name}", total=total) as advance:
            faces, owners, missed = embed_people(models, folder, advance)
        figures[f"match, {folder.name}"] = measure_match(faces, owners)
        curves[folder.name] = pair_scores(faces, owners)
        click.echo(f"{folder.name}: {missed} pictures showed no face")
    if models.detector and sets and (sets / "detector").is_dir():
        total = sum(1 for _ in (sets / "detector").rglob("*"))
        with progress_bar("detector", total=total) as advance:
            figures["detector"] = measure_detector(models, sets / "detector", advance)
    _show(figures)
    if json_file:
        _keep(json_file, figures)
    if plots:
        _plot(plots, figures, curves)


def _portraits(sets: Path | None, people: int, part: str) -> list[np.ndarray]:
    if sets is None or not (sets / "portraits").is_dir():
        return list(free_faces())
    paths = find_pictures(sets / "portraits")[: 2 * people if part != "all" else people]
    # Thresholds are set on the even ones, and reported on the odd.
    halves = {"all": paths, "calibration": paths[::2], "held-out": paths[1::2]}
    found = [read_picture(path) for path in halves[part]]
    return [picture for picture in found if picture is not None]


def _subfolders(sets: Path | None, name: str) -> list[Path]:
    root = sets / name if sets else None
    return sorted(p for p in root.iterdir() if p.is_dir()) if root and root.is_dir() else []


def _show(figures: dict[str, dict[str, Rate]]) -> None:
    for part, rates in figures.items():
        click.echo(f"\n{part}")
        for name, found in rates.items():
            click.echo(f"  {name:58} {percent(found)} {found.text}")
    replay = figures["prompts"]["APCER, replay of another test"]
    click.echo(
        f"\nA series of {RULES.length}, {RULES.most_missed} missed at most: "
        f"{bits(replay.value):.1f} bits, at least {bits(replay.high):.1f}"
    )


def _keep(path: Path, figures: dict[str, dict[str, Rate]]) -> None:
    kept = {
        "machine": asdict(read_machine(path.parent)),
        "rules": asdict(RULES),
        "figures": {
            part: {name: asdict(found) for name, found in rates.items()}
            for part, rates in figures.items()
        },
    }
    path.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")


def _plot(folder: Path, figures: dict[str, dict[str, Rate]], curves: dict[str, tuple]) -> None:
    tests = {
        name: found for name, found in figures["prompts"].items()
        if name.startswith(("APCER, ", "BPCER"))
    }  # fmt: skip
    plot_rates(folder / "face-attacks.png", "whole tests, 95 % intervals", tests, 0.02)
    if curves:
        plot_trade_off(folder / "face-match.png", "face match", curves)
    if "detector" in figures:
        areas = {n: found for n, found in figures["detector"].items() if n.startswith("AUC")}
        plot_rates(folder / "face-detector.png", "deepfake detector, area under curve", areas, 0.8)


if __name__ == "__main__":
    main()

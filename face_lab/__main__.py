"""`make face-calibrate` and `make face-eval`: the face test's thresholds, and its error rates."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import read_machine
from face_lab import calibration
from face_lab.clips import Attack
from face_lab.cost import measure_cost
from face_lab.curves import plot_rates, plot_trade_off
from face_lab.evaluation import (
    REPLAY,
    REPLAY_DRAWS,
    embed_people,
    measure_detector,
    measure_match,
    measure_replay,
    measure_threshold,
    measure_trials,
    measure_wrong_actions,
    measure_wrong_person,
    pair_scores,
)
from face_lab.filming import Studio
from face_lab.films import kept
from face_lab.people import (
    Person,
    calibration_cast,
    free_cast,
    held_out_cast,
    people_of,
)
from face_lab.rates import Rate, bits, needed, percent
from face_lab.recordings import LIVE, Verdicts
from face_lab.report import tables
from face_lab.trials import RULES, Trial
from node.cli.progress import progress_bar
from node.face.vision.arrays import Floats
from node.face.vision.limits import Limits
from node.face.vision.models import DetectorModels, FaceModels, Network

_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_NEW_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)
# What takes little time to film, so that more people can be shown.
_CHEAP: Final = (Attack.PHOTO, Attack.MOVED_PHOTO, Attack.FLAT_PRINT, Attack.BENT_PRINT)
_MOST_PASSED: Final = 0.02
_MOST_REFUSED: Final = 0.1
_KINDS: Final = (LIVE, *(attack.value for attack in Attack))


@click.group()
def main() -> None:
    """Calibrate and measure the face test."""


@main.command()
@click.option("--sets", type=_FOLDER, required=True, help="portraits/, match/NAME/PERSON/.")
@click.option("--people", default=12, show_default=True, help="How many portraits are filmed.")
@click.option("--films", type=_NEW_FOLDER, help="Keep what was read of the clips.")
@click.option("--terms", default="", help="Whose faces these are, for the file.")
@click.option("--out", type=_FILE, default=calibration.FILE, show_default=True)
def calibrate(sets: Path, people: int, films: Path | None, terms: str, out: Path) -> None:
    """Set the thresholds on every second portrait and person, and on the free faces.

    Of none of them anything is reported where there are portraits.
    """
    models, limits = FaceModels.load(), Limits()
    cast = calibration_cast(models, sets / "portraits", most=people, films=films)
    cast += free_cast(models)
    studio = Studio(models, limits, cast, films)
    with progress_bar("filming", total=len(cast)) as advance:
        clips = []
        for place in range(len(cast)):
            clips.append(studio.calibration_clips(place))
            advance(1)
    samples = calibration.samples_of(clips)
    about: dict[str, Any] = {"portraits": [person.name for person in cast], "terms": terms}
    for folder in _subfolders(sets, "match"):
        faces, owners = _embedded(models, folder, films, held_out=False)
        samples["match.portrait"] = calibration.portrait_samples(*pair_scores(faces, owners))
        about[f"match, {folder.name}"] = f"{len(np.unique(owners))} people, {len(faces)} pictures"
    calibration.keep(out, samples, about | {"machine": asdict(read_machine(out.parent))})
    thresholds, kept = calibration.read(out)
    for name, found in thresholds.items():
        now = calibration.limit_of(limits, name)
        click.echo(f"{name:28} {found:8} now {now:8} {kept[name].summary}")


@main.command()
@click.option("--sets", type=_FOLDER, help="portraits/, match/NAME/PERSON/, "
              "detector/NAME/{real,fake}/; the free faces alone otherwise.")  # fmt: skip
@click.option("--people", default=12, show_default=True, help="Of how many every kind of trial "
              "is filmed.")  # fmt: skip
@click.option("--living", default=24, show_default=True, help="Of how many more living faces, "
              "photographs and prints.")  # fmt: skip
@click.option("--more", default=147, show_default=True, help="Of how many more photographs and "
              "prints, and nothing else.")  # fmt: skip
@click.option("--live", default=2, show_default=True, help="Tests of each living face.")
@click.option("--draws", default=REPLAY_DRAWS, show_default=True, help="Challenges replayed to.")
@click.option("--minutes", default=600.0, help="Film for so long; what there is, is reported on.")
@click.option("--short", is_flag=True, help="The free faces alone, and 500 draws.")
@click.option("--films", type=_NEW_FOLDER, help="Keep what was read; go on with what is there.")
@click.option("--detector", type=_FOLDER, help="Weights of `make face-train OUT=`.")
@click.option("--json", "json_file", type=_FILE)
@click.option("--plots", type=_FOLDER)
def evaluate(
    sets: Path | None,
    people: int,
    living: int,
    more: int,
    live: int,
    draws: int,
    minutes: float,
    *,
    short: bool,
    films: Path | None,
    detector: Path | None,
    json_file: Path | None,
    plots: Path | None,
) -> None:
    """Measure on people who set no threshold, print, and keep the figures."""
    models, limits = _load(detector), Limits()
    portraits = sets / "portraits" if sets and not short else None
    if portraits and portraits.is_dir():
        cast = held_out_cast(models, portraits, apart_from=calibration.portraits(), films=films)[
            : people + living + more
        ]
    else:
        cast = free_cast(models)
    # The detector is measured by itself: in a trial it has no word.
    studio = Studio(replace(models, detector=None), limits, cast, films)
    plan = _plan(len(cast), people, living)
    trials = _film(studio, cast, plan, live, time.monotonic() + 60 * minutes)
    if not any(trial.kind == LIVE for own in trials.values() for trial in own):
        raise click.ClickException("no living face was filmed; give it more --minutes")
    verdicts = Verdicts(limits)
    faces = {person.name: person.portrait for person in cast if person.name in trials}
    figures = {"whole tests": measure_trials(trials)}
    figures["whole tests"] |= measure_wrong_actions(trials, verdicts)
    figures["whole tests"] |= measure_wrong_person(trials, faces, limits)
    figures["whole tests"] |= measure_replay(
        trials, faces, limits, verdicts, draws=500 if short else draws
    )
    curves = {}
    for folder in _subfolders(sets, "match"):
        calibrated = _embedded(models, folder, films, held_out=False)
        held_out = _embedded(models, folder, films, held_out=True)
        everybody = (
            np.concatenate([calibrated[0], held_out[0]]),
            np.concatenate([calibrated[1], held_out[1] + calibrated[1].max() + 1]),
        )
        figures[f"match, {folder.name}"] = {
            **{f"{name}, everybody": each for name, each in measure_match(*everybody).items()},
            **{f"{name}, held out": each for name, each in measure_match(*held_out).items()},
            **measure_threshold(*held_out, limits.match.portrait),
        }
        curves[folder.name] = pair_scores(*everybody)
    if models.detector and sets and (sets / "detector").is_dir():
        total = sum(1 for _ in (sets / "detector").rglob("*"))
        with progress_bar("detector", total=total) as advance:
            figures["detector"] = measure_detector(models, sets / "detector", advance)
    cost = measure_cost(FaceModels.load())
    _show(figures, cost)
    if json_file:
        _keep(json_file, figures, cost, models.detector, limits)
    if plots:
        _plot(plots, figures, curves)


@main.command()
def cost() -> None:
    """Measure what a test costs, and nothing else."""
    click.echo(json.dumps(measure_cost(FaceModels.load())))


@main.command()
@click.argument("file", type=_FILE)
def report(file: Path) -> None:
    """Print what `evaluate --json` kept as tables of Markdown."""
    for line in tables(json.loads(file.read_text("utf-8"))):
        click.echo(line)


def _load(detector: Path | None) -> FaceModels:
    models = FaceModels.load()
    if detector is None:
        return models
    networks = DetectorModels(
        appearance=Network((detector / "detector_appearance.onnx").read_bytes()),
        motion=Network((detector / "detector_motion.onnx").read_bytes()),
        card=json.loads((detector / "detector_card.json").read_text("utf-8")),
    )
    return replace(models, detector=networks)


def _plan(cast: int, people: int, living: int) -> list[tuple[int, str]]:
    """Return who is filmed at what, the most telling first: a run may end before the last."""
    first, second = range(min(people, cast)), range(people, min(people + living, cast))
    return [
        *((place, kind) for place in first for kind in _KINDS),
        *((place, LIVE) for place in second),
        *((place, kind) for place in range(people, cast) for kind in _CHEAP),
    ]


def _film(
    studio: Studio,
    cast: Sequence[Person],
    plan: Sequence[tuple[int, str]],
    live: int,
    until: float,
) -> dict[str, list[Trial]]:
    """Return the trials of a plan, up to where the time ended."""
    trials: dict[str, list[Trial]] = {}
    with progress_bar("filming", total=len(plan)) as advance:
        for place, kind in plan:
            own = []
            for take in range(live if kind == LIVE else 1):
                if time.monotonic() > until:
                    return trials
                own.append(studio.trial(place, kind, take))
            trials.setdefault(cast[place].name, []).extend(own)
            advance(1)
    return trials


def _embedded(
    models: FaceModels, folder: Path, films: Path | None, *, held_out: bool
) -> tuple[Floats, NDArray[np.int64]]:
    """Return the embeddings and owners of every second person of a set."""
    people = people_of(folder)
    names = sorted(people)[1 if held_out else 0 :: 2]
    chosen = {name: people[name] for name in names}
    name = f"match-{folder.name}-{held_out}"
    with progress_bar(f"match, {folder.name}", total=sum(map(len, chosen.values()))) as advance:
        faces, owners, missed = kept(films, name, lambda: embed_people(models, chosen, advance))
    if missed:
        click.echo(f"{folder.name}: {missed} pictures showed no face")
    return faces, owners


def _subfolders(sets: Path | None, name: str) -> list[Path]:
    root = sets / name if sets else None
    return sorted(p for p in root.iterdir() if p.is_dir()) if root and root.is_dir() else []


def _show(figures: Mapping[str, Mapping[str, Rate]], cost: Mapping[str, float]) -> None:
    for part, rates in figures.items():
        click.echo(f"\n{part}")
        for name, found in rates.items():
            click.echo(f"  {name:58} {percent(found)} {found.text}")
    replay = figures["whole tests"][REPLAY]
    click.echo(
        f"\nA series of {RULES.length}, {RULES.most_missed} missed at most: a wrong challenge has "
        f"{bits(replay.value):.1f} bits, at least {bits(replay.high):.1f}"
    )
    for limit in (_MOST_PASSED, _MOST_REFUSED):
        click.echo(
            f"An interval that ends at {limit:.0%} takes {needed(limit)} people without error"
        )
    click.echo(f"cost: {json.dumps(dict(cost))}")


def _keep(
    path: Path,
    figures: Mapping[str, Mapping[str, Rate]],
    cost: Mapping[str, float],
    detector: DetectorModels | None,
    limits: Limits,
) -> None:
    kept = {
        "machine": asdict(read_machine(path.parent)),
        "rules": asdict(RULES),
        "limits": asdict(limits),
        "figures": {
            part: {name: asdict(found) for name, found in rates.items()}
            for part, rates in figures.items()
        },
        "cost": dict(cost),
        "detector_card": detector.card if detector else None,
    }
    path.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")


def _plot(
    folder: Path, figures: Mapping[str, Mapping[str, Rate]], curves: Mapping[str, tuple]
) -> None:
    tests = figures["whole tests"]
    attacks = {name: found for name, found in tests.items() if name.startswith("APCER, ")}
    plot_rates(folder / "face-attacks.png", "attacks, whole tests", attacks, _MOST_PASSED)
    prompts = {name: found for name, found in tests.items() if name.startswith("BPCER")}
    plot_rates(folder / "face-refusals.png", "living faces refused", prompts, _MOST_REFUSED)
    if curves:
        plot_trade_off(folder / "face-match.png", "face match", curves)
    if "detector" in figures:
        areas = {n: found for n, found in figures["detector"].items() if n.startswith("AUC")}
        plot_rates(folder / "face-detector.png", "deepfake detector, area under curve", areas, 0.8)


if __name__ == "__main__":
    main()

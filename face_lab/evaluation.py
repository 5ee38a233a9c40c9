"""What `make face-eval` measures, part by part. Each part gives rates by name."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from client_sdk.face.prompts import TURNS, Prompt
from face_lab.detector_data import Samples, read_samples, sources_of_folder
from face_lab.people import read_picture
from face_lab.rates import (
    Rate,
    area_under_curve,
    bootstrap,
    equal_error_rate,
    non_match_at,
    rate,
)
from face_lab.recordings import LIVE, Verdicts
from face_lab.trials import Trial, choosing, replaying, run_trial
from node.face.vision.arrays import Floats
from node.face.vision.embedding import embed_portrait
from node.face.vision.judge import likeness
from node.face.vision.limits import Limits
from node.face.vision.models import DetectorModels, FaceModels

REPLAY_DRAWS: Final = 20_000
_FALSE_MATCH: Final = 0.001
REPLAY: Final = "APCER, replay of another test"
CHOICE: Final = "APCER, replay of what fits"

Advance = Callable[[int], None]
# Of each person what was filmed.
Trials = Mapping[str, Sequence[Trial]]


def measure_trials(trials: Trials) -> dict[str, Rate]:
    """Return the rates of whole tests, and of the single prompts in them.

    Args:
        trials: Of each person what was filmed.
    """
    rates: dict[str, Rate] = {}
    kinds = sorted({trial.kind for of_one in trials.values() for trial in of_one})
    for kind in (LIVE, *(kind for kind in kinds if kind != LIVE)):
        wrong = "BPCER" if kind == LIVE else f"APCER, {kind}"
        own = list(
            filter(None, ([t for t in of_one if t.kind == kind] for of_one in trials.values()))
        )
        refused = [trial.reasons[0] for of_one in own for trial in of_one if trial.reasons]
        told = ", ".join(f"{reason} {count}" for reason, count in Counter(refused).most_common())
        rates[wrong] = _over_people(
            [[trial.passed is (kind != LIVE) for trial in of_one] for of_one in own],
            text=f"refused for: {told or 'nothing'}",
        )
        rates |= _rates_of_prompts(kind, [trial for of_one in own for trial in of_one])
    return rates


def _rates_of_prompts(kind: str, trials: Sequence[Trial]) -> dict[str, Rate]:
    shown = [each for trial in trials for each in trial.shown]
    groups: Mapping[str, Iterable[Prompt]] = {str(prompt): (prompt,) for prompt in Prompt}
    if kind != LIVE:
        groups = {"turn": TURNS, "expression": set(Prompt) - TURNS}
    rates = {}
    for name, prompts in groups.items():
        some = [each for each in shown if each.asked in prompts]
        if some:
            wrong = sum((not each.reasons) is (kind != LIVE) for each in some)
            label = "BPCER" if kind == LIVE else "APCER"
            rates[f"{label} of one prompt, {kind}, {name}"] = rate(wrong, len(some))
    return rates


def measure_wrong_actions(trials: Trials, verdicts: Verdicts) -> dict[str, Rate]:
    """Return how often one prompt is taken for followed by what was done for another."""
    outcomes = [
        [
            not verdicts.of(each.recording, asked)
            for trial in of_one
            if trial.kind == LIVE
            for each in trial.shown
            for asked in Prompt
            if asked is not each.recording.prompt
        ]
        for of_one in trials.values()
    ]
    return {"wrong action accepted, one prompt": _over_people([each for each in outcomes if each])}


def measure_wrong_person(
    trials: Trials, portraits: Mapping[str, Floats], limits: Limits
) -> dict[str, Rate]:
    """Return how often a person who follows every prompt passes with another's portrait."""
    outcomes = []
    for name, of_one in trials.items():
        others = [portrait for other, portrait in portraits.items() if other != name]
        own = []
        # Who did not pass as himself does not pass as somebody else.
        for trial in (t for t in of_one if t.kind == LIVE and t.passed):
            faces = [
                each.recording.faces.rest
                for each in trial.shown
                if not each.reasons and each.recording.faces is not None
            ]
            found = [likeness(portrait, faces) or 0.0 for portrait in others]
            own += [cosine >= limits.match.portrait for cosine in found]
        if own:
            outcomes.append(own)
    return {"APCER, wrong person": _over_people(outcomes)} if outcomes else {}


def measure_replay(
    trials: Trials,
    portraits: Mapping[str, Floats],
    limits: Limits,
    verdicts: Verdicts,
    *,
    draws: int,
) -> dict[str, Rate]:
    """Return how often the recording of a test answers another one.

    Nothing is filmed anew: what was read of each person's tests is shown to challenges that are
    drawn afresh. A player shows a test's prompts in their order, and then those of the person's
    other tests. A program that poses as a camera shows of one test whatever fits.

    Args:
        trials: What was filmed of each person.
        portraits: The embedding of each person's portrait.
        limits: The thresholds.
        verdicts: What is known of the recordings under them.
        draws: How many challenges.
    """
    rng = np.random.default_rng(11)
    recorded = {
        name: [[each.recording for each in t.shown] for t in of_one if t.kind == LIVE]
        for name, of_one in trials.items()
    }
    names = sorted(name for name, tests in recorded.items() if tests)
    outcomes: dict[str, dict[str, list[bool]]] = {
        REPLAY: {name: [] for name in names},
        CHOICE: {name: [] for name in names},
    }
    for _ in range(draws):
        name = names[int(rng.integers(len(names)))]
        tests = recorded[name]
        first = int(rng.integers(len(tests)))
        order = [*tests[first], *(r for k, t in enumerate(tests) if k != first for r in t)]
        for attack, actor in ((REPLAY, replaying(order)), (CHOICE, choosing(tests[first]))):
            trial = run_trial(
                attack,
                actor,
                portrait=portraits[name],
                limits=limits,
                verdicts=verdicts,
                rng=rng,
            )
            outcomes[attack][name].append(trial.passed)
    return {
        attack: _over_people([each for each in of_all.values() if each])
        for attack, of_all in outcomes.items()
    }


def _over_people(outcomes: Sequence[Sequence[bool]], *, text: str = "") -> Rate:
    """A rate over trials; its interval is over people, who are what was sampled."""
    means = np.array([np.mean(person) for person in outcomes])
    trials = sum(map(len, outcomes))
    told = f"trials, {len(means)} people" + (f"; {text}" if text else "")
    if means.min() == means.max() and means[0] in {0, 1}:
        # The draw of people always finds the same: what is known is of so many people.
        exact = rate(int(means.sum()), len(means))
        return Rate(
            value=exact.value, low=exact.low, high=exact.high, trials=trials, text=told
        )  # fmt: skip
    hits, counts = np.array([sum(p) for p in outcomes]), np.array([len(p) for p in outcomes])
    return bootstrap(
        lambda drawn: float(hits[drawn].sum() / counts[drawn].sum()), len(means), text=told,
        trials=trials,
    )  # fmt: skip


def embed_people(
    models: FaceModels, people: Mapping[str, Sequence[Path]], advance: Advance
) -> tuple[Floats, NDArray[np.int64], int]:
    """Return the embeddings of people's pictures, whose they are, and how many showed no face."""
    found, owners, missed = [], [], 0
    for person, paths in enumerate(people.values()):
        for path in paths:
            picture = read_picture(path)
            face = None if picture is None else embed_portrait(models, picture)
            if face is None:
                missed += 1
            else:
                found.append(face)
                owners.append(person)
            advance(1)
    return np.array(found), np.array(owners), missed


def pair_scores(faces: Floats, owners: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return the cosines of all pairs of one person, and of all pairs of two."""
    cosines = faces @ faces.T
    upper = np.triu(np.ones_like(cosines, dtype=bool), 1)
    same = owners[:, None] == owners[None, :]
    return cosines[upper & same], cosines[upper & ~same]


def measure_match(faces: Floats, owners: NDArray[np.int64]) -> dict[str, Rate]:
    """Return EER and FNMR at FMR 0.1 %, with intervals over people."""
    genuine, impostor = pair_scores(faces, owners)
    text = f"{len(genuine):,} genuine and {len(impostor):,} impostor pairs"
    people = np.unique(owners)
    cosines = faces @ faces.T

    def scores(drawn: NDArray[np.int64]) -> tuple[Floats, Floats]:
        rows = [np.flatnonzero(owners == people[k]) for k in drawn]
        places = np.concatenate(rows)
        # A person who was drawn twice is two; pairs of the two are of neither kind.
        labels = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
        chosen = cosines[np.ix_(places, places)]
        upper = np.triu(np.ones_like(chosen, dtype=bool), 1)
        same = labels[:, None] == labels[None, :]
        apart = owners[places][:, None] != owners[places][None, :]
        return chosen[upper & same], chosen[upper & apart]

    return {
        "EER": bootstrap(
            lambda drawn: equal_error_rate(*scores(drawn))[0], len(people), text=text,
            trials=len(genuine), rounds=60,
        ),
        "FNMR at FMR 0.1 %": bootstrap(
            lambda drawn: non_match_at(*scores(drawn), _FALSE_MATCH)[0], len(people), text=text,
            trials=len(genuine), rounds=60,
        ),
    }  # fmt: skip


def measure_threshold(
    faces: Floats, owners: NDArray[np.int64], threshold: float
) -> dict[str, Rate]:
    """Return FMR and FNMR at a threshold that was set on other people."""
    people = np.unique(owners)
    cosines = faces @ faces.T
    upper = np.triu(np.ones_like(cosines, dtype=bool), 1)
    same = owners[:, None] == owners[None, :]
    rates = {}
    for name, pairs, wrong in (
        ("FNMR", upper & same, cosines < threshold),
        ("FMR", upper & ~same, cosines >= threshold),
    ):
        outcomes = [
            wrong[pairs & (owners[:, None] == person)].tolist() for person in people.tolist()
        ]
        rates[f"{name} at the threshold of {threshold}"] = _over_people(
            [each for each in outcomes if each]
        )
    return rates


def measure_detector(models: FaceModels, folder: Path, advance: Advance) -> dict[str, Rate]:
    """Return AUC and EER of the shipped detector on every set of a folder."""
    networks = models.detector
    assert networks is not None, "there are no weights: make face-train"
    sources = sources_of_folder(folder, networks.card.get("side"))
    samples = read_samples(models, sources, networks.appearance, advance=advance)
    labels = np.array([source.is_fake for source in sources])
    names = np.array([source.set_name for source in sources])
    scores = score_sources(networks, samples, len(sources))
    rates = {}
    for name in sorted(set(names.tolist())):
        chosen = (names == name) & ~np.isnan(scores)
        values, fake = scores[chosen], labels[chosen]
        if fake.all() or not fake.any():
            continue
        text = f"{int((~fake).sum())} real, {int(fake.sum())} fake"
        rates[f"AUC, {name}"] = bootstrap(
            _on_drawn(area_under_curve, values, fake), len(values), text=text,
            trials=len(values),
        )  # fmt: skip
        rates[f"EER, {name}"] = bootstrap(
            _on_drawn(lambda p, n: equal_error_rate(p, n)[0], values, fake), len(values),
            text=text, trials=len(values),
        )  # fmt: skip
    return rates


def _on_drawn(
    figure: Callable[[Floats, Floats], float], values: Floats, positive: NDArray[np.bool_]
) -> Callable[[NDArray[np.int64]], float]:
    def of(drawn: NDArray[np.int64]) -> float:
        some = positive[drawn]
        if some.all() or not some.any():
            return float("nan")
        return figure(values[drawn][some], values[drawn][~some])

    return of


def score_sources(networks: DetectorModels, samples: Samples, count: int) -> Floats:
    """Return the detector's score of each source; not a number where no face was found.

    Args:
        networks: The detector.
        samples: What it saw; of the first stream its log-odds.
        count: How many sources there are.
    """
    looks = _means(samples.appearance.reshape(-1), samples.owners, count)
    moves = _means(
        np.array([networks.motion.run(x[None])[0].item() for x in samples.motion]),
        samples.movers,
        count,
    )
    weights: Mapping[str, float] = networks.card["fusion"]
    total = weights["bias"] + weights["appearance"] * looks
    total = total + weights["motion"] * np.nan_to_num(moves, nan=weights["motion_mean"])
    return np.asarray(1 / (1 + np.exp(-total)), dtype=np.float32)


def _means(values: Floats, owners: NDArray[np.int64], count: int) -> Floats:
    sums = np.bincount(owners, values, minlength=count) if len(values) else np.zeros(count)
    seen = np.bincount(owners, minlength=count)
    return np.where(seen > 0, sums / np.maximum(seen, 1), np.nan).astype(np.float32)

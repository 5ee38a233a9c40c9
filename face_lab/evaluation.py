"""What `make face-eval` measures, part by part. Each part gives rates by name."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from client_sdk.face.prompts import TURNS, Prompt
from face_lab.clips import Attack, attack_clip, live_clip
from face_lab.detector_data import read_samples, sources_of_folder
from face_lab.people import people_of, read_picture
from face_lab.performer import Performer
from face_lab.rates import (
    Rate,
    area_under_curve,
    bootstrap,
    equal_error_rate,
    non_match_at,
    rate,
)
from face_lab.recordings import Recording, read_clip
from face_lab.sessions import Rules, Sessions
from node.errors import ImageError
from node.face.vision.arrays import Floats, Image
from node.face.vision.embedding import embed_portrait
from node.face.vision.limits import Limits
from node.face.vision.models import FaceModels

RULES: Final = Rules(length=5, most_missed=1)
REPLAY_DRAWS: Final = 20_000
_FALSE_MATCH: Final = 0.001

Advance = Callable[[int], None]


def film(
    models: FaceModels,
    photographs: Sequence[Image],
    *,
    live_each: int,
    attacks: Sequence[Attack],
    limits: Limits,
    advance: Advance,
) -> list[Recording]:
    """Render and read the clips of every person: each prompt followed, and each attack on it."""
    recordings = []
    performers = []
    for photograph in photographs:
        try:
            performers.append(Performer(models, photograph))
        except ImageError:
            advance(1)
    for person, performer in enumerate(performers):
        other = performers[(person + 1) % len(performers)]
        for place, prompt in enumerate(Prompt):
            for take in range(live_each):
                rng = np.random.default_rng((person, place, take))
                clip = live_clip(performer, prompt, rng)
                recordings.append(
                    read_clip(models, clip, person=person, prompt=prompt, attack="live",
                              limits=limits)
                )  # fmt: skip
            for attack in attacks:
                rng = np.random.default_rng((person, place, 100 + list(Attack).index(attack)))
                clip = attack_clip(attack, performer, prompt, rng, other=other)
                recordings.append(
                    read_clip(models, clip, person=person, prompt=prompt, attack=attack.value,
                              limits=limits, with_lids=prompt is Prompt.BLINK)
                )  # fmt: skip
        advance(1)
    return recordings


def measure_prompts(
    recordings: Sequence[Recording], limits: Limits, *, draws: int, rules: Rules = RULES
) -> dict[str, Rate]:
    """Return the rates of single prompts and of whole tests."""
    rates: dict[str, Rate] = {}
    rng = np.random.default_rng(11)
    sessions = Sessions(recordings, limits, rng)
    people = sorted({recording.person for recording in recordings})
    live = [recording for recording in recordings if recording.attack == "live"]
    for prompt in Prompt:
        own = [recording for recording in live if recording.prompt is prompt]
        hits = sum(sessions.accepts(recording, prompt) for recording in own)
        rates[f"prompt followed, accepted: {prompt}"] = rate(hits, len(own))
    wrong = [(r, asked) for r in live for asked in Prompt if asked is not r.prompt]
    rates["wrong action accepted, one prompt"] = rate(
        sum(sessions.accepts(r, asked) for r, asked in wrong), len(wrong)
    )
    attacks = sorted({recording.attack for recording in recordings} - {"live"})
    for attack in attacks:
        shown = [recording for recording in recordings if recording.attack == attack]
        for name, kind in (("turn", TURNS), ("expression", set(Prompt) - TURNS)):
            some = [recording for recording in shown if recording.prompt in kind]
            rates[f"APCER of one prompt, {attack}, {name}"] = rate(
                sum(sessions.accepts(r, r.prompt) for r in some), len(some)
            )
    each = max(1, draws // len(people))
    rates["BPCER"] = _by_person(
        [[not sessions.run(rules, sessions.follower(p)) for _ in range(each)] for p in people]
    )
    for attack in attacks:
        rates[f"APCER, {attack}"] = _by_person(
            [[sessions.run(rules, sessions.follower(p, attack)) for _ in range(each)]
             for p in people]
        )  # fmt: skip
    replays = [
        [sessions.run(rules, sessions.replayer(p, rules)) for _ in range(each)] for p in people
    ]
    hits = sum(map(sum, replays))
    rates["APCER, replay of another test"] = rate(hits, each * len(people))
    return rates


def _by_person(outcomes: Sequence[Sequence[bool]]) -> Rate:
    """A rate over drawn tests; its interval is over people, who are what was sampled."""
    means = np.array([np.mean(person) for person in outcomes])
    trials = sum(map(len, outcomes))
    return bootstrap(
        lambda drawn: float(means[drawn].mean()), len(means),
        text=f"tests drawn of {len(means)} people", trials=trials,
    )  # fmt: skip


def embed_people(
    models: FaceModels, folder: Path, advance: Advance
) -> tuple[Floats, NDArray[np.int64], int]:
    """Return the embeddings of a set's pictures, whose they are, and how many showed no face."""
    found, owners, missed = [], [], 0
    for person, paths in enumerate(people_of(folder).values()):
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


def measure_detector(models: FaceModels, folder: Path, advance: Advance) -> dict[str, Rate]:
    """Return AUC and EER of the shipped detector on every set of a folder."""
    sources = sources_of_folder(folder)
    samples = read_samples(models, sources, advance=advance)
    labels = np.array([source.is_fake for source in sources])
    names = np.array([source.set_name for source in sources])
    scores = score_sources(models, samples.appearance, samples.owners, samples.motion,
                           samples.movers, len(sources))  # fmt: skip
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


def score_sources(
    models: FaceModels,
    appearance: NDArray[np.uint8],
    owners: NDArray[np.int64],
    motion: Floats,
    movers: NDArray[np.int64],
    count: int,
) -> Floats:
    """Return the detector's score of each source; not a number where no face was found."""
    networks = models.detector
    assert networks is not None, "there are no weights: make face-train"
    looks = _means([networks.appearance.run((x / np.float32(255))[None])[0] for x in appearance],
                   owners, count)  # fmt: skip
    moves = _means([networks.motion.run(x[None])[0] for x in motion], movers, count)
    weights: Mapping[str, float] = networks.card["fusion"]
    total = weights["bias"] + weights["appearance"] * looks
    total = total + weights["motion"] * np.nan_to_num(moves, nan=weights["motion_mean"])
    return np.asarray(1 / (1 + np.exp(-total)), dtype=np.float32)


def _means(values: Sequence[Floats], owners: NDArray[np.int64], count: int) -> Floats:
    flat = np.array([float(value.reshape(-1)[0]) for value in values])
    sums = np.bincount(owners, flat, minlength=count) if len(flat) else np.zeros(count)
    seen = np.bincount(owners, minlength=count)
    return np.where(seen > 0, sums / np.maximum(seen, 1), np.nan).astype(np.float32)

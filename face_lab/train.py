"""`make face-train`: the deepfake detector's two networks, from a folder of data, in one command.

Trains on two thirds of the people, chooses and weighs on a sixth, reports on the last sixth and,
where sets are held out whole, on those. Writes the networks, their card, and the curves.
"""

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from itertools import islice, product
from pathlib import Path
from typing import Any, Final

import click
import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from face_lab.build_models import halve_weights
from face_lab.curves import plot_calibration, plot_losses
from face_lab.detector_data import (
    Samples,
    Source,
    join_samples,
    made_sources,
    read_samples,
    sources_of_folder,
)
from face_lab.films import kept
from face_lab.manifest import DATA, write_manifest
from face_lab.people import find_people, find_pictures, free_cast
from face_lab.rates import area_under_curve, bootstrap, equal_error_rate
from face_lab.swaps import Swap
from face_lab.texture import build_statistics, weigh, with_weights
from node.cli.progress import progress_bar
from node.face.vision.arrays import Floats
from node.face.vision.models import FaceModels, Network

_OPSET: Final = 17
_BATCH: Final = 64
_READ_AT_ONCE: Final = 40


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="A folder of sets: NAME/{real,fake}/.")  # fmt: skip
@click.option("--faces", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="Portraits to make swaps of: half of them `blended`, half `poisson`. With "
              "neither --data nor --faces the free faces are taken.")  # fmt: skip
@click.option("--side", type=int, help="Make each picture of --data so many pixels long, and "
              "encode it at one quality, before it is read.")  # fmt: skip
@click.option("--most-faces", default=80, show_default=True)
@click.option("--hold-out", multiple=True, help="A set that is only tested on; several times.")
@click.option("--epochs", default=12, show_default=True)
@click.option("--clips", type=int, help="Made clips of each face; 1, and 28 of the free ones.")
@click.option("--seed", default=1, show_default=True)
@click.option("--films", type=click.Path(path_type=Path), help="Keep what was read of the data.")
@click.option("--out", type=click.Path(path_type=Path), default=DATA, show_default=True)
@click.option("--plots", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--terms", default="clips of two free photographs, split by clip",
              help="On what terms the data may be used, for the card.")  # fmt: skip
def main(
    data: Path | None,
    faces: Path | None,
    side: int | None,
    most_faces: int,
    hold_out: tuple[str, ...],
    epochs: int,
    clips: int | None,
    seed: int,
    films: Path | None,
    out: Path,
    plots: Path | None,
    terms: str,
) -> None:
    """Train the detector anew."""
    keras.utils.set_random_seed(seed)
    models = FaceModels.load()
    sources = _sources(models, data, side, faces, most_faces, clips, films)
    statistics = build_statistics()
    samples = _read(models, sources, Network(statistics.SerializeToString()), side, seed, films)
    splits = _split(sources, set(hold_out), np.random.default_rng(seed))
    labels = np.array([source.is_fake for source in sources], np.float32)
    # Of pictures as they are: of worn ones it learns less, and knows no more of worn ones then.
    trained = (splits[samples.owners] == "train") & ~samples.worn
    weights, bias = weigh(samples.appearance[trained], labels[samples.owners[trained]] > 0)
    looks = samples.appearance @ weights + bias
    motion, moved = _fit(
        _network((32, 32, 4), (16, 32, 64)), samples.motion, samples.movers, labels, splits, epochs
    )
    moves = motion.predict(samples.motion, batch_size=256, verbose=0)[:, 0]
    scores = {
        worn: np.stack([
            _mean_by_source(looks, samples.owners, samples.worn == worn, len(sources)),
            _mean_by_source(moves, samples.movers, samples.worn_moves == worn, len(sources)),
        ])
        for worn in (False, True)
    }  # fmt: skip
    fusion = _weigh(scores, labels, splits == "validate")
    card = _card(sources, labels, splits, scores, fusion)
    card |= {"terms": terms, "seed": seed, "epochs": epochs, "side": side}
    out.mkdir(parents=True, exist_ok=True)
    onnx.save(with_weights(statistics, weights, bias), out / "detector_appearance.onnx")
    _export(motion, (1, 32, 32, 4), out / "detector_motion.onnx")
    (out / "detector_card.json").write_text(json.dumps(card, indent=2) + "\n", "utf-8")
    if out == DATA:
        names = ("detector_appearance.onnx", "detector_motion.onnx", "detector_card.json")
        write_manifest(
            [{"file": name, "origin": f"face_lab.train, {terms}", "licence": "Apache-2.0"}
             for name in names]
        )  # fmt: skip
    if plots:
        plot_losses(plots / "face-detector-training.png", {"motion": moved})
        tested = splits == "test"
        plot_calibration(
            plots / "face-detector-calibration.png", _fused(scores[True], fusion)[tested],
            labels[tested],
        )  # fmt: skip
    click.echo(json.dumps(card["sets"], indent=2))


def _sources(
    models: FaceModels,
    data: Path | None,
    side: int | None,
    faces: Path | None,
    most_faces: int,
    clips: int | None,
    films: Path | None,
) -> list[Source]:
    found = sources_of_folder(data, side) if data else []
    if faces:
        found_people = find_people(models, find_pictures(faces), films)
        people = list(islice((p for p in found_people if p.is_calm), most_faces))
        # A kind of swap that is held out has other people, too.
        found += made_sources(people[::2], clips or 1, Swap.BLENDED)
        found += made_sources(people[1::2], clips or 1, Swap.POISSON)
    if not found:
        found = made_sources(free_cast(models), clips or 28, Swap.BLENDED, split_by_clip=True)
    return found


def _read(
    models: FaceModels,
    sources: Sequence[Source],
    look: Network,
    side: int | None,
    seed: int,
    films: Path | None,
) -> Samples:
    """Read some sources after the other, so that a run that is cut off goes on at the next ones."""
    parts = []
    with progress_bar("reading the faces", total=len(sources)) as advance:
        for start in range(0, len(sources), _READ_AT_ONCE):
            some = sources[start : start + _READ_AT_ONCE]
            rng = np.random.default_rng((seed, start))
            parts.append((len(some), kept(
                films, f"texture-{_digest(some, side)}",
                lambda some=some, rng=rng: read_samples(
                    models, some, look, rng=rng, advance=advance
                ),
            )))  # fmt: skip
    return join_samples(parts)


def _digest(sources: Sequence[Source], side: int | None) -> str:
    told = [(source.set_name, source.person, source.is_fake) for source in sources]
    return hashlib.sha256(repr((told, side)).encode()).hexdigest()[:12]


def _split(
    sources: Sequence[Source], hold_out: set[str], rng: np.random.Generator
) -> NDArray[np.str_]:
    """Return of each source `train`, `validate`, `test` or `held_out`; a person is in one."""
    people = sorted({source.person for source in sources if source.set_name not in hold_out})
    order = rng.permutation(len(people))
    places = {people[index]: place / len(people) for place, index in enumerate(order)}
    names = []
    for source in sources:
        place = places.get(source.person, 1.0)
        part = "train" if place < 2 / 3 else "validate" if place < 5 / 6 else "test"
        names.append("held_out" if source.set_name in hold_out else part)
    return np.array(names)


def _network(shape: tuple[int, ...], widths: tuple[int, ...]) -> Any:
    """A small convolutional network with one log-odds as its output."""
    layers = keras.layers
    parts: list[Any] = [keras.Input(shape)]
    for width in widths:
        parts += [
            layers.Conv2D(width, 3, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
        ]
    parts += [layers.GlobalAveragePooling2D(), layers.Dropout(0.3), layers.Dense(1)]
    return keras.Sequential(parts)


def _fit(
    network: Any,
    inputs: Floats,
    owners: NDArray[np.int64],
    labels: Floats,
    splits: NDArray[np.str_],
    epochs: int,
) -> tuple[Any, dict[str, list[float]]]:
    """Train a network; keep the epoch that did best on the validation part."""
    parts = {}
    for name in ("train", "validate"):
        chosen = splits[owners] == name
        x, y = inputs[chosen], labels[owners[chosen]]
        if name == "train":
            # Sideways movement changes its sign in a mirror.
            mirror = np.array([-1, 1, -1, 1], np.float32)
            x, y = np.concatenate([x, x[:, :, ::-1] * mirror]), np.tile(y, 2)
        parts[name] = (x, y)
    y = parts["train"][1]
    network.compile(
        keras.optimizers.AdamW(1e-3, weight_decay=1e-3),
        keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.05),
    )
    with tempfile.TemporaryDirectory() as scratch:
        weights = str(Path(scratch) / "best.weights.h5")
        best = keras.callbacks.ModelCheckpoint(weights, save_best_only=True, save_weights_only=True)
        fitted = network.fit(
            *parts["train"], validation_data=parts["validate"], epochs=epochs, batch_size=_BATCH,
            class_weight={0: len(y) / (2 * (y == 0).sum()), 1: len(y) / (2 * (y == 1).sum())},
            callbacks=[best], verbose=2,
        )  # fmt: skip
        network.load_weights(weights)
    return network, {key: [float(v) for v in values] for key, values in fitted.history.items()}


def _mean_by_source(
    log_odds: Floats, owners: NDArray[np.int64], chosen: NDArray[np.bool_], count: int
) -> Floats:
    sums = np.bincount(owners[chosen], log_odds[chosen], minlength=count)
    seen = np.bincount(owners[chosen], minlength=count)
    return np.where(seen > 0, sums / np.maximum(seen, 1), np.nan).astype(np.float32)


def _weigh(
    scores: Mapping[bool, Floats], labels: Floats, chosen: NDArray[np.bool_]
) -> dict[str, float]:
    """Return how the two streams are added up, fitted on the validation part."""
    both = np.concatenate([each[:, chosen] for each in scores.values()], axis=1)
    fake = np.tile(labels[chosen], len(scores))
    usable = ~np.isnan(both[0])
    both, fake = both[:, usable], fake[usable]
    moving = ~np.isnan(both[1])
    motion_mean = float(both[1, moving].mean()) if moving.any() else 0.0
    filled = np.stack([both[0], np.nan_to_num(both[1], nan=motion_mean)], axis=1)
    fitted = LogisticRegression(C=1.0).fit(filled, fake)
    return {
        "bias": float(fitted.intercept_[0]),
        "appearance": float(fitted.coef_[0, 0]),
        "motion": float(fitted.coef_[0, 1]),
        "motion_mean": motion_mean,
    }


def _fused(scores: Floats, fusion: dict[str, float]) -> Floats:
    motion = np.nan_to_num(scores[1], nan=fusion["motion_mean"])
    total = fusion["bias"] + fusion["appearance"] * scores[0] + fusion["motion"] * motion
    return (1 / (1 + np.exp(-total))).astype(np.float32)


def _card(
    sources: Sequence[Source],
    labels: Floats,
    splits: NDArray[np.str_],
    scores: Mapping[bool, Floats],
    fusion: dict[str, float],
) -> dict[str, Any]:
    names = np.array([source.set_name for source in sources])
    figures = []
    for part, worn in product(("test", "held_out"), scores):
        streams = {
            "both": _fused(scores[worn], fusion),
            "appearance": scores[worn][0],
            "motion": scores[worn][1],
        }
        for set_name in sorted(set(names[splits == part])):
            chosen = (splits == part) & (names == set_name)
            entry: dict[str, Any] = {"set": set_name, "part": part, "encoded_again": worn}
            for stream, values in streams.items():
                usable = chosen & ~np.isnan(values)
                entry[stream] = _figures(values[usable], labels[usable])
            figures.append(entry)
    counts = {
        part: {
            set_name: {
                "real": int((labels[(splits == part) & (names == set_name)] == 0).sum()),
                "fake": int((labels[(splits == part) & (names == set_name)] == 1).sum()),
            }
            for set_name in sorted(set(names[splits == part]))
        }
        for part in sorted(set(splits))
    }
    return {"fusion": fusion, "counts": counts, "sets": figures, **_calibration(
        _fused(scores[True], fusion), labels, splits == "test")}  # fmt: skip


def _calibration(scores: Floats, labels: Floats, chosen: NDArray[np.bool_]) -> dict[str, float]:
    """Return Brier's score and the expected calibration error over ten bins, test part."""
    usable = chosen & ~np.isnan(scores)
    values, fake = scores[usable], labels[usable]
    places = np.clip((values * 10).astype(int), 0, 9)
    gaps = [
        abs(float(values[places == k].mean() - fake[places == k].mean())) * (places == k).mean()
        for k in set(places.tolist())
    ]
    return {
        "brier": round(float(((values - fake) ** 2).mean()), 4),
        "calibration_error": round(float(sum(gaps)), 4),
    }


def _figures(values: Floats, labels: Floats) -> dict[str, Any] | None:
    fake, real = values[labels == 1], values[labels == 0]
    if len(fake) < 2 or len(real) < 2:
        return None

    def area(drawn: NDArray[np.int64]) -> float:
        some = labels[drawn]
        if some.min() == some.max():
            return float("nan")
        return area_under_curve(values[drawn][some == 1], values[drawn][some == 0])

    found = bootstrap(area, len(values), text="sources", trials=len(values), rounds=200)
    return {
        "auc": round(found.value, 4), "low": round(found.low, 4), "high": round(found.high, 4),
        "eer": round(equal_error_rate(fake, real)[0], 4), "real": len(real), "fake": len(fake),
    }  # fmt: skip


def _export(network: Any, shape: tuple[int, ...], path: Path) -> None:
    signature = [tf.TensorSpec(shape, tf.float32, name="input")]
    model, _ = tf2onnx.convert.from_function(
        tf.function(lambda x: network(x, training=False)), signature, opset=_OPSET
    )
    onnx.save(halve_weights(model), path)


if __name__ == "__main__":
    main()

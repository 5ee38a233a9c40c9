"""`make face-train`: the deepfake detector's two networks, from a folder of data, in one command.

Trains on two thirds of the people of each set, chooses and weighs on a sixth, reports on the last
sixth and, where sets are held out whole, on those. Writes the networks, their card, and the curves.
"""

import json
import tempfile
from collections.abc import Sequence
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
    Source,
    made_sources,
    read_samples,
    sources_of_folder,
)
from face_lab.manifest import DATA, write_manifest
from face_lab.rates import area_under_curve, bootstrap, equal_error_rate
from node.cli.progress import progress_bar
from node.face.vision.arrays import Floats
from node.face.vision.models import FaceModels

_OPSET: Final = 17
_BATCH: Final = 64


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="A folder of sets; clips made of free faces otherwise.")  # fmt: skip
@click.option("--hold-out", multiple=True, help="A set that is only tested on; several times.")
@click.option("--epochs", default=12, show_default=True)
@click.option("--clips", default=28, show_default=True, help="Made clips of each face.")
@click.option("--seed", default=1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=DATA, show_default=True)
@click.option("--plots", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--terms", default="clips of two free photographs, split by clip",
              help="On what terms the data may be used, for the card.")  # fmt: skip
def main(
    data: Path | None,
    hold_out: tuple[str, ...],
    epochs: int,
    clips: int,
    seed: int,
    out: Path,
    plots: Path | None,
    terms: str,
) -> None:
    """Train the detector anew."""
    keras.utils.set_random_seed(seed)
    models = FaceModels.load()
    sources = sources_of_folder(data) if data else made_sources(models, clips)
    rng = np.random.default_rng(seed)
    with progress_bar("reading the faces", total=len(sources)) as advance:
        samples = read_samples(models, sources, rng=rng, advance=advance)
    splits = _split(sources, set(hold_out), rng)
    labels = np.array([source.is_fake for source in sources], np.float32)
    appearance, looked = _fit(
        _network((96, 96, 6), (16, 32, 64, 96)), samples.appearance, samples.owners,
        labels, splits, epochs, scale=1 / 255,
    )  # fmt: skip
    motion, moved = _fit(
        _network((32, 32, 4), (16, 32, 64)), samples.motion, samples.movers, labels, splits, epochs,
        scale=1.0,
    )  # fmt: skip
    scores = np.stack([
        _mean_by_source(appearance, samples.appearance, samples.owners, len(sources), 1 / 255),
        _mean_by_source(motion, samples.motion, samples.movers, len(sources), 1.0),
    ])  # fmt: skip
    fusion = _weigh(scores, labels, splits == "validate")
    card = _card(sources, labels, splits, scores, fusion)
    card |= {"terms": terms, "seed": seed, "epochs": epochs}
    out.mkdir(parents=True, exist_ok=True)
    _export(appearance, (1, 96, 96, 6), out / "detector_appearance.onnx")
    _export(motion, (1, 32, 32, 4), out / "detector_motion.onnx")
    (out / "detector_card.json").write_text(json.dumps(card, indent=2) + "\n", "utf-8")
    if out == DATA:
        names = ("detector_appearance.onnx", "detector_motion.onnx", "detector_card.json")
        write_manifest(
            [{"file": name, "origin": f"face_lab.train, {terms}", "licence": "Apache-2.0"}
             for name in names]
        )  # fmt: skip
    if plots:
        plot_losses(plots / "face-detector-training.png", {"appearance": looked, "motion": moved})
        tested = splits == "test"
        plot_calibration(
            plots / "face-detector-calibration.png", _fused(scores, fusion)[tested], labels[tested]
        )
    click.echo(json.dumps(card["sets"], indent=2))


def _split(
    sources: Sequence[Source], hold_out: set[str], rng: np.random.Generator
) -> NDArray[np.str_]:
    """Return of each source `train`, `validate`, `test` or `held_out`; a person is in one."""
    people = sorted({(source.set_name, source.person) for source in sources})
    order = rng.permutation(len(people))
    places = {people[index]: place / len(people) for place, index in enumerate(order)}
    names = []
    for source in sources:
        place = places[source.set_name, source.person]
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
    inputs: NDArray[Any],
    owners: NDArray[np.int64],
    labels: Floats,
    splits: NDArray[np.str_],
    epochs: int,
    *,
    scale: float,
) -> tuple[Any, dict[str, list[float]]]:
    """Train a network; keep the epoch that did best on the validation part."""
    parts = {}
    for name in ("train", "validate"):
        chosen = splits[owners] == name
        x, y = inputs[chosen].astype(np.float32) * scale, labels[owners[chosen]]
        if name == "train":
            x, y = np.concatenate([x, x[:, :, ::-1] * _mirror(x.shape[-1])]), np.tile(y, 2)
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


def _mirror(channels: int) -> Floats:
    """Sideways movement changes its sign in a mirror; colours do not."""
    return np.array([-1, 1, -1, 1] if channels == 4 else [1] * channels, np.float32)


def _mean_by_source(
    network: Any, inputs: NDArray[Any], owners: NDArray[np.int64], count: int, scale: float
) -> Floats:
    logits = network.predict(inputs.astype(np.float32) * scale, batch_size=256, verbose=0)
    sums = np.bincount(owners, logits[:, 0], minlength=count)
    seen = np.bincount(owners, minlength=count)
    return np.where(seen > 0, sums / np.maximum(seen, 1), np.nan).astype(np.float32)


def _weigh(scores: Floats, labels: Floats, chosen: NDArray[np.bool_]) -> dict[str, float]:
    """Return how the two streams are added up, fitted on the validation part."""
    motion_mean = float(np.nan_to_num(np.nanmean(scores[1, chosen])))
    usable = chosen & ~np.isnan(scores[0])
    both = np.stack([scores[0], np.nan_to_num(scores[1], nan=motion_mean)], axis=1)[usable]
    fitted = LogisticRegression(C=1.0).fit(both, labels[usable])
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
    scores: Floats,
    fusion: dict[str, float],
) -> dict[str, Any]:
    fused = _fused(scores, fusion)
    streams = {"both": fused, "appearance": scores[0], "motion": scores[1]}
    names = np.array([source.set_name for source in sources])
    figures = []
    for part in ("test", "held_out"):
        for set_name in sorted(set(names[splits == part])):
            chosen = (splits == part) & (names == set_name)
            entry: dict[str, Any] = {"set": set_name, "part": part}
            for stream, values in streams.items():
                usable = chosen & ~np.isnan(values)
                entry[stream] = _figures(values[usable], labels[usable])
            figures.append(entry)
    counts = {
        part: {"real": int((labels[splits == part] == 0).sum()),
               "fake": int((labels[splits == part] == 1).sum())}
        for part in sorted(set(splits))
    }  # fmt: skip
    return {"fusion": fusion, "counts": counts, "sets": figures}


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

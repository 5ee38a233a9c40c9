"""Pictures of what was measured."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from face_lab.rates import Rate
from node.face.vision.arrays import Floats

mpl.use("Agg")

_COLOURS = ("#1f6f8b", "#c9a227", "#8b3a1f", "#4f8b1f")
_INK, _GRID = "#333333", "#dddddd"


def plot_losses(path: Path, histories: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    """Draw each network's losses over the epochs."""
    count = len(histories)
    figure, axes = plt.subplots(
        1, count, figsize=(4.5 * count, 3.4), layout="constrained", squeeze=False
    )
    for axis, (name, history) in zip(axes[0], histories.items(), strict=True):
        epochs = np.arange(1, len(history["loss"]) + 1)
        axis.plot(epochs, history["loss"], color=_COLOURS[0], label="training")
        axis.plot(epochs, history["val_loss"], color=_COLOURS[1], label="validation")
        axis.set(title=name, xlabel="epoch", ylabel="cross-entropy")
        axis.legend(frameon=False)
        _plain(axis)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def plot_calibration(path: Path, scores: Floats, labels: Floats) -> None:
    """Draw how often a face is fake at each score."""
    figure, axis = plt.subplots(figsize=(4.4, 4), layout="constrained")
    edges = np.linspace(0, 1, 11)
    places = np.clip(np.digitize(scores, edges) - 1, 0, 9)
    means = [(scores[places == k].mean(), labels[places == k].mean()) for k in set(places.tolist())]
    axis.plot([0, 1], [0, 1], color=_GRID)
    axis.plot(*np.array(sorted(means)).T, "o-", color=_COLOURS[0])
    axis.set(xlabel="score", ylabel="part that is fake", title="calibration, test part")
    _plain(axis)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def plot_rates(path: Path, title: str, rates: Mapping[str, Rate], limit: float | None) -> None:
    """Draw rates with their intervals, and the target as a line."""
    figure, axis = plt.subplots(figsize=(8, 0.45 * len(rates) + 1.4), layout="constrained")
    places = np.arange(len(rates))[::-1]
    values = np.array([found.value for found in rates.values()])
    low = values - np.array([found.low for found in rates.values()])
    high = np.array([found.high for found in rates.values()]) - values
    axis.errorbar(
        values * 100, places, xerr=np.maximum([low, high], 0) * 100, fmt="o", color=_COLOURS[0],
        capsize=3,
    )  # fmt: skip
    if limit is not None:
        axis.axvline(limit * 100, color=_COLOURS[2], linestyle="--", label=f"target {limit:.2%}")
        axis.legend(frameon=False)
    axis.set_yticks(places, list(rates))
    axis.set(xlabel="%", title=title, xlim=(0, None))
    _plain(axis)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def plot_trade_off(path: Path, title: str, curves: Mapping[str, tuple[Floats, Floats]]) -> None:
    """Draw false non-match over false match, both on a logarithmic scale.

    Args:
        path: Where to.
        title: Of what.
        curves: For each set its genuine and impostor scores.
    """
    figure, axis = plt.subplots(figsize=(6, 4.2), layout="constrained")
    for colour, (name, (genuine, impostor)) in zip(_COLOURS, curves.items(), strict=False):
        thresholds = np.quantile(impostor, 1 - np.logspace(-4.5, -0.3, 120))
        false_match = [(impostor > t).mean() for t in thresholds]
        misses = [(genuine <= t).mean() for t in thresholds]
        axis.loglog(false_match, np.maximum(misses, 1e-4), color=colour, label=name)
    axis.set(xlabel="false match rate", ylabel="false non-match rate", title=title)
    axis.legend(frameon=False)
    _plain(axis)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _plain(axis: Axes) -> None:
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(color=_GRID, linewidth=0.6)
    axis.tick_params(colors=_INK)

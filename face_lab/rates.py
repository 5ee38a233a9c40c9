"""Error rates of ISO/IEC 30107-3 and 19795-1, each with its 95 % interval and its count."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, log

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score, roc_curve

from node.face.vision.arrays import Floats

_CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A part of a number of trials, or a figure over them.

    Attributes:
        value: The rate, 0 to 1.
        low: Where its 95 % interval begins.
        high: Where it ends.
        trials: How many there were.
        text: Of what, such as `1,800 genuine and 78,000 impostor pairs`.
    """

    value: float
    low: float
    high: float
    trials: int
    text: str = ""


def rate(hits: int, trials: int, text: str = "") -> Rate:
    """Return a rate with the exact interval of Clopper and Pearson."""
    interval = binomtest(hits, trials).proportion_ci(_CONFIDENCE, method="exact")
    return Rate(
        value=hits / trials, low=float(interval.low), high=float(interval.high),
        trials=trials, text=text,
    )  # fmt: skip


def needed(limit: float) -> int:
    """Return how many it takes, none of whom errs, for the interval to end at a limit or below."""
    return ceil(log((1 - _CONFIDENCE) / 2) / log(1 - limit))


def equal_error_rate(genuine: Floats, impostor: Floats) -> tuple[float, float]:
    """Return the equal error rate and the threshold that gives it; higher is more genuine."""
    labels = np.concatenate([np.ones(len(genuine)), np.zeros(len(impostor))])
    false_match, true_match, thresholds = roc_curve(labels, np.concatenate([genuine, impostor]))
    place = int(np.argmin(np.abs(false_match - (1 - true_match))))
    return float((false_match[place] + 1 - true_match[place]) / 2), float(thresholds[place])


def non_match_at(genuine: Floats, impostor: Floats, false_match: float) -> tuple[float, float]:
    """Return FNMR at a false match rate, and the threshold that keeps that rate."""
    threshold = float(np.quantile(impostor, 1 - false_match))
    return float((genuine <= threshold).mean()), threshold


def area_under_curve(positive: Floats, negative: Floats) -> float:
    """Return the area under the receiver's curve."""
    labels = np.concatenate([np.ones(len(positive)), np.zeros(len(negative))])
    return float(roc_auc_score(labels, np.concatenate([positive, negative])))


def bootstrap(
    figure: Callable[[NDArray[np.int64]], float],
    groups: int,
    *,
    text: str,
    trials: int,
    rounds: int = 400,
) -> Rate:
    """Return a figure with its interval over groups (people, clips) drawn with replacement.

    Args:
        figure: Gives the figure for the groups drawn; the first call has each once.
        groups: How many there are.
        text: Of what.
        trials: How many.
        rounds: How many draws.
    """
    rng = np.random.default_rng(7)
    value = figure(np.arange(groups))
    drawn = [figure(rng.integers(0, groups, groups)) for _ in range(rounds)]
    low, high = np.nanquantile(drawn, [(1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2])
    return Rate(value=value, low=float(low), high=float(high), trials=trials, text=text)


def percent(found: Rate) -> str:
    """Return a rate as people read it."""
    return f"{found.value:.2%} [{found.low:.2%}, {found.high:.2%}] of {found.trials:,}"


def bits(acceptance: Sequence[float] | float) -> float:
    """Return the unpredictability of a challenge: minus log2 of a wrong one's acceptance."""
    return float(-np.log2(np.maximum(acceptance, 1e-9)))

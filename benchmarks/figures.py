"""Figures, and how they are taken: best of several rounds, ours and the peers' in turn."""

import gc
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from timeit import Timer
from typing import Final

ROUNDS: Final = 5
_ROUND_SECONDS: Final = 0.1


class Unit(Enum):
    """What a figure counts. Of a time or size less is better, of a rate more."""

    MICROSECONDS = "µs"
    MILLISECONDS = "ms"
    PER_SECOND = "/s"
    MEBIBYTES = "MiB"
    BYTES = "B"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One thing that was measured, and what others need for it in the same run.

    Attributes:
        group: The area, such as `ledger`.
        name: What was done.
        unit: What the values count.
        value: Ours.
        peers: The same of others, by their names.
        bound_by: What keeps it from being better.
    """

    group: str
    name: str
    unit: Unit
    value: float
    peers: Mapping[str, float]
    bound_by: str = ""

    def speed_against(self, peer: str) -> float:
        """Return how many times as fast as a peer we are."""
        other = self.peers[peer]
        return self.value / other if self.unit is Unit.PER_SECOND else other / self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One measurement that is still to be taken.

    Attributes:
        name: What the progress bar says meanwhile.
        take: Takes it.
    """

    name: str
    take: Callable[[], Iterable[Figure]]


def best_microseconds(actions: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Return the shortest mean time of a call of each action, in microseconds.

    The actions take turns, so that a slow moment of the machine does not fall on one of them.
    """
    timers = {name: Timer(action) for name, action in actions.items()}
    calls = {name: _calls_in_a_round(timer) for name, timer in timers.items()}
    best = dict.fromkeys(actions, float("inf"))
    for _ in range(ROUNDS):
        for name, timer in timers.items():
            best[name] = min(best[name], timer.timeit(calls[name]) / calls[name] * 1e6)
    return best


def _calls_in_a_round(timer: Timer) -> int:
    timer.timeit(3)  # fills caches
    return max(1, round(_ROUND_SECONDS / (timer.timeit(3) / 3)))


def call_milliseconds(action: Callable[[int], object], count: int) -> list[float]:
    """Return how long each of `count` calls takes; the action gets the call's number."""
    times: list[float] = []
    gc.collect()
    for number in range(count):
        started = time.perf_counter()
        action(number)
        times.append((time.perf_counter() - started) * 1e3)
    return times


def percentile(times: Sequence[float], percent: int) -> float:
    """Return the value that `percent` of the times do not exceed."""
    return statistics.quantiles(times, n=100, method="inclusive")[percent - 1]

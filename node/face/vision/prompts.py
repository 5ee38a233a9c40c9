"""How a series of prompts is drawn that nobody can foresee."""

from collections.abc import Callable, Sequence
from itertools import pairwise, product
from secrets import randbelow
from typing import Final

from client_sdk.face.prompts import FREQUENT_BY_CHANCE, TURNS, Prompt

SERIES_LENGTH: Final = 5
_ALL: Final = tuple(Prompt)


def draw_series(
    length: int = SERIES_LENGTH, *, below: Callable[[int], int] = randbelow
) -> tuple[Prompt, ...]:
    """Draw a series of prompts, each fit series with the same chance.

    Fit is a series that never asks for the same twice in a row, holds at least two head turns in
    different directions (a print cannot follow a turn), and at most one of blink and open mouth.

    Args:
        length: How many prompts; at least 2.
        below: Draws a whole number from 0 up to, but without, its argument. The default is the
            system's cryptographic generator.

    Raises:
        ValueError: No series of that length is fit.
    """
    if length < 2:
        raise ValueError(f"a series of {length} cannot turn the head twice; take at least 2")
    while True:
        series = tuple(_ALL[below(len(_ALL))] for _ in range(length))
        if is_fit_series(series):
            return series


def is_fit_series(series: Sequence[Prompt]) -> bool:
    """Tell whether `draw_series` could have drawn a series."""
    return (
        all(first != second for first, second in pairwise(series))
        and len(TURNS.intersection(series)) >= 2
        and sum(prompt in FREQUENT_BY_CHANCE for prompt in series) <= 1
    )


def redraw_series(
    series: Sequence[Prompt], missed: int, *, below: Callable[[int], int] = randbelow
) -> tuple[Prompt, ...]:
    """Return the series with another prompt for one that was missed, and one more at its end.

    The one more makes up for the second try: without it a recording of another test, which may
    miss once, too, is an answer 3.7 times as often as one that may not; with it 1.5 times.

    Args:
        series: The series as it stands; what stands after `missed` is still to come.
        missed: The place of the missed prompt.
        below: As in `draw_series`.
    """
    fit = [
        drawn
        for prompt, last in product(_ALL, _ALL)
        if prompt != series[missed]
        and is_fit_series(drawn := (*series[:missed], prompt, *series[missed + 1 :], last))
    ]
    return fit[below(len(fit))]

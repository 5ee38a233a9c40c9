"""Series of prompts: unpredictable, and never one that a flat picture could follow."""

import random
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_sdk.face.prompts import FREQUENT_BY_CHANCE, TURNS, Prompt
from node.face.vision import SERIES_LENGTH, draw_series, is_fit_series, redraw_series


@given(st.integers().map(random.Random))
def test_a_series_turns_the_head_twice_and_repeats_nothing_at_once(chance: random.Random) -> None:
    series = draw_series(below=chance.randrange)
    assert len(series) == SERIES_LENGTH
    assert len(TURNS.intersection(series)) >= 2
    assert sum(prompt in FREQUENT_BY_CHANCE for prompt in series) <= 1
    assert all(a is not b for a, b in pairwise(series))


def test_every_fit_series_is_drawn_and_none_much_more_often() -> None:
    fit = {series for series in product(Prompt, repeat=3) if is_fit_series(series)}
    chance = random.Random(5)
    drawn = [draw_series(3, below=chance.randrange) for _ in range(60 * len(fit))]
    counts = [drawn.count(series) for series in fit]
    assert set(drawn) == fit
    # 60 expected, each with a standard deviation below 8.
    assert min(counts) > 20
    assert max(counts) < 100


def test_there_are_as_many_series_as_the_documentation_says() -> None:
    assert sum(map(is_fit_series, product(Prompt, repeat=SERIES_LENGTH))) == 4824


@given(st.integers().map(random.Random), st.integers(0, SERIES_LENGTH - 1))
def test_a_missed_prompt_is_replaced_by_another_that_fits_and_costs_one_more(
    chance: random.Random, missed: int
) -> None:
    series = draw_series(below=chance.randrange)
    again = redraw_series(series, missed, below=chance.randrange)
    assert again[missed] is not series[missed]
    assert (again[:missed], again[missed + 1 : -1]) == (series[:missed], series[missed + 1 :])
    assert is_fit_series(again)


def test_a_second_try_is_worth_little_to_who_plays_another_test() -> None:
    """Of all challenges, how many does one recording answer that shows each prompt perfectly?"""
    chance = random.Random(2)
    recorded = (*draw_series(below=chance.randrange), Prompt.SMILE, Prompt.LOOK_UP)
    exact = later = 0
    for asked in filter(is_fit_series, product(Prompt, repeat=SERIES_LENGTH)):
        first = next((k for k, p in enumerate(asked) if recorded[k] is not p), None)
        exact += first is None
        if first is not None:
            again = redraw_series(asked, first, below=chance.randrange)
            later += again[first:] == recorded[first + 1 : first + 1 + len(again) - first]
    assert (exact, later <= 3) == (1, True)


def test_the_default_generator_is_the_systems() -> None:
    assert len({draw_series() for _ in range(40)}) > 30


def test_a_series_of_one_cannot_turn_twice() -> None:
    assert not is_fit_series([Prompt.LOOK_UP])
    with pytest.raises(ValueError, match="at least 2"):
        draw_series(1)

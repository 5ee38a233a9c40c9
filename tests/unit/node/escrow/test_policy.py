"""How often a password may be tried: the bounds hold for every order of attempts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_sdk.escrow.agent_set import guesses_bound
from node.escrow.policy import (
    DAY_MS,
    NO_ATTEMPTS,
    Attempts,
    GuessPolicy,
    GuessRefusedError,
    count_attempt,
    is_exhausted,
    is_to_be_erased,
    next_attempt_at,
)

POLICY = GuessPolicy()
START_MS = 1_764_000_000_000
policies = st.tuples(*(st.integers(min_value=1, max_value=12) for _ in range(3))).map(
    lambda numbers: GuessPolicy(
        prompt=min(numbers), unaided=sorted(numbers)[1], budget=max(numbers), first_delay_ms=1000
    )
)


def _count(attempts: Attempts, now_ms: int, *, vouched: bool = False) -> Attempts:
    return count_attempt(POLICY, attempts, now_ms=now_ms, is_vouched_for=vouched)


def test_the_delays_of_the_default_terms() -> None:
    waits = [
        next_attempt_at(POLICY, Attempts(used=used, last_ms=START_MS)) - START_MS
        for used in range(2, 6)
    ]
    assert waits == [30_000, 60_000, 120_000, 240_000]
    assert next_attempt_at(POLICY, NO_ATTEMPTS) == 0
    assert next_attempt_at(POLICY, Attempts(used=1, last_ms=START_MS)) == 0
    endless = GuessPolicy(budget=1000, unaided=1000)
    assert next_attempt_at(endless, Attempts(used=999, last_ms=0)) == DAY_MS


def test_too_early_says_when() -> None:
    attempts = Attempts(used=3, last_ms=START_MS)
    with pytest.raises(GuessRefusedError) as refused:
        _count(attempts, START_MS + 59_999)
    assert (refused.value.code, refused.value.next_at_ms) == ("too_early", START_MS + 60_000)
    assert _count(attempts, START_MS + 60_000) == Attempts(used=4, last_ms=START_MS + 60_000)


def test_the_counters_word_spares_the_delay_and_opens_the_rest_of_the_budget() -> None:
    assert _count(Attempts(used=3, last_ms=START_MS), START_MS, vouched=True).used == 4
    spent = Attempts(used=POLICY.unaided, last_ms=START_MS)
    with pytest.raises(GuessRefusedError, match="counter_needed"):
        _count(spent, START_MS + DAY_MS)
    assert _count(spent, START_MS, vouched=True).used == POLICY.unaided + 1


def test_after_the_budget_nothing_helps() -> None:
    spent = Attempts(used=POLICY.budget, last_ms=START_MS)
    for vouched in (False, True):
        with pytest.raises(GuessRefusedError, match="exhausted"):
            _count(spent, START_MS + 1000 * DAY_MS, vouched=vouched)
    assert is_exhausted(POLICY, spent)
    assert not is_to_be_erased(POLICY, spent, START_MS + POLICY.erase_after_ms - 1)
    assert is_to_be_erased(POLICY, spent, START_MS + POLICY.erase_after_ms)
    assert not is_to_be_erased(POLICY, Attempts(used=9, last_ms=0), START_MS)


def test_a_clock_that_is_set_back_makes_no_delay_shorter() -> None:
    attempts = _count(Attempts(used=2, last_ms=START_MS), START_MS + 30_000)
    earlier = _count(attempts, START_MS - DAY_MS, vouched=True)
    assert earlier.last_ms == attempts.last_ms


@given(
    policies,
    st.lists(st.tuples(st.integers(min_value=0, max_value=10_000), st.booleans()), max_size=80),
)
def test_no_order_of_attempts_passes_the_bounds(
    policy: GuessPolicy, tries: list[tuple[int, bool]]
) -> None:
    attempts, now_ms, alone, given_at = NO_ATTEMPTS, START_MS, 0, []
    for pause_ms, vouched in tries:
        now_ms += pause_ms
        try:
            attempts = count_attempt(policy, attempts, now_ms=now_ms, is_vouched_for=vouched)
        except GuessRefusedError:
            continue
        alone += not vouched
        given_at.append((now_ms, vouched))
    assert attempts.used == len(given_at) <= policy.budget
    assert alone <= policy.unaided
    for place in range(policy.prompt, len(given_at)):
        now_ms, vouched = given_at[place]
        if not vouched:
            delay_ms = min(1000 << (place - policy.prompt), policy.longest_delay_ms)
            assert now_ms - given_at[place - 1][0] >= delay_ms


@pytest.mark.parametrize(("prompt", "unaided", "budget"), [(0, 1, 1), (2, 1, 3), (1, 4, 3)])
def test_terms_out_of_order(prompt: int, unaided: int, budget: int) -> None:
    with pytest.raises(ValueError, match="prompt <= unaided <= budget"):
        GuessPolicy(prompt=prompt, unaided=unaided, budget=budget)


@given(
    st.integers(min_value=1, max_value=8).flatmap(
        lambda agents: st.tuples(st.just(agents), st.integers(min_value=1, max_value=agents))
    ),
    st.integers(min_value=1, max_value=12),
    st.randoms(use_true_random=False),
)
def test_the_bound_on_guesses_holds_however_a_thief_spreads_them(
    size: tuple[int, int], budget: int, chance: object
) -> None:
    agents, threshold = size
    left = [budget] * agents
    guesses = 0
    while True:
        able = [place for place, attempts in enumerate(left) if attempts]
        if len(able) < threshold:
            break
        for place in chance.sample(able, threshold):  # type: ignore[attr-defined]
            left[place] -= 1
        guesses += 1
    assert guesses <= guesses_bound(agents=agents, threshold=threshold, budget=budget)


def test_the_bound_is_reached() -> None:
    assert guesses_bound(agents=3, threshold=2, budget=10) == 15

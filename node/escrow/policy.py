"""How often a password may be tried: growing delays, help at the counter, and an end. Pure.

A handle has one counter of attempts. Only the right password resets it. Some attempts come at once,
the next ones after delays that double; from a point on each needs the word of an issuer's counter,
where the holder was seen in person; after the last one the agent erases the share, and what it kept
can never be guessed again.
"""

from dataclasses import dataclass
from typing import Final

from node.errors import NodeError

DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class GuessPolicy:
    """The terms, the same for each handle.

    Attributes:
        budget: How many attempts without success there are in all.
        unaided: How many of them need no word of the counter.
        prompt: How many of them need no delay.
        first_delay_ms: The delay after those; it doubles each time.
        longest_delay_ms: Where it stops doubling.
        erase_after_ms: How long after the last attempt of the budget the share stays, so that
            whoever got an answer to it can still prove success.
    """

    budget: int = 10
    unaided: int = 6
    prompt: int = 2
    first_delay_ms: int = 30_000
    longest_delay_ms: int = DAY_MS
    erase_after_ms: int = 3_600_000

    def __post_init__(self) -> None:
        if not 1 <= self.prompt <= self.unaided <= self.budget:
            raise ValueError("1 <= prompt <= unaided <= budget is expected")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """What is known of a handle's attempts since the last success.

    Attributes:
        used: How many there were.
        last_ms: When the last one was; 0 where there was none.
    """

    used: int
    last_ms: int


class GuessRefusedError(NodeError):
    """No attempt is given now.

    Attributes:
        code: `too_early`, `counter_needed` or `exhausted`.
        next_at_ms: When one may be given, for `too_early`; 0 otherwise.
    """

    def __init__(self, code: str, *, next_at_ms: int = 0) -> None:
        super().__init__(code)
        self.code = code
        self.next_at_ms = next_at_ms


NO_ATTEMPTS: Final = Attempts(used=0, last_ms=0)


def next_attempt_at(policy: GuessPolicy, attempts: Attempts) -> int:
    """Return when the next attempt may come, in milliseconds; 0 for at once."""
    beyond = attempts.used - policy.prompt
    if beyond < 0:
        return 0
    # Beyond 2^40 every delay is the longest: the shift stays small whatever the budget.
    delay_ms = policy.first_delay_ms << min(beyond, 40)
    return attempts.last_ms + min(delay_ms, policy.longest_delay_ms)


def is_exhausted(policy: GuessPolicy, attempts: Attempts) -> bool:
    """Tell whether no attempt is left."""
    return attempts.used >= policy.budget


def is_to_be_erased(policy: GuessPolicy, attempts: Attempts, now_ms: int) -> bool:
    """Tell whether the share of an exhausted handle is to be erased by now."""
    return is_exhausted(policy, attempts) and now_ms >= attempts.last_ms + policy.erase_after_ms


def count_attempt(
    policy: GuessPolicy, attempts: Attempts, *, now_ms: int, is_vouched_for: bool
) -> Attempts:
    """Return the attempts with one more, which may now be given once this is written.

    Args:
        policy: The terms.
        attempts: Those so far.
        now_ms: The time.
        is_vouched_for: Whether the word of an issuer's counter came with the request.

    Raises:
        GuessRefusedError: None may be given now.
    """
    if is_exhausted(policy, attempts):
        raise GuessRefusedError("exhausted")
    if attempts.used >= policy.unaided and not is_vouched_for:
        raise GuessRefusedError("counter_needed")
    next_at_ms = next_attempt_at(policy, attempts)
    # The counter's word spares the delay: the holder stands there, and the budget still holds.
    if now_ms < next_at_ms and not is_vouched_for:
        raise GuessRefusedError("too_early", next_at_ms=next_at_ms)
    # A clock that was set back must not make the next delay shorter.
    return Attempts(used=attempts.used + 1, last_ms=max(now_ms, attempts.last_ms))

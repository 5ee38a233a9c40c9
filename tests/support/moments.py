"""Moments of the wall clock, which the ledger's delays are made of: nothing announces them."""

import time


def let_pass(time_ms: int) -> None:
    """Return once a moment has passed, milliseconds since 1970, UTC: it is slept to, once."""
    left_s = (time_ms + 1) / 1000 - time.time()
    if left_s > 0:
        time.sleep(left_s)

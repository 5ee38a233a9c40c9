"""A bar that shows how far long work is, on a terminal and nowhere else."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress_bar(text: str, *, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error while the work is done; give what says how much more is done."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(text, total=total)
        yield lambda done: bar.advance(task, done)


def wait_until(time_ms: int, *, text: str) -> None:
    """Sleep until a time, milliseconds since 1970, UTC, has passed; a bar shows how long."""
    left_s = (time_ms + 1) / 1000 - time.time()
    if left_s <= 0:
        return
    with progress_bar(text, total=ceil(left_s)) as advance:
        while left_s > 0:
            time.sleep(min(left_s, 1.0))
            advance(1)
            left_s = (time_ms + 1) / 1000 - time.time()

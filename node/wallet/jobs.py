"""What takes long, or waits for a service, goes on in the background, and its page tells how far.

A service that cannot be reached is no error here: the work is tried again until it is there, or the
holder gives it up. Work must bear that: done twice, it does no harm.
"""

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

import structlog

from client_sdk.errors import ClientError
from client_sdk.errors import is_passing as is_passing_elsewhere
from client_sdk.tracing import carried
from node.errors import NodeError, WalletLockedError
from node.web.languages import gettext_noop

State = Literal["working", "waiting", "done", "failed", "stopped"]
_KEPT: Final = 64
_FIRST_DELAY_S: Final = 0.5
_LONGEST_DELAY_S: Final = 10.0
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.wallet")

UNREACHABLE: Final = gettext_noop("A service cannot be reached just now. This goes on by itself.")
LOCKED: Final = gettext_noop("The wallet is locked. Unlock it, and this goes on.")


class JobStoppedError(Exception):
    """The holder gave the job up."""


@dataclass(slots=True, kw_only=True)
class Job:
    """One piece of work. Whoever reads `state` first finds the rest as it says.

    Attributes:
        job_id: Its random id.
        title: What it does, marked by `gettext_noop`.
        back: The page to go back to where it fails.
        state: How it stands.
        step: What it does now, or waits for, marked by `gettext_noop`.
        from_ms: Of a wait for a certain time: when it began; milliseconds since 1970, UTC.
        until_ms: When that ends; None where nobody knows.
        problem: Why it waits, or failed.
        target: Where to go once it is done.
        link: Of a wait for the holder: the page that the holder opens meanwhile; None for none.
    """

    job_id: str
    title: str
    back: str
    state: State = "working"
    step: str = ""
    from_ms: int = 0
    until_ms: int | None = None
    problem: Exception | None = None
    target: str = "/"
    link: str | None = None
    _stop: threading.Event = field(default_factory=threading.Event, repr=False)
    _ended: threading.Event = field(default_factory=threading.Event, repr=False)

    def begin(self, step: str) -> None:
        """Tell what is done now.

        Raises:
            JobStoppedError: The holder gave it up.
        """
        self._check()
        self.step, self.problem, self.until_ms, self.link = step, None, None, None
        self.state = "working"

    def wait_until(self, step: str, *, from_ms: int, until_ms: int, at_most_s: float) -> None:
        """Wait for a time to come, or for some seconds, and tell what for.

        Raises:
            JobStoppedError: The holder gave it up.
        """
        self.step, self.problem, self.link = step, None, None
        self.from_ms, self.until_ms = from_ms, until_ms
        self.state = "waiting"
        left_s = (until_ms - time.time_ns() // 1_000_000) / 1000
        self.pause(max(0.0, min(left_s, at_most_s)))

    def wait_for_holder(self, step: str, link: str, delay_s: float) -> None:
        """Wait for some seconds for the holder to do something on another page.

        Raises:
            JobStoppedError: The holder gave it up.
        """
        self.step, self.problem, self.until_ms, self.link = step, None, None, link
        self.state = "waiting"
        self.pause(delay_s)

    def wait_for(self, problem: Exception, delay_s: float) -> None:
        """Wait a little for what is in the way to pass, and tell it.

        Raises:
            JobStoppedError: The holder gave it up.
        """
        is_locked = isinstance(problem, WalletLockedError)
        self.step = LOCKED if is_locked else UNREACHABLE
        self.problem, self.until_ms, self.link = problem, None, None
        self.state = "waiting"
        self.pause(delay_s)

    def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            JobStoppedError: The holder gave it up.
        """
        self._stop.wait(seconds)
        self._check()

    def stop(self) -> None:
        """Give it up, as soon as what it does now is done."""
        self._stop.set()

    def is_over(self, *, within_s: float = 0) -> bool:
        """Tell whether it has ended, or does within some seconds."""
        return self._ended.wait(within_s)

    def end(self, state: State, *, problem: Exception | None = None, target: str = "/") -> None:
        """Note how it ended."""
        self.problem, self.target = problem, target
        self.state = state
        self._ended.set()

    def _check(self) -> None:
        if self._stop.is_set():
            raise JobStoppedError


Work: TypeAlias = Callable[[Job], str]
"""Does a job, and returns the page that shows what came of it."""


class Jobs:
    """The jobs of this process; those that are over are forgotten some time."""

    def __init__(self) -> None:
        """Begin with none."""
        self._jobs: dict[str, Job] = {}
        self._changing = threading.Lock()

    def start(self, title: str, work: Work, *, back: str) -> Job:
        """Begin work in the background.

        Args:
            title: What it does, marked by `gettext_noop`.
            work: Does it; it is called again while a service cannot be reached.
            back: The page to go back to where it fails.
        """
        job = Job(job_id=secrets.token_urlsafe(16), title=title, back=back)
        with self._changing:
            over = [key for key, known in self._jobs.items() if known.is_over()]
            for key in over[: max(0, len(self._jobs) - _KEPT)]:
                del self._jobs[key]
            self._jobs[job.job_id] = job
        threading.Thread(target=carried(_run), args=(job, work), daemon=True).start()
        return job

    def find(self, job_id: str) -> Job | None:
        """Return a job; None where there is none, or no more."""
        return self._jobs.get(job_id)

    def under_way(self) -> tuple[Job, ...]:
        """Return the jobs that go on, oldest first."""
        with self._changing:
            return tuple(job for job in self._jobs.values() if not job.is_over())

    def stop_all(self) -> None:
        """Give all up."""
        for job in self.under_way():
            job.stop()


def is_passing(error: Exception) -> bool:
    """Tell whether what is in the way may be gone soon, so that trying again is right."""
    return is_passing_elsewhere(error) or isinstance(error, WalletLockedError)


def _run(job: Job, work: Work) -> None:
    delay_s = _FIRST_DELAY_S
    while True:
        try:
            job.end("done", target=work(job))
        except JobStoppedError:
            job.end("stopped")
        except (ClientError, NodeError) as error:
            if is_passing(error):
                try:
                    job.wait_for(error, delay_s)
                except JobStoppedError:
                    job.end("stopped")
                    return
                delay_s = min(2 * delay_s, _LONGEST_DELAY_S)
                continue
            job.end("failed", problem=error)
        except Exception as error:  # noqa: BLE001 - the root of a thread
            # Its text may hold what is nobody's business.
            _log.error("job_failed", job=job.title, error=type(error).__name__)
            job.end("failed", problem=error)
        return

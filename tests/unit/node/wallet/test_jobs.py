"""Work in the background: a service that is down is waited for, everything else is told."""

import threading
from collections.abc import Callable

import pytest

from client_sdk.errors import OfferError, TooFewAgentsError, TransportError
from node.errors import WalletLockedError
from node.wallet.jobs import UNREACHABLE, Job, Jobs, is_passing

DEADLINE_S = 20


def failing_until(ready: threading.Event, error: Exception) -> Callable[[Job], str]:
    def work(job: Job) -> str:
        job.begin("Asking")
        if not ready.is_set():
            raise error
        return "/done"

    return work


def wait_until_it_waits(job: Job) -> None:
    while job.state != "waiting":
        assert not job.is_over(within_s=0.01)


@pytest.mark.parametrize(
    "error",
    [
        TransportError("nobody there"),
        TooFewAgentsError("two are down", may_pass=True),
        WalletLockedError("locked"),
    ],
)
def test_what_may_pass_is_waited_for(error: Exception) -> None:
    ready = threading.Event()
    job = Jobs().start("Something", failing_until(ready, error), back="/back")
    wait_until_it_waits(job)
    assert job.problem is error
    ready.set()
    assert job.is_over(within_s=DEADLINE_S)
    assert (job.state, job.target) == ("done", "/done")


def test_who_reads_how_a_job_stands_finds_the_rest_as_it_says() -> None:
    seen: list[tuple[object, ...]] = []

    class Read(Job):
        """A job whose page reads it the moment that it stands otherwise."""

        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, value)
            if name == "state" and hasattr(self, "target"):
                seen.append((value, self.step, self.problem, self.until_ms, self.link, self.target))

    error = TransportError("nobody there")
    job = Read(job_id="j", title="Something", back="/")
    job.begin("Asking")
    job.wait_for_holder("Look", "https://face.example/", 0)
    job.wait_until("Delay", from_ms=1, until_ms=2, at_most_s=1)
    job.wait_for(error, 0)
    job.end("done", target="/there")
    assert seen == [
        ("working", "Asking", None, None, None, "/"),
        ("waiting", "Look", None, None, "https://face.example/", "/"),
        ("waiting", "Delay", None, 2, None, "/"),
        ("waiting", UNREACHABLE, error, None, None, "/"),
        ("done", UNREACHABLE, None, None, None, "/there"),
    ]


def test_a_refusal_is_an_error_at_once() -> None:
    error = OfferError("used already")
    job = Jobs().start("Something", failing_until(threading.Event(), error), back="/back")
    assert job.is_over(within_s=DEADLINE_S)
    assert (job.state, job.problem) == ("failed", error)


def test_an_attempt_that_costs_is_not_made_again_by_itself() -> None:
    assert not is_passing(TooFewAgentsError("an agent fell silent after it was asked"))


def test_a_defect_ends_the_job_and_its_text_stays_inside(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def work(job: Job) -> str:
        raise ValueError("canary-value")

    job = Jobs().start("Something", work, back="/back")
    assert job.is_over(within_s=DEADLINE_S)
    assert job.state == "failed"
    captured = capsys.readouterr()
    assert "canary-value" not in captured.out + captured.err


def test_its_holder_can_give_it_up() -> None:
    job = Jobs().start(
        "Something", failing_until(threading.Event(), TransportError("nobody")), back="/back"
    )
    wait_until_it_waits(job)
    job.stop()
    assert job.is_over(within_s=DEADLINE_S)
    assert job.state == "stopped"


def test_jobs_that_are_over_are_forgotten_and_others_are_not() -> None:
    jobs, ready = Jobs(), threading.Event()
    waiting = jobs.start("Waits", failing_until(ready, TransportError("nobody")), back="/")
    for _ in range(80):
        assert jobs.start("Ends", lambda _job: "/", back="/").is_over(within_s=DEADLINE_S)
    assert jobs.find(waiting.job_id) is waiting
    assert jobs.under_way() == (waiting,)
    ready.set()
    assert waiting.is_over(within_s=DEADLINE_S)

"""How a page answers that has something done, and the page that tells how far it is."""

import time
from typing import Final

from flask import Blueprint, Response, abort, jsonify, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from node.wallet.desk import Desk
from node.wallet.explanations import detail_of, explain
from node.wallet.jobs import Job, Work
from node.web.languages import gettext, show_moment

_AT_ONCE_S: Final = 1.5
"""For so long a page waits by itself: most is done by then."""


def do(desk: Desk, title: str, work: Work, *, back: str) -> ResponseReturnValue:
    """Have something done, and answer with what came of it, or with the page that tells.

    Args:
        desk: Has the jobs.
        title: What is done, marked by `gettext_noop`.
        work: Does it.
        back: The page to go back to where it fails.
    """
    job = desk.jobs.start(title, work, back=back)
    if job.is_over(within_s=_AT_ONCE_S):
        return _ending(job)
    return redirect(url_for("wallet.job", job_id=job.job_id), 303)


def add_job_pages(wallet: Blueprint, desk: Desk) -> None:
    """Add the page of a job, and its state for the script on that page."""

    def find(job_id: str) -> Job:
        return desk.jobs.find(job_id) or abort(404)

    @wallet.get("/jobs/<job_id>")
    def job(job_id: str) -> ResponseReturnValue:
        """Tell how far a job is."""
        found = desk.jobs.find(job_id)
        if found is None:
            # The wallet was started anew: the first page shows how things are.
            return redirect("/")
        if found.is_over():
            return _ending(found)
        return render_template("wallet/job.html", job=found, text=_text(found), share=_share(found))

    @wallet.get("/jobs/<job_id>/state")
    def job_state(job_id: str) -> Response:
        """Tell a script how far a job is."""
        found = find(job_id)
        return jsonify(
            is_over=found.is_over(),
            text=_text(found),
            detail=detail_of(found.problem),
            share=_share(found),
            link=found.link,
        )

    @wallet.post("/jobs/<job_id>/stop")
    def stop_job(job_id: str) -> ResponseReturnValue:
        """Give a job up."""
        found = find(job_id)
        found.stop()
        return redirect(found.back, 303)


def _ending(job: Job) -> ResponseReturnValue:
    if job.state == "done":
        return redirect(job.target, 303)
    if job.problem is None:
        return redirect(job.back, 303)
    page = render_template(
        "wallet/refused.html",
        text=explain(job.problem),
        detail=detail_of(job.problem),
        back=job.back,
    )
    return page, 400


def _text(job: Job) -> str:
    text = gettext(job.step) if job.step else gettext(job.title)
    # The job goes on meanwhile: what is looked at twice must not change.
    if (until_ms := job.until_ms) is None:
        return text
    expected = gettext("Expected:")
    return f"{text} {expected} {show_moment(until_ms)}"


def _share(job: Job) -> float | None:
    """Return how much of a wait is over, from 0 to 1; None where nobody knows."""
    from_ms, until_ms = job.from_ms, job.until_ms
    if until_ms is None or until_ms <= from_ms:
        return None
    now_ms = time.time_ns() // 1_000_000
    return max(0.0, min(1.0, (now_ms - from_ms) / (until_ms - from_ms)))

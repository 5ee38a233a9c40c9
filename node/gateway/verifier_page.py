"""The verifier's page: ask a person, follow the answer, read the result with each named check."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from client_sdk.credentials.resident import RESIDENT_CREDENTIAL_TYPE
from client_sdk.errors import RequestError, UnknownPurposeError
from client_sdk.openid4vp.grant_offer import MAX_PURPOSE_CHARS
from client_sdk.purposes import DEFAULT_TERM, PURPOSE_TERMS, find_term
from node.errors import ApiError
from node.gateway.event_routes import Events, follow_request
from node.gateway.page_words import ATTRIBUTES, CHECKS, STATES
from node.gateway.presentations import Presentations
from node.gateway.question import FacePolicy, Question
from node.gateway.question_templates import GRANT_SECONDS, TEMPLATES
from node.gateway.response_code import is_readable
from node.gateway.store import StoredRequest
from node.web.languages import gettext, gettext_noop, language
from node.web.qr import qr_picture

_STEPS: Final = (
    ("created", gettext_noop("The request is made")),
    ("fetched", gettext_noop("The person is looking at it")),
    ("answered", gettext_noop("The answer is here")),
    ("verified", gettext_noop("It is checked")),
)
_STEP_OF: Final = {
    "pending": "created",
    "fetched": "fetched",
    "recording": "answered",
    "answered": "answered",
    "accepted": "verified",
    "refused": "verified",
    "declined": "answered",
}
_LAST_EVENTS: Final = ("verified", "declined", "expired")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierDesk:
    """What the verifier's page works on.

    Attributes:
        presentations: The requests and their answers.
        events: What tells of events; None where nothing does.
        verifier_of: Of each login the verifier that the person works for.
        has_face_tests: Whether the gateway trusts a face service.
        now_ms: The clock: milliseconds since 1970, UTC.
    """

    presentations: Presentations
    events: Events | None
    verifier_of: Mapping[str, str]
    has_face_tests: bool
    now_ms: Callable[[], int]

    def verifier(self) -> str:
        """Return the verifier that whoever is logged in works for."""
        return self.verifier_of[g.person.name]


def add_asking(blueprint: Blueprint, desk: VerifierDesk) -> None:
    """Add the pages that ask, and those of single requests."""
    presentations = desk.presentations

    @blueprint.get("/")
    def ask() -> str:
        return _ask_page(desk)

    @blueprint.post("/requests")
    def create() -> ResponseReturnValue:
        try:
            stored = presentations.create(desk.verifier(), _read_question())
        except (RequestError, UnknownPurposeError) as error:
            return _ask_page(desk, refusal=str(error)), 422
        except ApiError as error:
            return _ask_page(desk, refusal=error.detail), error.status
        return redirect(url_for("verifier.show", request_id=stored.id), 303)

    @blueprint.get("/requests/<request_id>")
    def show(request_id: str) -> str:
        # First: what happens after it loads the page again.
        last = 0
        if desk.events is not None:
            told = desk.events.store.events(after=0, request_id=request_id)
            last = max((event.seq for event in told), default=0)
        stored = presentations.find(desk.verifier(), request_id)
        return _request_page(desk, stored, last_event=last)

    @blueprint.get("/requests/<request_id>/events")
    def follow(request_id: str) -> Response:
        stored = presentations.find(desk.verifier(), request_id)
        if desk.events is None:
            raise ApiError(404, "no_events", "There are no events", "Load the page again instead.")
        seen = [request.headers.get("Last-Event-ID", "0"), request.args.get("after", "0")]
        known = [int(number) for number in seen if number.isdecimal() and len(number) < 19]
        after = max(known, default=0)
        return follow_request(stored, desk.events, after=after, now_ms=desk.now_ms)


def describe_state(presentations: Presentations, stored: StoredRequest) -> str:
    """Return a request's state as this page may know it: without the code of another device."""
    if is_readable(stored, None):
        return presentations.state_of(stored)
    return "answered"


def describe_attribute(name: str) -> str:
    """Return what an attribute is called, in the reader's language."""
    return gettext(ATTRIBUTES[name]) if name in ATTRIBUTES else name


def _read_question() -> Question:
    """Return what the form asks.

    Raises:
        RequestError: A text is not acceptable, or nothing is chosen.
        UnknownPurposeError: The form is not as this page makes it.
    """
    purpose = request.form.get("purpose", "").strip()
    if not purpose or len(purpose) > MAX_PURPOSE_CHARS:
        raise RequestError(f"purpose: 1 to {MAX_PURPOSE_CHARS} characters")
    face = FacePolicy() if "face" in request.form else None
    template = TEMPLATES.get(request.form.get("template", ""))
    if template is not None:
        return template.question(purpose, face=face)
    chosen = tuple(name for name in ATTRIBUTES if name in request.form.getlist("attributes"))
    if not chosen:
        raise RequestError("attributes: choose at least one")
    return Question.for_attributes(
        chosen,
        credential_type=RESIDENT_CREDENTIAL_TYPE,
        purpose=purpose,
        grant_seconds=GRANT_SECONDS,
        purpose_term=find_term(request.form.get("purpose_term", "")),
        face=face,
    )


def _ask_page(desk: VerifierDesk, *, refusal: str | None = None) -> str:
    verifier = desk.verifier()
    templates = [
        {
            "name": template.name,
            "label": gettext(template.label),
            "explanation": gettext(template.explanation),
            "purpose": gettext(template.purpose),
            "attributes": [describe_attribute(name) for name in template.attributes],
            "may_ask": desk.presentations.is_registered(
                verifier, template.question(template.purpose)
            ),
        }
        for template in TEMPLATES.values()
    ]
    in_japanese = language() == "ja"
    return render_template(
        "verifier/ask.html",
        verifier_name=desk.presentations.verifier_name(verifier),
        templates=templates,
        attributes=ATTRIBUTES,
        terms={
            term.name: term.japanese if in_japanese else term.english
            for term in PURPOSE_TERMS.values()
        },
        default_term=DEFAULT_TERM.name,
        most_chars=MAX_PURPOSE_CHARS,
        has_face_tests=desk.has_face_tests,
        refusal=refusal,
    )


def _request_page(desk: VerifierDesk, stored: StoredRequest, *, last_event: int) -> str:
    presentations = desk.presentations
    state = describe_state(presentations, stored)
    is_open = stored.is_answerable(desk.now_ms()) and state != "answered"
    link = presentations.link(stored)
    shown = stored.shown if state == "accepted" else None
    return render_template(
        "verifier/request.html",
        stored=stored,
        state=state,
        state_label=gettext(STATES[state]),
        asked_at_ms=presentations.asked_at_ms(stored),
        requested=[describe_attribute(name) for name in stored.attributes],
        is_open=is_open,
        link=link,
        picture=qr_picture(link, label=gettext("QR code of the request")) if is_open else None,
        steps=[{"name": name, "label": gettext(label)} for name, label in _STEPS],
        step=_STEP_OF.get(state, "created"),
        events=(
            url_for("verifier.follow", request_id=stored.id, after=last_event)
            if desk.events is not None and (is_open or state == "recording")
            else None
        ),
        last_events=_LAST_EVENTS,
        shown=None if shown is None else {describe_attribute(n): v for n, v in shown.items()},
        checks=[
            {
                "label": gettext(CHECKS.get(check["name"], check["name"])),
                "passed": check["passed"],
                # The sentence of a check that passed says what its label says.
                "detail": None if check["passed"] else check["detail"],
            }
            for check in stored.checks or []
            if state != "answered"
        ],
    )

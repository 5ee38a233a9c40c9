"""What verifiers ask of the gateway about events: streams (server-sent events), and webhooks."""

import queue
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from flask import Response, jsonify
from flask_openapi.models.tag import Tag
from flask_openapi.openapi import OpenAPI
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from client_sdk.errors import RequestError
from client_sdk.http.endpoint_url import parse_endpoint
from client_sdk.verifier.webhooks import WebhookSigner
from node.errors import ApiError
from node.gateway.api_keys import Scope
from node.gateway.event_feed import EventFeed, Listener
from node.gateway.event_store import EventStore, RequestEvent
from node.gateway.presentations import Presentations
from node.gateway.store import StoredRequest
from node.gateway.verifier_access import VerifierAccess
from node.web.event_stream import (
    EVENT_STREAM,
    HEARTBEAT,
    event_frame,
    retry_frame,
    stream_response,
)
from node.web.problems import problems

_TAGS: "Final[list[Tag | dict[str, Any]]]" = [{"name": "events"}]
_SECURITY: Final[list[dict[str, list[str]]]] = [{"api_key": []}]
_HEARTBEAT_S: Final = 15.0
"""A line now and then shows both sides that the connection lives."""
_LAST: Final = ("accepted", "answered")
"""The statuses after which nothing more happens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """What tells verifiers of events.

    Attributes:
        store: The events and webhooks.
        feed: The events as they happen.
        signer: Signs webhooks.
    """

    store: EventStore
    feed: EventFeed
    signer: WebhookSigner


class EventsPath(BaseModel):
    """The id of a request."""

    id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class EventsHeader(BaseModel):
    """Where a stream goes on that was cut."""

    last_event_id: str = Field(
        default="0",
        alias="Last-Event-ID",
        pattern=r"^[0-9]{1,18}$",
        description="The id of the last event that was seen; a browser sends it by itself.",
    )


class WebhookBody(BaseModel):
    """Where events are to be posted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(
        max_length=2048,
        json_schema_extra={"format": "uri"},
        description="https; what it resolves to must not be in a private network.",
    )


class WebhookSet(WebhookBody):
    """Where events are posted."""

    since: datetime


def add_event_routes(
    app: OpenAPI,
    presentations: Presentations,
    access: VerifierAccess,
    told: Events,
    *,
    now_ms: Callable[[], int],
) -> None:
    """Add the routes to an application.

    Args:
        app: The application.
        presentations: The requests.
        access: Lets verifiers in.
        told: What tells them of events.
        now_ms: The clock: milliseconds since 1970, UTC.
    """
    events = told.store

    @app.get(
        "/requests/<id>/events",
        responses={
            200: {"content": {EVENT_STREAM: {"schema": {"type": "string"}}}},
            **problems(401, 403, 404, 422, 429, 503),
        },
        security=_SECURITY,
        tags=_TAGS,
    )
    def stream_events(path: EventsPath, header: EventsHeader) -> Response:
        """Follow a request: `fetched`, `answered`, `verified`, `declined`, `expired`.

        Server-sent events; the stream ends with the request. Scope `results:read`.
        """
        stored = presentations.find(access.caller(Scope.RESULTS_READ).verifier, path.id)
        return follow_request(stored, told, after=int(header.last_event_id), now_ms=now_ms)

    @app.get(
        "/webhook",
        responses={200: WebhookSet, **problems(401, 403, 404, 429)},
        security=_SECURITY,
        tags=_TAGS,
    )
    def read_webhook() -> Response:
        """Tell where events are posted. Scope `webhooks:write`."""
        found = events.webhook(access.caller(Scope.WEBHOOKS_WRITE).verifier)
        if found is None:
            raise _no_webhook()
        since = datetime.fromtimestamp(found.since_ms / 1000, tz=UTC)
        return jsonify(WebhookSet(url=found.url, since=since).model_dump(mode="json"))

    @app.put(
        "/webhook",
        responses={204: None, **problems(400, 401, 403, 413, 415, 422, 429)},
        security=_SECURITY,
        tags=_TAGS,
    )
    def set_webhook(body: WebhookBody) -> tuple[str, int]:
        """Have events posted from now on, signed (RFC 9421). Scope `webhooks:write`."""
        caller = access.caller(Scope.WEBHOOKS_WRITE)
        try:
            url = parse_endpoint(body.url, "url")
        except RequestError as error:
            raise ApiError(
                422, "invalid_fields", "The request's fields are not acceptable", str(error)
            ) from None
        events.set_webhook(caller.verifier, url, now_ms=now_ms())
        return "", 204

    @app.delete(
        "/webhook",
        responses={204: None, **problems(401, 403, 404, 429)},
        security=_SECURITY,
        tags=_TAGS,
    )
    def remove_webhook() -> tuple[str, int]:
        """Have events posted no more. Scope `webhooks:write`."""
        if not events.remove_webhook(access.caller(Scope.WEBHOOKS_WRITE).verifier):
            raise _no_webhook()
        return "", 204

    @app.get(
        "/webhook-keys",
        responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
        tags=_TAGS,
    )
    def webhook_keys() -> Response:
        """Publish the key that webhooks are signed with, as a JWK set (RFC 7517)."""
        return jsonify(told.signer.key_set())


def follow_request(
    stored: StoredRequest, told: Events, *, after: int, now_ms: Callable[[], int]
) -> Response:
    """Return the stream of a request's events, which ends with the request.

    Args:
        stored: The request.
        told: What tells of events.
        after: The number of the last event that was seen.
        now_ms: The clock: milliseconds since 1970, UTC.

    Raises:
        ApiError: Too many streams are open.
    """
    with ExitStack() as stack:
        listener = stack.enter_context(told.feed.listen(stored.id))
        stream = _stream(stored, told.store, listener, after=after, now_ms=now_ms)
        response = stream_response(stream)
        response.call_on_close(stack.pop_all().close)
    return response


def _stream(
    stored: StoredRequest,
    events: EventStore,
    listener: Listener,
    *,
    after: int,
    now_ms: Callable[[], int],
) -> Iterator[str]:
    """Yield a request's events, those that were and those that come, until it has ended."""
    # A browser that is cut off comes back after this many milliseconds.
    yield retry_frame(1000)
    seen, status = after, ""
    for event in events.events(after=0, request_id=stored.id):
        status = event.status
        if event.seq > after:
            seen = event.seq
            yield _frame(event)
    while status not in _LAST:
        # An answer that came in time waits for its receipt as long as that takes.
        left_s = _HEARTBEAT_S
        if status != "recording":
            left_s = (stored.expires_at_ms - now_ms()) / 1000
        try:
            event_or_end = listener.get(timeout=max(0.0, min(_HEARTBEAT_S, left_s)))
        except queue.Empty:
            if left_s <= 0:
                at = datetime.fromtimestamp(stored.expires_at_ms / 1000, tz=UTC).isoformat()
                yield event_frame("expired", {"request": stored.id, "status": "expired", "at": at})
                return
            yield HEARTBEAT
            continue
        if event_or_end is None:
            return
        if event_or_end.seq > seen:
            seen, status = event_or_end.seq, event_or_end.status
            yield _frame(event_or_end)


def _frame(event: RequestEvent) -> str:
    at = datetime.fromtimestamp(event.at_ms / 1000, tz=UTC).isoformat()
    fields = {"request": event.request_id, "status": event.status, "at": at}
    return event_frame(event.name, fields, number=event.seq)


def _no_webhook() -> ApiError:
    return ApiError(404, "no_webhook", "No webhook is set", "Set one by PUT /webhook.")

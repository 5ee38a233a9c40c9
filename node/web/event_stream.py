"""Server-sent events (HTML, section 9.2): how a page or a program follows what happens."""

import json
from collections.abc import Iterable, Mapping
from typing import Final

from flask import Response

EVENT_STREAM: Final = "text/event-stream"
HEARTBEAT: Final = ": still open\n\n"
"""What is sent now and then, so that both sides see that the connection lives."""


def retry_frame(pause_ms: int) -> str:
    """Return the frame that says when a browser that is cut off comes back, in milliseconds."""
    return f"retry: {pause_ms}\n\n"


def event_frame(name: str, fields: Mapping[str, object], *, number: int | None = None) -> str:
    """Return the frame of one event.

    Args:
        name: What happened.
        fields: What is told of it, as JSON.
        number: Its id, by which a stream that was cut goes on (`Last-Event-ID`); None for none.
    """
    text = f"event: {name}\ndata: {json.dumps(fields)}\n\n"
    return text if number is None else f"id: {number}\n{text}"


def stream_response(frames: Iterable[str]) -> Response:
    """Return the response that sends frames as they come."""
    response = Response(frames, content_type=EVENT_STREAM)
    # Some proxies keep what comes until it is enough; this tells nginx not to.
    response.headers["X-Accel-Buffering"] = "no"
    return response

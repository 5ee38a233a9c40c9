"""Many threads for connections that wait, few for work: more would only fight for the processor."""

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def bound_work(
    app: "WSGIApplication", *, at_once: int, waits: Callable[[str], bool]
) -> "WSGIApplication":
    """Return an application that works on a few requests at the same time.

    Args:
        app: The application.
        at_once: How many.
        waits: Tells by a request's path whether it only waits; such a one is not counted.
    """
    places = threading.BoundedSemaphore(at_once)

    def bounded(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if waits(environ.get("PATH_INFO", "")):
            return app(environ, start_response)
        with places:
            return app(environ, start_response)

    return bounded

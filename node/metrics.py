"""What is counted in each process, for Prometheus.

Labels are methods, routes, status codes and names of events: never a path, an id or an address.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

REGISTRY: Final = CollectorRegistry()
METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
"""The methods that are told apart; of all others a client could make up any number."""
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
EVENTS: Final = Counter("tegata_events", "Lines of the log", ["event", "level"], registry=REGISTRY)
_REQUESTS: Final = Counter(
    "tegata_http_requests",
    "HTTP requests that were answered",
    ["method", "route", "status"],
    registry=REGISTRY,
)
_DURATIONS: Final = Histogram(
    "tegata_http_request_seconds",
    "How long HTTP requests took",
    ["route"],
    buckets=_SECONDS,
    registry=REGISTRY,
)
ProcessCollector(registry=REGISTRY)


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count an HTTP request.

    Args:
        method: As the client sent it; one that HTTP does not know is counted as `other`.
        route: The rule that matched, with names in the place of values.
        status: The answer's status code.
        seconds: How long it took.
    """
    _REQUESTS.labels(method if method in METHODS else "other", route, status).inc()
    _DURATIONS.labels(route).observe(seconds)

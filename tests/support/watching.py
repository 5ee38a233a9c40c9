"""What services of this process say of themselves while a test feeds them: log, metrics, spans."""

import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr

import structlog
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import generate_latest

from client_sdk import tracing
from client_sdk.tracing.open_telemetry import OpenTelemetryTracer
from node.log import configure_logging
from node.metrics import REGISTRY


class Watched:
    """What was said so far."""

    def __init__(self) -> None:
        self._log = io.StringIO()
        self._exporter = InMemorySpanExporter()

    @property
    def log(self) -> str:
        """Every line, as processes write them."""
        return self._log.getvalue()

    @property
    def metrics(self) -> str:
        """What Prometheus reads."""
        return generate_latest(REGISTRY).decode()

    @property
    def finished(self) -> Sequence[ReadableSpan]:
        """Every span that has ended."""
        return self._exporter.get_finished_spans()

    @property
    def spans(self) -> str:
        """Every span, as JSON."""
        return "\n".join(span.to_json(indent=None) for span in self.finished)

    def places_of(self, *values: str) -> list[str]:
        """Return where any of the values stands, as it is or as JSON writes it."""
        forms = {form for value in values for form in (value, json.dumps(value)[1:-1])}
        said = {"log": self.log, "metrics": self.metrics, "spans": self.spans}
        return [place for place, text in said.items() if any(form in text for form in forms)]


@contextmanager
def watching() -> Iterator[Watched]:
    """Watch the services that are made within the `with` body."""
    watched = Watched()
    before = structlog.get_config()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(watched._exporter))
    with redirect_stderr(watched._log):
        configure_logging()
    tracing.switch_on(OpenTelemetryTracer(provider))
    try:
        yield watched
    finally:
        tracing.switch_on(None)
        structlog.configure(**before)

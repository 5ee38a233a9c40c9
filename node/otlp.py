"""OpenTelemetry's SDK and its exporter, loaded where traces are asked for."""

import logging
import os
from collections.abc import Callable
from importlib.metadata import version
from typing import Final

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from client_sdk.tracing.open_telemetry import OpenTelemetryTracer

_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.telemetry")


class _OurLog(logging.Handler):
    """Writes what OpenTelemetry complains of as a line of our log."""

    def emit(self, record: logging.LogRecord) -> None:
        _log.warning("traces_not_sent", detail=record.getMessage())


def connect(service: str) -> tuple[OpenTelemetryTracer, Callable[[], None]]:
    """Return what sends spans, in batches, by a thread of its own, to where `OTEL_*` says.

    With it comes what sends the rest and ends it; at the process's end it is called by itself.

    Args:
        service: The service's name, without `tegata-`.
    """
    complaints = logging.getLogger("opentelemetry")
    complaints.handlers, complaints.propagate = [_OurLog(logging.WARNING)], False
    name = os.environ.get("OTEL_SERVICE_NAME") or f"tegata-{service}"
    resource = Resource.create({"service.name": name, "service.version": version("tegata")})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return OpenTelemetryTracer(provider), provider.shutdown

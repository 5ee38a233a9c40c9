"""What collects traces in tests: takes OTLP over HTTP, as any collector of OpenTelemetry does."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from support.processes import DEADLINE_S

from client_sdk import tracing
from client_sdk.tracing.open_telemetry import OpenTelemetryTracer


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedSpan:
    """A span as it came.

    Attributes:
        service: The process's `service.name`.
        parent_id: Empty for the first span of a trace.
        joined: The traces that it is linked to.
    """

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, str | int]
    joined: tuple[str, ...]
    failed: bool


class OtlpReceiver:
    """Keeps the spans that processes send.

    Attributes:
        endpoint: The value of `OTEL_EXPORTER_OTLP_ENDPOINT`.
        received: Every byte that came.
    """

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.received: list[bytes] = []
        self._spans: list[ReceivedSpan] = []
        self._came = threading.Condition()

    @property
    def environment(self) -> dict[str, str]:
        """What a process is told, so that it sends its spans here, and soon."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "50"}

    @property
    def spans(self) -> list[ReceivedSpan]:
        """Those that have come."""
        with self._came:
            return [*self._spans]

    def take(self, body: bytes) -> None:
        """Keep what one request holds."""
        request = ExportTraceServiceRequest.FromString(body)
        with self._came:
            self.received.append(body)
            self._spans += _spans(request)
            self._came.notify_all()

    def wait_for_path(self, first: str, *services: str) -> list[ReceivedSpan]:
        """Return spans each below the one before, once there are any that begin and go so.

        Args:
            first: The name of the first one, which begins a trace.
            services: The services that they go through, without `tegata-`.
        """

        def find() -> list[ReceivedSpan] | None:
            by_id = {span.span_id: span for span in self._spans}
            paths = (_path(span, by_id) for span in self._spans)
            return next((path for path in paths if _is_so(path, first, services)), None)

        with self._came:
            found = self._came.wait_for(find, DEADLINE_S)
            assert found, f"no such path among {len(self._spans)} spans"
            return found


def _path(span: ReceivedSpan, by_id: dict[str, ReceivedSpan]) -> list[ReceivedSpan]:
    path = [span]
    while (above := by_id.get(path[0].parent_id)) is not None:
        path.insert(0, above)
    return path


def _is_so(path: list[ReceivedSpan], first: str, services: tuple[str, ...]) -> bool:
    names = [span.service.removeprefix("tegata-") for span in path]
    once = [name for name, before in zip(names, [None, *names], strict=False) if name != before]
    return not path[0].parent_id and path[0].name == first and once == [*services]


def _spans(request: ExportTraceServiceRequest) -> Iterator[ReceivedSpan]:
    for resource_spans in request.resource_spans:
        resource = {one.key: one.value.string_value for one in resource_spans.resource.attributes}
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield ReceivedSpan(
                    service=resource["service.name"],
                    name=span.name,
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    attributes={
                        one.key: one.value.string_value or one.value.int_value
                        for one in span.attributes
                    },
                    joined=tuple(link.trace_id.hex() for link in span.links),
                    failed=span.status.code == span.status.STATUS_CODE_ERROR,
                )


@contextmanager
def receiving_traces() -> Iterator[OtlpReceiver]:
    """Take what processes send, until the `with` body ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.take(self.rfile.read(int(self.headers["Content-Length"])))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = OtlpReceiver(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def tracing_here(receiver: OtlpReceiver, service: str) -> Iterator[None]:
    """Have this process send its spans too, as an application does that has its own provider."""
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    exporter = OTLPSpanExporter(f"{receiver.endpoint}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracing.switch_on(OpenTelemetryTracer(provider))
    try:
        yield
    finally:
        tracing.switch_on(None)
        provider.shutdown()

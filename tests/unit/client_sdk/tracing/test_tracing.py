"""Traces of the SDK: nothing while they are off, the least where they are on."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer

import grpc
import pytest
from opentelemetry import baggage, context
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from client_sdk import tracing
from client_sdk.errors import TransportError
from client_sdk.gathering import Gathering
from client_sdk.http.client import HttpClient
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from client_sdk.tracing.open_telemetry import OpenTelemetryTracer


class Spans:
    """The spans that have ended."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def all(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    def named(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.all() if span.name == name]
        return found


@pytest.fixture
def spans() -> Iterator[Spans]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.switch_on(OpenTelemetryTracer(provider))
    yield Spans(exporter)
    tracing.switch_on(None)


class Server:
    """Answers anything, and remembers the headers that came."""

    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []
        seen = self.headers

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                seen.append({name.lower(): value for name, value in self.headers.items()})
                self.send_response(404 if self.path == "/missing" else 200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def http() -> Iterator[HttpClient]:
    http = HttpClient(retries=0)
    yield http
    http.close()


def test_off_costs_nothing_and_loads_nothing(server: Server, http: HttpClient) -> None:
    """Not one header, not one module; and a wallet's imports are as they were."""
    http.get(f"{server.url}/")
    assert "traceparent" not in server.headers[0]
    assert tracing.span("internal", "one") is tracing.span("client", "another")
    assert tracing.carried(len) is len
    program = (
        "import sys; from client_sdk import Wallet; from client_sdk.verifier.gateway_client import "
        "GatewayClient; from node.gateway import app; from node.ledger import daemon; "
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_request_is_a_span_under_the_one_that_made_it(
    spans: Spans, server: Server, http: HttpClient
) -> None:
    with tracing.span("internal", "work"):
        http.get(f"{server.url}/secret-path?code=secret")
    asked, work = spans.named("GET"), spans.named("work")
    assert asked.parent == work.context
    assert asked.attributes == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "server.address": "127.0.0.1",
        "server.port": int(server.url.rpartition(":")[2]),
    }
    trace_id = f"{work.get_span_context().trace_id:032x}"
    span_id = f"{asked.get_span_context().span_id:016x}"
    assert server.headers[0]["traceparent"][:-2] == f"00-{trace_id}-{span_id}-"


def test_nothing_but_the_traceparent_goes_to_others(
    spans: Spans, server: Server, http: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_PROPAGATORS", "baggage,tracecontext")
    token = context.attach(baggage.set_baggage("name", "Tanaka Aiko"))
    http.get(f"{server.url}/")
    context.detach(token)
    assert spans.all()
    usual = {"host", "user-agent", "accept", "accept-encoding", "connection"}
    assert server.headers[0].keys() == usual | {"traceparent"}


def test_an_error_is_named_and_not_told(spans: Spans, http: HttpClient) -> None:
    with pytest.raises(TransportError):
        http.get("http://127.0.0.1:1/secret-path")
    span = spans.named("GET")
    assert not span.status.is_ok
    assert span.status.description is None
    assert span.attributes is not None
    assert span.attributes["error.type"] == "ConnectionError"
    assert not span.events
    assert "secret-path" not in span.to_json()


def test_a_call_of_grpc_is_a_span_with_its_status(spans: Spans) -> None:
    key = AccountKey.generate()
    with (
        LedgerClient("127.0.0.1:1", "a@b", key, timeout_s=0.1) as ledger,
        pytest.raises(TransportError),
    ):
        ledger.health()
    span = spans.named("iroha.protocol.QueryService_v1/Healthcheck")
    assert span.attributes is not None
    assert span.attributes["rpc.system.name"] == "grpc"
    assert span.attributes["server.port"] == 1
    assert span.attributes["rpc.response.status_code"] in {
        grpc.StatusCode.UNAVAILABLE.name,
        grpc.StatusCode.DEADLINE_EXCEEDED.name,
    }


def test_what_others_ask_by_the_same_call_is_linked(spans: Spans) -> None:
    first_is_out, may_answer = threading.Event(), threading.Event()

    def ask_all(questions: object) -> list[int]:
        first_is_out.set()
        assert may_answer.wait(60)
        return [1] * len(list(questions))  # type: ignore[call-overload]

    gathering: Gathering[int, int] = Gathering(ask_all, most=8)

    def ask(number: int) -> None:
        with tracing.span("internal", f"work {number}"):
            gathering.ask(number, patience_s=10)

    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(ask, 0)]
        assert first_is_out.wait(60)
        asked += [pool.submit(ask, 1), pool.submit(ask, 2)]
        while len(gathering._waiting) < 2:
            threading.Event().wait(0.001)
        may_answer.set()
        for one in asked:
            one.result()
    together = spans.named("ask together")
    works = {spans.named(f"work {number}").get_span_context().span_id for number in (1, 2)}
    assert together.parent is not None
    assert {together.parent.span_id, together.links[0].context.span_id} == works


def test_a_thread_goes_on_with_the_work_that_it_was_given(spans: Spans) -> None:
    def inner() -> None:
        with tracing.span("internal", "inner"):
            pass

    with tracing.span("internal", "outer"):
        carried, bare = tracing.carried(inner), inner
    for target in (carried, bare):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
    parents = [span.parent for span in spans.all() if span.name == "inner"]
    assert parents == [spans.named("outer").context, None]


@pytest.mark.parametrize(
    "traceparent", ["", "nonsense", "00-" + "0" * 32 + "-" + "1" * 16 + "-01", "\0", "00-" * 9999]
)
def test_a_context_that_is_none_begins_a_trace(spans: Spans, traceparent: str) -> None:
    tracing.start_span("server", "answer", {}, parent=traceparent).end()
    assert spans.named("answer").parent is None


def test_a_server_span_has_no_parent_but_the_one_that_came(spans: Spans) -> None:
    parent = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    with tracing.span("internal", "something else of this thread"):
        tracing.start_span("server", "with", {}, parent=parent).end()
        tracing.start_span("server", "without", {}).end()
    found = spans.named("with").parent
    assert found is not None
    assert (found.trace_id, found.is_remote) == (int("a" * 32, 16), True)
    assert spans.named("without").parent is None

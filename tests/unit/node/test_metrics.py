"""What Prometheus reads of a service: routes and events counted, and nothing of what was said."""

import io
import json
import re
import urllib.request
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import pytest
import structlog
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from support.gateway_world import GatewayWorld
from support.issuer_world import RESIDENT, IssuerWorld
from support.presentation_world import ATTRIBUTES

from client_sdk.credentials.jose import generate_key
from node.log import configure_logging
from node.metrics import REGISTRY
from node.web.server import _metrics_server

ROOT = Path(__file__).parents[3]


def read() -> str:
    return generate_latest(REGISTRY).decode()


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.fixture
def logged() -> Any:
    """The log of the `with` body's services, as their processes write it."""
    stream = io.StringIO()
    before = structlog.get_config()
    with redirect_stderr(stream):
        configure_logging()
        yield stream
    structlog.configure(**before)


def test_requests_are_counted_by_route_and_status(tmp_path: Path) -> None:
    labels = {"method": "GET", "route": "/requests/<id>", "status": "401"}
    before = value("tegata_http_requests_total", **labels)
    gateway = GatewayWorld(tmp_path)
    gateway.client.get(f"/requests/{'a' * 32}")
    gateway.client.open(f"/requests/{'a' * 32}", method="BREW")
    gateway.close()
    assert value("tegata_http_requests_total", **labels) == before + 1
    text = read()
    assert "BREW" not in text
    assert "a" * 32 not in text


def test_neither_metrics_nor_logs_hold_what_was_shown(tmp_path: Path, logged: io.StringIO) -> None:
    (tmp_path / "gateway").mkdir()
    (tmp_path / "issuer").mkdir()
    gateway = GatewayWorld(tmp_path / "gateway")
    created = gateway.create()
    answer = gateway.client.post(f"/oid4vp/responses/{created['id']}", data=gateway.answer(created))
    assert answer.status_code == 200
    assert gateway.read(created["id"])["attributes"]
    refused = gateway.answer(gateway.create(), nonce="n" * 22)
    gateway.client.post(f"/oid4vp/responses/{created['id']}", data=refused)
    issuer = IssuerWorld(tmp_path / "issuer")
    assert issuer.issue(generate_key())
    assert issuer.operator("/offers", {"attributes": {**RESIDENT, "sex": "x"}}).status_code == 422
    gateway.close()
    issuer.store.close()
    log, metrics = logged.getvalue(), read()
    assert '"event": "request"' in log
    assert value("tegata_events_total", event="request", level="info") > 0
    for text in (log, metrics):
        for attribute in (*ATTRIBUTES.values(), *RESIDENT.values()):
            if len(str(attribute)) > 2:
                assert str(attribute) not in text
                assert json.dumps(attribute).strip('"') not in text
    assert created["id"] not in metrics


def test_metrics_have_an_address_of_their_own() -> None:
    first = _metrics_server("127.0.0.1:0")
    port = int(first.address.rpartition(":")[2])
    second = _metrics_server(f"127.0.0.1:{port}")
    for server in (first, second):
        server.start()
    assert int(second.address.rpartition(":")[2]) > port
    with urllib.request.urlopen(f"http://{second.address}/metrics", timeout=10) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    assert "tegata_http_requests" in {family.name for family in families}
    for server in (first, second):
        server.stop()


def metric_names() -> set[str]:
    """Return the names of the node's and the services' metrics, as its modules say them."""
    ledger = (ROOT / "node" / "ledger" / "monitoring.py").read_text(encoding="utf-8")
    names = set(re.findall(r'"([a-z_]+)"', ledger))
    names |= {family.name for family in REGISTRY.collect()}
    suffixes = ("", "_total", "_bucket", "_count", "_sum")
    return {name + suffix for name in names for suffix in suffixes}


@pytest.mark.parametrize(
    "file", sorted((ROOT / "deploy/grafana/dashboards").glob("*.json")), ids=lambda file: file.stem
)
def test_dashboards_ask_for_metrics_that_there_are(file: Path) -> None:
    board = json.loads(file.read_text(encoding="utf-8"))
    assert board["uid"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    words = {"by", "histogram_quantile", "le", "rate", "sum", "time"}
    known = metric_names()
    for panel in board["panels"]:
        assert panel["targets"]
        for target in panel["targets"]:
            expression = re.sub(r"\{[^}]*\}|\[[^]]*\]|by \([^)]*\)", "", target["expr"])
            asked = set(re.findall(r"[a-z_]{2,}", expression)) - words
            assert asked <= known, target["expr"]

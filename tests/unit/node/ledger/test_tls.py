"""Torii over TLS, beside the plain port: who is let in, and which files are refused."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from support.command_line import run, run_inside_json, run_json
from support.processes import LedgerFolder, NodeProcess, make_ledger_folder
from support.threshold import deal
from support.tls_files import TlsFiles, make_tls_files

from client_sdk.credentials.jose import export_private_jwk, generate_key
from client_sdk.errors import KeyFormatError, OfferError, TransportError
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.commands import create_account, set_account_detail
from client_sdk.sealing.vault import CHEAPEST, Vault
from client_sdk.wallet import Wallet, WalletSession
from client_sdk.wallet.contents import WalletContents
from client_sdk.wallet.records import LedgerAccount
from node.cli.ledger_node import warn_of_plain
from node.config import LedgerAccess, load_certificates, save_secret
from node.errors import ConfigError
from node.escrow.app import run_escrow
from node.escrow.config import EscrowConfig, RecoveryKey
from node.keypair import save_keypair
from node.ledger.daemon import LedgerNode
from node.ledger.genesis import ADMIN_ACCOUNT
from node.service_account import ServiceAccount
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


def test_a_service_warns_where_others_can_read_along(tmp_path: Path, tls: TlsFiles) -> None:
    save_keypair(AccountKey.generate(), tmp_path / "key.priv")
    values = {
        "account": "gateway@gateway",
        "private_key_file": tmp_path / "key.priv",
        "ledger_id": "ab" * 32,
    }
    for address, roots, is_warned in (
        ("ledger.example:50051", None, True),
        ("[2001:db8::1]:50051", None, True),
        ("ledger.example:55552", tls.root, False),
        ("127.0.0.1:50051", None, False),
        ("[::1]:50051", None, False),
        ("localhost:50051", None, False),
    ):
        access = LedgerAccess.model_validate(
            {**values, "address": address, "root_certificates_file": roots}
        )
        with structlog.testing.capture_logs() as logs:
            ServiceAccount(access)
        assert [log["event"] for log in logs] == ["ledger_without_tls"] * is_warned


@pytest.fixture(scope="module")
def resident(folder: LedgerFolder, tls: TlsFiles, tls_address: str) -> WalletContents:
    """A wallet with an account, at a node that is not there any more."""
    key = AccountKey.generate()
    with connect(folder, tls_address, tls.root, 30) as client:
        client.submit(create_account("resident@holder", key.public_key))
        account = LedgerAccount(
            account_id="resident@holder",
            ledger_id=client.ledger_id(),
            torii="127.0.0.1:1",
            registered_by="city@issuer",
            issuer_url="https://issuer.example",
        )
    return WalletContents(seed=key.seed, trust_anchors="", account=account)


def save(contents: WalletContents, path: Path) -> Vault:
    return Vault.create(path, "passphrase", contents.to_fields(), profile=CHEAPEST)


@pytest.fixture
def vault(tmp_path: Path, resident: WalletContents) -> Iterator[Vault]:
    with closing(save(resident, tmp_path / "wallet")) as vault:
        yield vault


def test_a_wallet_moves_to_the_port_for_tls_and_stays_there(
    vault: Vault, tls: TlsFiles, tls_address: str
) -> None:
    with Wallet(WalletSession(vault)) as wallet:
        wallet.use_node(torii=tls_address, root_certificates=tls.root.read_bytes())
        assert wallet.guard.state().signatories == {wallet.public_key}
    with Wallet.open(vault.path, "passphrase") as wallet:
        assert wallet.account.torii == tls_address
        assert not wallet.account.is_exposed
        assert wallet.check_ledger().height >= 1


def test_a_wallet_stays_with_its_node_where_the_other_is_none(
    vault: Vault, tls: TlsFiles, tls_address: str, tmp_path: Path
) -> None:
    other = make_tls_files(tmp_path)
    with Wallet(WalletSession(vault, timeout_s=0.5)) as wallet:
        before = wallet.account
        for roots, error in (
            (other.root.read_bytes(), TransportError),
            (None, TransportError),
            (b"", KeyFormatError),
        ):
            with pytest.raises(error):
                wallet.use_node(torii=tls_address, root_certificates=roots)
        assert wallet.account == before


def test_a_wallet_stays_with_its_node_where_the_other_does_not_know_it(
    resident: WalletContents, tls: TlsFiles, tls_address: str, tmp_path: Path
) -> None:
    stranger = replace(resident, seed=AccountKey.generate().seed)
    with (
        closing(save(stranger, tmp_path / "other")) as vault,
        Wallet(WalletSession(vault)) as wallet,
    ):
        with pytest.raises(OfferError, match="does not know the wallet's account"):
            wallet.use_node(torii=tls_address, root_certificates=tls.root.read_bytes())
        assert wallet.account.torii == "127.0.0.1:1"


def test_the_command_line_moves_a_wallet_and_warns_of_a_plain_node(
    vault: Vault, tls: TlsFiles, tls_address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    use_node = ("wallet", "use-node", vault.path, "--passphrase", "passphrase")
    told = run_inside_json(*use_node, tls_address, "--root-certificates", tls.root)
    assert told == {"torii": tls_address, "tls": True}
    warn_of_plain("ledger.example:50051", None)
    assert "without TLS" in capsys.readouterr().err
    warn_of_plain(tls_address, None)
    assert capsys.readouterr().err == ""


def test_the_registry_is_read_over_tls(
    folder: LedgerFolder, tls: TlsFiles, tls_address: str, tmp_path: Path
) -> None:
    key = tmp_path / "registry.priv"
    save_keypair(folder.registry_key, key)
    arguments = ("registry", "list", "--torii", tls_address, "--key", key)
    assert run_inside_json(*arguments, "--root-certificates", tls.root) == []


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

"""`tegata doctor`: what is wrong is found, named and comes with what to do."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.command_line import run_inside
from support.gateway_world import write_config
from support.http_stand import HttpStand, Reply, json_reply
from support.presentation_world import World
from support.processes import LedgerFolder, NodeProcess, make_ledger_folder

from chaincode.transactions import block_hash
from client_sdk.ledger.account_key import AccountKey
from node.cli.doctor import EXIT_FINDINGS
from node.keypair import save_keypair
from node.ledger.genesis import ADMIN_ACCOUNT, load_genesis


def examine(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Run the command; return its exit code and the findings by subject."""
    done = run_inside("doctor", *arguments, "--json")
    return done.exit_code, {row["subject"]: row for row in json.loads(done.stdout)}


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a gateway that does not run, on a ledger that does not either."""
    monkeypatch.setattr("node.cli.doctor._TIMEOUT_S", 0.5)
    folder = tmp_path / "gateway"
    folder.mkdir()
    write_config(folder, World(), listen="127.0.0.1:1")
    for path in folder.glob("*.key"):
        path.chmod(0o600)
    save_keypair(AccountKey.generate(), folder / "gateway.priv")
    return folder


def test_the_machine_alone() -> None:
    code, found = examine()
    assert code == 0
    assert found["Python"]["grade"] == "good"
    assert {"tegata_ed25519", "tegata_grpc"} <= found.keys()


def test_an_empty_folder_and_one_that_is_not_there(tmp_path: Path) -> None:
    code, found = examine(str(tmp_path))
    assert code == EXIT_FINDINGS
    assert "tegata up" in found[str(tmp_path)]["mend"]
    code, found = examine(str(tmp_path / "nowhere"))
    assert code == EXIT_FINDINGS
    assert found[str(tmp_path / "nowhere")]["grade"] == "bad"


def test_a_service_that_does_not_run_is_a_note_and_its_ledger_a_finding(gateway: Path) -> None:
    code, found = examine(str(gateway.parent))
    assert code == EXIT_FINDINGS
    assert found["gateway.toml"]["grade"] == "good"
    assert found["gateway"]["grade"] == "note"
    assert "start" in found["gateway"]["mend"]
    assert found["gateway.toml: ledger"]["grade"] == "bad"
    assert "127.0.0.1:1" in found["gateway.toml: ledger"]["mend"]


def test_a_configuration_and_a_key_that_others_can_read(gateway: Path) -> None:
    (gateway / "city.key").chmod(0o644)
    (_, found) = examine(str(gateway))
    assert found["city.key"]["grade"] == "bad"
    assert found["city.key"]["mend"].startswith(f"chmod 600 {gateway / 'city.key'}")
    config = gateway / "gateway.toml"
    config.write_text(config.read_text().replace("public_url", "public_ulr"))
    code, found = examine(str(gateway))
    assert code == EXIT_FINDINGS
    assert "public_u" in found["gateway.toml"]["text"]


def test_a_public_key_may_be_read_by_all(gateway: Path) -> None:
    (gateway / "verification.jwk").write_text('{"kty": "OKP"}')
    (gateway / "signing.jwk").write_text('{"kty": "OKP", "d": "secret"}')
    _, found = examine(str(gateway))
    assert "verification.jwk" not in found
    assert found["signing.jwk"]["grade"] == "bad"


def test_a_lost_key_is_named(gateway: Path) -> None:
    (gateway / "gateway.priv").unlink()
    _, found = examine(str(gateway))
    assert "gateway.priv" in found["gateway.toml: ledger"]["text"]


@pytest.mark.parametrize(
    ("reply", "grade", "word"),
    [
        (json_reply({"status": "ok", "version": "0.0.1"}), "note", "0.0.1"),
        (json_reply({"status": "ok"}), "bad", "something else"),
        (Reply(body=b"<html>"), "bad", "something else"),
    ],
)
def test_what_answers_in_a_services_place(
    gateway: Path, reply: Reply, grade: str, word: str
) -> None:
    with HttpStand(lambda _: reply) as stand:
        config = gateway / "gateway.toml"
        config.write_text(config.read_text().replace('127.0.0.1:1"', f'{stand.address}"', 1))
        _, found = examine(str(gateway))
    assert found["gateway"]["grade"] == grade
    assert word in found["gateway"]["text"]


def test_a_running_ledger_and_one_that_is_another(
    gateway: Path, ledger_folder: LedgerFolder, ledger_node: NodeProcess
) -> None:
    save_keypair(ledger_folder.admin_key, gateway / "admin.priv")
    real = block_hash(load_genesis(ledger_folder.path / "genesis.block")).hex()
    config = gateway / "gateway.toml"
    lines = [
        f'address = "{ledger_node.address}"',
        f'account = "{ADMIN_ACCOUNT}"',
        'private_key_file = "admin.priv"',
    ]
    text = config.read_text()
    start = text.index("[ledger]")
    end = text.index("[[verifiers]]")
    for ledger, grade in ((real, "good"), ("0" * 64, "bad")):
        section = "\n".join(["[ledger]", *lines, f'ledger_id = "{ledger}"', "", ""])
        config.write_text(text[:start] + section + text[end:])
        _, found = examine(str(gateway))
        assert found["gateway.toml: ledger"]["grade"] == grade


def test_a_ledger_without_tls_over_a_network_is_worth_knowing(
    gateway: Path, tmp_path: Path
) -> None:
    config = gateway / "gateway.toml"
    text = config.read_text()
    # A name of this machine, but no resolver is bound to say so.
    config.write_text(
        re.sub(r'^address = ".*"', 'address = "node.localhost:1"', text, flags=re.MULTILINE)
    )
    ledger = make_ledger_folder(tmp_path / "ledger")
    (ledger.path / "node.toml").write_text('torii = "0.0.0.0:1"\n')
    notes = notes_without_tls(tmp_path)
    assert [note["subject"] for note in notes] == ["gateway.toml: ledger", "ledger node"]
    assert "root_certificates_file" in notes[0]["mend"]
    assert "torii_tls" in notes[1]["mend"]
    config.write_text(text)
    (ledger.path / "node.toml").write_text('torii = "127.0.0.1:1"\n')
    assert notes_without_tls(tmp_path) == []


def notes_without_tls(folder: Path) -> list[dict[str, Any]]:
    found = json.loads(run_inside("doctor", str(folder), "--json").stdout)
    return [row for row in found if row["grade"] == "note" and "TLS" in row["text"]]

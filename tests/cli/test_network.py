"""Making a network of peers: what is written for each, how it fits together, what is refused."""

import base64
import hashlib
import json
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
from support.command_line import run, run_inside

from chaincode.protocol.qry_responses_pb2 import HealthcheckData
from chaincode.replication import chain_id
from chaincode.transactions import block_hash
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.proofs import LedgerTrust
from node.errors import ConfigError, NetworkError, PeerUnreachableError
from node.ledger.config import NodeConfig
from node.ledger.genesis import load_genesis
from node.network.layout import PeerFolder, peer_folders


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("network") / "𠮷野 [net]"
    made = run_inside("network", "init", folder, "--first-port", "31000", "--json")
    assert made.exit_code == 0, made.output
    values = json.loads(made.output)
    assert values["torii"] == [f"127.0.0.1:{31000 + 10 * number}" for number in range(4)]
    assert values["headers"][3] == "http://127.0.0.1:31032"
    assert values["ledger"] == block_hash(load_genesis(folder / "peer1" / "genesis.block")).hex()
    return folder


def config_of(peer: PeerFolder) -> dict[str, Any]:
    return tomllib.loads((peer.home / "config" / "config.toml").read_text())


def json_of(peer: PeerFolder, name: str) -> Any:
    return json.loads((peer.home / "config" / name).read_bytes())


def test_a_peers_key_is_the_same_for_ledger_genesis_and_cometbft(network: Path) -> None:
    peers = peer_folders(network)
    assert [peer.name for peer in peers] == ["peer1", "peer2", "peer3", "peer4"]
    genesis = load_genesis(network / "peer1" / "genesis.block")
    ledger_id = block_hash(genesis).hex()
    voters = LedgerTrust.from_genesis(genesis, ledger_id).peer_keys
    validators = json_of(peers[0], "genesis.json")["validators"]
    for peer, validator in zip(peers, validators, strict=True):
        key = AccountKey.load(peer.path / "keys" / "node.priv")
        assert key.public_key in voters
        kept = json_of(peer, "priv_validator_key.json")
        assert kept["pub_key"] == validator["pub_key"]
        assert kept["address"] == validator["address"] == kept["address"].upper()
        assert base64.b64decode(kept["pub_key"]["value"]) == key.raw_public_key
        assert base64.b64decode(kept["priv_key"]["value"]) == key.seed + key.raw_public_key
        address = hashlib.sha256(key.raw_public_key).digest()[:20]
        assert bytes.fromhex(kept["address"]) == address
        assert json_of(peer, "genesis.json") == json_of(peers[0], "genesis.json")
        assert load_genesis(peer.path / "genesis.block") == genesis
    assert json_of(peers[0], "genesis.json")["chain_id"] == chain_id(ledger_id)


def test_the_peers_know_each_other(network: Path) -> None:
    peers = peer_folders(network)
    everybody = {peer.neighbour() for peer in peers}
    for peer in peers:
        neighbours = config_of(peer)["p2p"]["persistent_peers"].split(",")
        assert {*neighbours} == everybody - {peer.neighbour()}
    ports = {config_of(peer)["p2p"]["laddr"] for peer in peers}
    ports |= {f"tcp://{peer.torii()}" for peer in peers}
    ports |= {peer.rpc_url().replace("http", "tcp") for peer in peers}
    assert len(ports) == 12


def test_secrets_are_their_owners(network: Path) -> None:
    first = peer_folders(network)[0]
    secret = [*(first.path / "keys").glob("*.priv")]
    secret += [first.home / "config" / f"{name}_key.json" for name in ("node", "priv_validator")]
    assert len(secret) == 5
    for path in secret:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not [*(network / "peer2" / "keys").glob("admin*")]


def test_peers_with_hosts_of_their_own(tmp_path: Path) -> None:
    hosts = [word for number in range(2) for word in ("--host", f"ledger{number}.example")]
    made = run_inside("network", "init", tmp_path / "n", "--peers", "2", *hosts)
    assert made.exit_code == 0, made.output
    first, second = peer_folders(tmp_path / "n")
    assert (first.torii(), second.rpc_url()) == (
        "ledger0.example:50051",
        "http://ledger1.example:26657",
    )
    assert first.load_node().torii == "0.0.0.0:50051"
    neighbours = config_of(second)["p2p"]["persistent_peers"]
    assert neighbours == first.neighbour()
    assert neighbours.endswith("@ledger0.example:26656")
    result = run_inside("network", "add", tmp_path / "n", "--replay")
    assert result.exit_code == 2
    assert "--host is needed" in result.output


def test_a_network_is_not_made_twice(network: Path) -> None:
    before = {path: path.read_bytes() for path in network.rglob("*") if path.is_file()}
    again = run("network", "init", network)
    assert again.returncode == 5
    assert "not made twice" in again.stderr
    assert before == {path: path.read_bytes() for path in network.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "words",
    [
        ("--peers", "0"),
        ("--peers", "65"),
        ("--peers", "2", "--host", "one.example"),
        ("--first-port", "0"),
        ("--first-port", "65536"),
    ],
)
def test_a_wrong_command_line(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert run_inside("network", "init", tmp_path / "n", *words).exit_code == 2
    assert not (tmp_path / "n").exists()


@pytest.mark.parametrize(
    "words", [("--first-port", "65530"), ("--peers", "1", "--host", "two words")]
)
def test_a_place_that_cannot_be(tmp_path: Path, words: tuple[str, ...]) -> None:
    result = run_inside("network", "init", tmp_path / "n", *words)
    assert isinstance(result.exception, ConfigError)
    assert not [*tmp_path.rglob("*.priv")]


def test_one_more_peer(network: Path) -> None:
    result = run_inside("network", "add", network, "--replay", "--json")
    assert result.exit_code == 0, result.output
    made = json.loads(result.output)
    fifth = peer_folders(network)[-1]
    assert made["folder"] == str(fifth.path)
    assert made["torii"] == fifth.torii() == "127.0.0.1:31040"
    assert made["key"] == AccountKey.load(fifth.path / "keys" / "node.priv").public_key
    assert len(config_of(fifth)["p2p"]["persistent_peers"].split(",")) == 4
    assert json_of(fifth, "genesis.json") == json_of(peer_folders(network)[0], "genesis.json")
    assert not config_of(fifth)["statesync"]["enable"]


def test_a_network_that_does_not_run(network: Path) -> None:
    result = run_inside("network", "status", network, "--json")
    assert result.exit_code == 1
    status = json.loads(result.output)
    assert (status["height"], status["is_level"], status["is_agreed"]) == (0, False, None)
    assert "does not answer" in run_inside("network", "status", network).output
    result = run_inside("network", "add", network)
    assert isinstance(result.exception, NetworkError)
    assert "two running peers are needed" in str(result.exception)


def test_a_peer_that_is_not_there(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_inside("network", "admit", network, "peer99").exit_code == 2
    monkeypatch.setattr("node.cli.peers._PATIENCE_S", 0.1)
    result = run_inside("network", "dismiss", network, "peer2")
    assert isinstance(result.exception, PeerUnreachableError)


def test_who_goes_is_asked_last(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have come further than the others, which still wait for its vote."""
    asked, health = list[str](), LedgerClient.health

    def note(client: LedgerClient) -> HealthcheckData:
        asked.append(client._channel.address)
        return health(client)

    monkeypatch.setattr(LedgerClient, "health", note)
    monkeypatch.setattr("node.cli.peers._PATIENCE_S", 0.1)
    run_inside("network", "dismiss", network, "peer1")
    assert asked[:3] == [peer.torii() for peer in peer_folders(network)[1:4]]
    assert asked[-1] == peer_folders(network)[0].torii()


def test_a_folder_without_a_network(tmp_path: Path) -> None:
    for command in ("start", "status"):
        result = run_inside("network", command, tmp_path)
        assert isinstance(result.exception, ConfigError)
        assert "tegata network init makes one" in str(result.exception)


def test_the_configuration_is_one_that_the_node_takes(network: Path) -> None:
    for peer in peer_folders(network):
        config = peer.load_node()
        assert isinstance(config, NodeConfig)
        assert config.cometbft is not None
        assert config.cometbft.home == peer.home


def test_who_may_go_on_alone(network: Path) -> None:
    result = run_inside("network", "refound", network, "peer9", "--yes")
    assert (result.exit_code, "no peer's folder" in result.output) == (2, True)
    # Nobody has said that the others are off.
    assert run_inside("network", "refound", network, "peer1").exit_code == 1
    result = run_inside("network", "refound", network, "peer1", "--yes")
    assert isinstance(result.exception, NetworkError)
    assert "has not been replicated yet" in str(result.exception)

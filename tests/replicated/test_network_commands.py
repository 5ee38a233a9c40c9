"""`tegata network` beside peers that run."""

import json
import shutil
import tomllib

import pytest
from support.command_line import run_inside
from support.peer_lab import PeerLab

pytestmark = pytest.mark.xdist_group("replication")


def test_a_new_peer_begins_with_the_state_of_two_others(lab: PeerLab) -> None:
    """The header that its state is checked against is one that both have."""
    host = lab.peers[0].address.rpartition(".")[0] + ".99"
    before = lab.status(lab.peers[:2]).height
    result = run_inside("network", "add", lab.folder, "--host", host, "--json")
    assert result.exit_code == 0, result.output
    folder = lab.folder / json.loads(result.output)["folder"]
    config = tomllib.loads((folder / "cometbft" / "config" / "config.toml").read_text())
    shutil.rmtree(folder)
    sync = config["statesync"]
    assert sync["enable"]
    assert sync["rpc_servers"].split(",") == [peer.rpc for peer in lab.peers[:2]]
    assert before <= sync["trust_height"] <= lab.status(lab.peers[:2]).height
    assert len(bytes.fromhex(sync["trust_hash"])) == 32


def test_how_the_peers_are(lab: PeerLab) -> None:
    result = run_inside("network", "status", lab.folder, "--json")
    status = json.loads(result.output)
    assert (result.exit_code == 0) == status["is_level"]
    assert status["is_agreed"]
    assert status["height"] > 0
    first = status["peers"][0]
    assert (first["name"], first["power"]) == ("peer1", 1)
    assert first["neighbours"] >= 2
    assert "state agrees" in run_inside("network", "status", lab.folder).output

"""`tegata network` beside peers that run."""

import json
import os
import signal
import socket
import subprocess
import tomllib
from pathlib import Path

import pytest
from support.command_line import COMMAND, run_inside
from support.peer_lab import SNAPSHOT_INTERVAL, PeerLab, require_cometbft

from client_sdk.http.client import HttpClient
from client_sdk.ledger.commands import set_account_detail
from node.cli.demo.free_ports import free_ports
from node.ledger.genesis import ADMIN_ACCOUNT
from node.network.peer_status import deciding_peers

pytestmark = pytest.mark.xdist_group("replication")


def test_a_new_peer_begins_with_the_state_of_two_others(lab: PeerLab) -> None:
    """The header that its state is checked against is one that both have."""
    with lab.client(lab.peers[0]) as client:
        # Until two headers stand above a snapshot, for which a ledger at rest takes its time.
        for number in range(SNAPSHOT_INTERVAL + 2):
            client.submit(set_account_detail(ADMIN_ACCOUNT, "before", str(number)))
    before = lab.status(lab.peers[:2]).height
    joining = lab.add_place()
    result = run_inside("network", "add", lab.folder, "--host", joining.address, "--json")
    assert result.exit_code == 0, result.output
    folder = joining.folder.path
    assert json.loads(result.output)["folder"] == str(folder)
    config = tomllib.loads((folder / "cometbft" / "config" / "config.toml").read_text())
    sync = config["statesync"]
    assert sync["enable"]
    assert sync["rpc_servers"].split(",") == [peer.rpc for peer in lab.peers[:2]]
    assert before <= sync["trust_height"] <= lab.status(lab.peers[:2]).height
    assert len(bytes.fromhex(sync["trust_hash"])) == 32
    joining.start()
    joining.wait_ready()
    assert joining.process is not None
    joining.process.wait_for_log("snapshot restored")
    lab.wait_level()
    with lab.client(joining) as reader:
        found = reader.account_detail(ADMIN_ACCOUNT, "before", writer=ADMIN_ACCOUNT)
    assert found == str(SNAPSHOT_INTERVAL + 1)
    # Each command ends when it holds: a peer that is dismissed may be stopped at once.
    http = HttpClient(timeout_s=5)
    key = joining.folder.peer().peer_key
    for command, votes in (("admit", True), ("dismiss", False)):
        result = run_inside("network", command, lab.folder, folder.name)
        assert result.exit_code == 0, result.output
        assert (key in deciding_peers(lab.peers[0].rpc, http)) is votes
    assert joining.stop() == 0
    lab.remove_place(joining)


def test_how_the_peers_are(lab: PeerLab) -> None:
    result = run_inside("network", "status", lab.folder, "--wait", "120", "--json")
    status = json.loads(result.output)
    assert (result.exit_code, status["is_level"]) == (0, True)
    assert status["is_agreed"]
    assert status["height"] > 0
    first = status["peers"][0]
    assert (first["name"], first["power"]) == ("peer1", 1)
    assert first["neighbours"] >= 2
    shown = run_inside("network", "status", lab.folder, "--wait", "120").output
    assert "state agrees" in shown


@pytest.mark.parametrize(("flags", "peers"), [(("--json",), 2), ((), 1)])
def test_all_peers_on_this_machine(tmp_path: Path, flags: tuple[str, ...], peers: int) -> None:
    """They run until SIGTERM, are shown meanwhile, and are stopped then."""
    require_cometbft()
    folder, first = tmp_path / "n", free_ports(10 * peers)[0]
    words = ("network", "init", folder, "--peers", peers, "--first-port", first)
    assert run_inside(*map(str, words)).exit_code == 0
    process = subprocess.Popen(
        [COMMAND, "network", "start", folder, "--seconds", "0.3", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "120"},
    )
    assert process.stdout is not None
    try:
        if flags:
            for line in process.stdout:
                seen = json.loads(line)
                if seen["is_agreed"] and seen["height"] > 0:
                    break
            assert [peer["ended"] for peer in seen["peers"]] == [None, None]
            assert {peer["neighbours"] for peer in seen["peers"]} <= {0, 1}
        else:
            done = run_inside("network", "status", folder, "--wait", "120")
            assert done.exit_code == 0, done.output
    finally:
        process.send_signal(signal.SIGTERM)
        shown, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert flags or "peer1" in shown
    for port in range(first, first + 10 * peers):
        socket.create_server(("127.0.0.1", port)).close()


def test_peers_that_cannot_run(tmp_path: Path) -> None:
    folder = tmp_path / "n"
    assert run_inside("network", "init", folder, "--peers", "1").exit_code == 0
    (folder / "peer1" / "genesis.block").write_text("nonsense")
    done = subprocess.run(
        [COMMAND, "network", "start", folder, "--seconds", "0.2", "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "all peers have ended" in done.stderr
    assert "no genesis block" in (folder / "peer1" / "node.log").read_text()

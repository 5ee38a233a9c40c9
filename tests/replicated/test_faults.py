"""Four peers on a network that fails: killed, cut off, lied to, and restarted while clients work.

Each client checks every COMMITTED that it was told, and what all of them wrote and read must be
linearizable. `TEGATA_SOAK=1` goes on with faults by chance for minutes.
"""

import os
import random
import shutil
import time
from pathlib import Path

import pytest
from support.peer_lab import LabPeer, PeerLab, require_namespaces
from support.processes import wait_until
from support.register_history import RegisterClients

from client_sdk.errors import TransportError
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.commands import set_account_detail
from node.cli.main import EXIT_STORAGE
from node.ledger.genesis import ADMIN_ACCOUNT
from node.network.layout import write_peer

pytestmark = pytest.mark.xdist_group("replication")

LIAR = str(Path(__file__).with_name("lying_peer.py"))
SOAK_S = 60 * int(os.environ.get("MINUTES", "10"))


def at_work(lab: PeerLab, *, timeout_s: float = 4) -> RegisterClients:
    """Return clients that have begun at each peer, and go to the next when theirs fails."""

    def connect(number: int) -> LedgerClient:
        return lab.client(lab.peers[number], timeout_s=timeout_s)

    return RegisterClients(ADMIN_ACCOUNT, peers=4, connect=connect)


def check(lab: PeerLab, clients: RegisterClients) -> None:
    """Check that all peers agree, have kept what was told, and that the history is linearizable."""
    lab.wait_level()
    connections = [lab.client(peer) for peer in lab.peers]
    try:
        clients.check_kept(connections)
    finally:
        for one in connections:
            one.close()
    clients.check_linearizable()


def height_of(lab: PeerLab, peer: LabPeer) -> int:
    """Return CometBFT's height at a peer; 0 while it does not answer."""
    return lab.status([peer]).height


def forget_all_blocks(peer: LabPeer) -> None:
    """Let a peer that is stopped begin anew; what it has signed stays known to it."""
    shutil.rmtree(peer.folder.path / "data")
    kept = peer.folder.path / "cometbft" / "data"
    for path in kept.iterdir():
        if path.is_dir():
            shutil.rmtree(path)


def test_a_peer_that_is_killed_catches_up(lab: PeerLab) -> None:
    killed = lab.peers[3]
    with at_work(lab) as clients:
        clients.wait_for_more(10)
        killed.kill()
        clients.wait_for_more(10)
        killed.start()
        killed.wait_ready()
        clients.wait_for_more(10)
    check(lab, clients)


def test_a_peer_that_is_cut_off_comes_back(lab: PeerLab) -> None:
    lonely = lab.peers[1]
    with at_work(lab) as clients:
        clients.wait_for_more(5)
        lab.cut_off(lonely)
        clients.wait_for_more(10)
        stands = height_of(lab, lonely)
        clients.wait_for_more(10)
        # Alone it decides nothing, and still answers.
        assert height_of(lab, lonely) == stands < height_of(lab, lab.peers[0])
        with lab.client(lonely) as client:
            assert client.details(ADMIN_ACCOUNT, writer=ADMIN_ACCOUNT)
        lab.heal(lonely)
        clients.wait_for_more(5)
    check(lab, clients)


def test_with_two_of_four_down_writes_stop_and_reads_go_on(lab: PeerLab) -> None:
    with at_work(lab) as clients:
        clients.wait_for_more(5)
    lab.wait_level()
    for peer in lab.peers[2:]:
        peer.kill()
    left = lab.peers[:2]
    with lab.client(left[0], timeout_s=2) as client:
        with pytest.raises(TransportError):
            client.submit(set_account_detail(ADMIN_ACCOUNT, "late", "x"))
        # What all four had voted for when two of them were killed is decided by now.
        before = [height_of(lab, peer) for peer in left]
        with pytest.raises(TransportError):
            client.submit(set_account_detail(ADMIN_ACCOUNT, "later", "x"))
    with lab.client(left[0]) as client:
        clients.check_kept([client])
    assert [height_of(lab, peer) for peer in left] == before
    for peer in lab.peers[2:]:
        peer.start()
    # What waited is decided then.
    with lab.client(left[1]) as client:
        wait_until(
            lambda: client.account_detail(ADMIN_ACCOUNT, "later", writer=ADMIN_ACCOUNT) == "x",
            "the transaction that waited for a majority",
        )
    check(lab, clients)


def test_peers_are_restarted_one_after_another_under_load(lab: PeerLab) -> None:
    with at_work(lab) as clients:
        for peer in lab.peers:
            clients.wait_for_more(3)
            assert peer.stop() == 0
            clients.wait_for_more(3)
            peer.start()
            peer.wait_ready()
            others = [other for other in lab.peers if other is not peer]
            goal = height_of(lab, others[0])
            wait_until(lambda: height_of(lab, peer) >= goal, "the restarted peer at the top")  # noqa: B023
    check(lab, clients)


def test_a_peer_that_proposes_what_nobody_can_decode_is_outvoted(lab: PeerLab) -> None:
    liar = lab.peers[2]
    liar.stop()
    liar.start((LIAR, "garbage"))
    liar.wait_ready()
    witness = lab.peers[0].process
    assert witness is not None
    with at_work(lab) as clients:
        witness.wait_for_line(lambda line: "rejected a proposed block" in str(line.get("event")))
        clients.wait_for_more(10)
    liar.stop()
    liar.start()
    check(lab, clients)


def test_a_peer_that_signs_twice_is_found_out(lab: PeerLab) -> None:
    """Its key signs in two places, which propose different blocks: evidence of it is in a block."""
    signer, twin = lab.peers[3], lab.add_place()
    neighbours = [peer.folder.neighbour() for peer in lab.peers[:4]]
    write_peer(lab.folder, twin.place, neighbours, None)
    for name in ("cometbft/config/priv_validator_key.json", "keys/node.priv", "keys/node.pub"):
        shutil.copy(signer.folder.path / name, twin.folder.path / name)
    twin.start((LIAR, "empty"))
    twin.wait_ready()
    witnesses = [peer.process for peer in lab.peers[:3] if peer.process is not None]
    with at_work(lab) as clients:
        for witness in witnesses:
            witness.wait_for_line(
                lambda line: "broken the rules of consensus" in str(line.get("event"))
            )
        lab.remove_place(twin)
        clients.wait_for_more(10)
    check(lab, clients)


def test_a_peer_that_computes_another_state_stops_itself(lab: PeerLab) -> None:
    liar = lab.peers[2]
    liar.stop()
    liar.start((LIAR, "state"))
    assert liar.process is not None
    with at_work(lab) as clients:
        # The code by which systemd does not start it again.
        assert liar.process.wait() == EXIT_STORAGE
        assert "computed another state than the others" in str(liar.process.log)
        clients.wait_for_more(5)
    assert lab.status([lab.peers[0], lab.peers[1], lab.peers[3]]).is_agreed
    forget_all_blocks(liar)
    liar.start()
    check(lab, clients)


@pytest.mark.skipif("TEGATA_SOAK" not in os.environ, reason="the long form: make soak")
def test_faults_by_chance(tmp_path: Path) -> None:
    require_namespaces()
    seed = time.time_ns()
    chance = random.Random(seed)
    print(f"seed {seed}")
    with PeerLab(tmp_path) as lab:
        ends = time.monotonic() + SOAK_S
        while time.monotonic() < ends:
            # A history of some hundred operations: longer ones take the checker too long.
            with at_work(lab) as clients:
                for _ in range(3):
                    _one_fault(lab, chance, clients)
            check(lab, clients)


def _one_fault(lab: PeerLab, chance: random.Random, clients: RegisterClients) -> None:
    peer = chance.choice(lab.peers)
    clients.wait_for_more(chance.randint(1, 10))
    match chance.randrange(3):
        case 0:
            peer.kill()
            clients.wait_for_more(chance.randint(1, 20))
            peer.start()
        case 1:
            lab.cut_off(peer)
            clients.wait_for_more(chance.randint(1, 20))
            lab.heal(peer)
        case _:
            assert peer.stop() == 0
            clients.wait_for_more(chance.randint(1, 20))
            peer.start()
    if peer.process is not None:
        peer.wait_ready()

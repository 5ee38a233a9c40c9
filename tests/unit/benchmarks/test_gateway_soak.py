"""The gateway's soak, in short: pages and API at a rate, beside clients that mean it no good."""

import threading
from pathlib import Path

from support.gateway_world import GatewayWorld

from benchmarks.gateway_soak import Ask, SteadyLoad
from benchmarks.hostile_clients import HostileClients
from node.gateway.app import THREADS, is_stream
from node.web.server import WebServer

RATE = 50
SECONDS = 2


def test_hostile_clients_disturb_nobody(tmp_path: Path) -> None:
    """More connections than the server keeps: its own callers are answered all the same."""
    limits = {"verifier_rate": "100000/minute", "wallet_rate": "100000/minute"}
    gateway = GatewayWorld(tmp_path, changes=limits)
    request_id = gateway.create()["id"]
    asks = [
        Ask(method="GET", path=f"/requests/{request_id}", headers=gateway.headers()),
        Ask(method="GET", path=f"/oid4vp/requests/{request_id}", headers={}),
        Ask(method="GET", path="/login", headers={"Accept": "text/html"}, status=404),
        Ask(method="GET", path="/healthz", headers={}),
    ]
    server = WebServer(
        gateway.app, "127.0.0.1:0", threads=THREADS, is_stream=is_stream, connections=150
    )
    hostile = HostileClients(server.address, idle=200, slow=100)
    load = SteadyLoad(server.address, asks, RATE)
    stopped = threading.Event()
    threads = [
        threading.Thread(target=server.run),
        threading.Thread(target=hostile.run, args=(stopped.is_set,)),
    ]
    for thread in threads:
        thread.start()
    try:
        load.run(SECONDS)
    finally:
        stopped.set()
        threads[1].join()
        server.stop()
        threads[0].join()
        gateway.close()
    assert load.errors == []
    assert len(load.take_times()) == RATE * SECONDS
    # They were there, and were kept in bounds.
    assert hostile.closed["idle"] > 0
    assert hostile.closed["slow head"] > 0
    assert hostile.refused > 0
    assert hostile.taken == 0

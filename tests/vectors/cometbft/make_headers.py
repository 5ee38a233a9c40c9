"""Write headers.json: what the RPC of a real CometBFT with its own kvstore answers.

usage: make_headers.py COMETBFT

Four validators are in its genesis, three of them run, so that each commit lacks a vote.
Transactions of the kvstore take the fourth validator away and bring a fifth.
"""

import base64
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import requests

from client_sdk.ledger.account_key import AccountKey
from node.cli.demo.free_ports import free_addresses
from node.network.cometbft_config import CometBftNode, config_toml, genesis_json
from node.network.cometbft_keys import key_address, save_node_key, save_validator_key

RUNNING, CHAIN_ID = 3, "tegata-vectors"
PATIENCE_S = 60


def ask(url: str, method: str, **parameters: Any) -> Any:
    answer = requests.get(f"{url}/{method}", params=parameters, timeout=60).json()
    if "result" not in answer:
        raise RuntimeError(f"{method}: {answer}")
    return answer["result"]


def wait_for(url: str, height: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            if int(ask(url, "status")["sync_info"]["latest_block_height"]) >= height:
                return
        except requests.RequestException:
            pass
        if time.monotonic() > deadline:
            raise RuntimeError(f"height {height} was not reached")
        time.sleep(0.1)


def make(program: str, folder: Path) -> list[Any]:
    keys = [AccountKey(bytes([number]) * 32) for number in range(1, 6)]
    nodes = [AccountKey.generate() for _ in range(RUNNING)]
    addresses = free_addresses(2 * RUNNING)
    rpc, p2p = addresses[:RUNNING], addresses[RUNNING:]
    names = [f"{key_address(key)}@{one}" for key, one in zip(nodes, p2p, strict=True)]
    # A time that has passed: header 1 is of the time of genesis.
    genesis = genesis_json(CHAIN_ID, 1_764_115_200_123, keys[:4])
    processes = []
    for number in range(RUNNING):
        home = folder / f"node{number}"
        config, data = home / "config", home / "data"
        config.mkdir(parents=True)
        data.mkdir()
        node = CometBftNode(
            name=home.name,
            rpc=rpc[number],
            p2p=p2p[number],
            address=p2p[number],
            neighbours=[one for one in names if one != names[number]],
        )
        (config / "config.toml").write_text(config_toml(node))
        (config / "genesis.json").write_text(genesis)
        save_validator_key(keys[number], config, data)
        save_node_key(nodes[number], config)
        command = [program, "start", "--home", str(home), "--proxy_app=kvstore"]
        processes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
    url = f"http://{rpc[0]}"
    try:
        wait_for(url, 2)
        for transaction in (
            b"colour=blue",
            b"val=ed25519!" + base64.b64encode(keys[3].raw_public_key) + b"!0",
            b"val=ed25519!" + base64.b64encode(keys[4].raw_public_key) + b"!1",
            b"colour=red",
            b"colour=green",
        ):
            text = '"' + transaction.decode() + '"'
            done = ask(url, "broadcast_tx_commit", tx=text)
            if done["check_tx"]["code"] or done["tx_result"]["code"]:
                raise RuntimeError(f"{text} was refused: {done}")
        top = int(ask(url, "status")["sync_info"]["latest_block_height"])
        wait_for(url, top + 1)
        return [
            {
                "commit": ask(url, "commit", height=height),
                "validators": ask(url, "validators", height=height),
            }
            for height in range(1, top + 1)
        ]
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        blocks = make(sys.argv[1], Path(scratch))
    version = subprocess.run([sys.argv[1], "version"], capture_output=True, text=True, check=True)
    values = {"cometbft": version.stdout.strip(), "chain_id": CHAIN_ID, "blocks": blocks}
    text = json.dumps(values, indent=1) + "\n"
    Path(__file__).with_name("headers.json").write_text(text, encoding="utf-8")

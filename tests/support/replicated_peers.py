"""Peers of a replicated ledger for tests: each a process of its own, with its CometBFT."""

import base64
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from support.processes import DEADLINE_S, NodeProcess

from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.primitive_pb2 import Peer
from chaincode.replication import chain_id
from chaincode.transactions import block_hash
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from node.cli.demo.free_ports import free_ports
from node.keypair import save_keypair
from node.ledger.genesis import ADMIN_ACCOUNT, build_genesis, save_genesis

COMETBFT = os.environ.get("COMETBFT") or shutil.which(
    "cometbft", path=f"{Path(sys.prefix) / 'bin'}:{os.environ.get('PATH', '')}"
)
needs_cometbft = pytest.mark.skipif(
    not COMETBFT,
    reason="NOT TESTED: the replicated mode. There is no `cometbft`, since there is no Go to build "
    "it with: install Go, then `make test`",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicatedPeer:
    """One peer's folder, and where it is reached.

    Attributes:
        path: The folder, with `node.toml`.
        key: The peer's key, with which its CometBFT signs.
        p2p: The port of other peers.
        rpc: The port of CometBFT's JSON-RPC.
    """

    path: Path
    key: AccountKey
    p2p: int
    rpc: int

    @property
    def name(self) -> str:
        """`ID@host:port`, as CometBFT names a neighbour."""
        return f"{_address(self.key)}@127.0.0.1:{self.p2p}"

    def process(self) -> NodeProcess:
        """Start the peer."""
        return NodeProcess(self.path)

    def ask(self, method: str, **parameters: str) -> dict[str, Any]:
        """Return the result of a call of CometBFT's RPC."""
        answer = requests.get(
            f"http://127.0.0.1:{self.rpc}/{method}", parameters, timeout=60
        ).json()
        assert "result" in answer, answer
        result: dict[str, Any] = answer["result"]
        return result


class ReplicatedNetwork:
    """The files of peers that vote from the genesis block on; more may join.

    Attributes:
        peers: In their order.
        genesis: The genesis block.
    """

    def __init__(self, folder: Path, count: int, *, snapshot_interval: int = 1000) -> None:
        """Write the files of a new network.

        Args:
            folder: Where each peer gets a folder.
            count: How many vote.
            snapshot_interval: After how many blocks of CometBFT peers write a snapshot.
        """
        self._folder = folder
        self._snapshot_interval = snapshot_interval
        self.admin_key, self.registry_key = AccountKey.generate(), AccountKey.generate()
        keys = [AccountKey.generate() for _ in range(count)]
        self.genesis = build_genesis(
            peers=[
                Peer(address=f"127.0.0.1:{10001 + number}", peer_key=key.public_key)
                for number, key in enumerate(keys)
            ],
            admin_key=self.admin_key.public_key,
            registry_key=self.registry_key.public_key,
            created_time_ms=1,
        )
        ports = iter(free_ports(2 * count))
        self.peers = [
            ReplicatedPeer(path=folder / f"peer{number}", key=key, p2p=next(ports), rpc=next(ports))
            for number, key in enumerate(keys)
        ]
        for peer in self.peers:
            self._write(peer, self.peers)

    def add_peer(self, **settings: str) -> ReplicatedPeer:
        """Write the files of a peer that comes later, and return it.

        Args:
            settings: Of the table `statesync` of CometBFT's configuration.
        """
        p2p, rpc = free_ports(2)
        path = self._folder / f"peer{len(self.peers)}"
        peer = ReplicatedPeer(path=path, key=AccountKey.generate(), p2p=p2p, rpc=rpc)
        self._write(peer, self.peers, **settings)
        self.peers.append(peer)
        return peer

    def admin(self, address: str) -> LedgerClient:
        """Return a client that acts for `admin@tegata` at a peer."""
        return LedgerClient(address, ADMIN_ACCOUNT, self.admin_key, timeout_s=DEADLINE_S)

    def registry(self, address: str) -> LedgerClient:
        """Return a client that acts for `registry@tegata` at a peer."""
        return LedgerClient(address, REGISTRY_ACCOUNT, self.registry_key, timeout_s=DEADLINE_S)

    def _write(
        self, peer: ReplicatedPeer, neighbours: Sequence[ReplicatedPeer], **settings: str
    ) -> None:
        save_keypair(peer.key, peer.path / "keys" / "node.priv")
        save_genesis(self.genesis, peer.path / "genesis.block")
        config, data = peer.path / "cometbft" / "config", peer.path / "cometbft" / "data"
        config.mkdir(parents=True)
        data.mkdir()
        others = ",".join(other.name for other in neighbours if other is not peer)
        (peer.path / "node.toml").write_text(
            f'torii = "127.0.0.1:0"\n[cometbft]\nprogram = "{COMETBFT}"\n'
            f'rpc = "127.0.0.1:{peer.rpc}"\nsnapshot_interval = {self._snapshot_interval}\n',
            encoding="utf-8",
        )
        sync = "".join(f"{name} = {value}\n" for name, value in settings.items())
        (config / "config.toml").write_text(
            _CONFIG.format(p2p=peer.p2p, neighbours=others, sync=sync), encoding="utf-8"
        )
        (config / "genesis.json").write_text(_genesis_json(self.genesis), encoding="utf-8")
        key = _json_key(peer.key)
        (config / "node_key.json").write_text(json.dumps({"priv_key": key["priv_key"]}))
        (config / "priv_validator_key.json").write_text(json.dumps(key))
        (data / "priv_validator_state.json").write_text('{"height": "0", "round": 0, "step": 0}')


_CONFIG = """\
log_level = "info"
log_format = "json"
[rpc]
max_body_bytes = 1000000
max_request_batch_size = 10
[p2p]
laddr = "tcp://127.0.0.1:{p2p}"
persistent_peers = "{neighbours}"
persistent_peers_max_dial_period = "200ms"
addr_book_strict = false
allow_duplicate_ip = true
flush_throttle_timeout = "5ms"
max_packet_msg_payload_size = 32768
send_rate = 102400000
recv_rate = 102400000
[mempool]
max_tx_bytes = 1048576
[statesync]
{sync}
[consensus]
timeout_propose = "500ms"
timeout_propose_delta = "100ms"
timeout_prevote = "200ms"
timeout_precommit = "200ms"
timeout_commit = "20ms"
skip_timeout_commit = true
create_empty_blocks = false
create_empty_blocks_interval = "0s"
peer_gossip_sleep_duration = "5ms"
peer_query_maj23_sleep_duration = "200ms"
[tx_index]
indexer = "null"
"""


def _genesis_json(genesis: Block) -> str:
    """Return `genesis.json`; the validators are the ledger's to say."""
    return json.dumps(
        {
            "genesis_time": "2026-01-01T00:00:00Z",
            "chain_id": chain_id(block_hash(genesis).hex()),
            "initial_height": "1",
            "validators": [],
            "app_hash": "",
        }
    )


def _address(key: AccountKey) -> str:
    return hashlib.sha256(key.raw_public_key).digest()[:20].hex()


def _json_key(key: AccountKey) -> dict[str, Any]:
    public, private = key.raw_public_key, key.seed + key.raw_public_key
    return {
        "address": _address(key).upper(),
        "pub_key": {"type": "tendermint/PubKeyEd25519", "value": base64.b64encode(public).decode()},
        "priv_key": {
            "type": "tendermint/PrivKeyEd25519",
            "value": base64.b64encode(private).decode(),
        },
    }

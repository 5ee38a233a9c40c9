"""CometBFT's configuration for a Tegata peer: `config.toml` and `genesis.json`.

What is not written keeps CometBFT's default. The sizes belong together: a batch is one transaction,
and the longest detail of Iroha is 4 MiB long.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from chaincode.replication import APP_VERSION, MAX_BATCH_BYTES, VALIDATOR_POWER
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.light_client.trust import TRUSTING_PERIOD_S
from node.network.cometbft_keys import key_address, public_key_json

MAX_BLOCK_BYTES: Final = 22_020_096
"""CometBFT's own default of the 0.38 line; it has room for the longest batch."""
_MAX_EVIDENCE_BLOCKS: Final = 1_000_000
_MAX_EVIDENCE_BYTES: Final = 1_048_576
_NS_PER_S: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSync:
    """How a new peer gets the state without the blocks that led to it.

    Attributes:
        rpc_servers: URLs of the RPC of at least two peers.
        trust_height: A height whose header is known.
        trust_hash: That header's hash, 64 hex digits.
    """

    rpc_servers: Sequence[str]
    trust_height: int
    trust_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CometBftNode:
    """What differs from peer to peer.

    Attributes:
        name: What the peer is called in logs.
        rpc: `host:port` where clients ask.
        p2p: `host:port` that the port of other peers is bound to.
        address: `host:port` where other peers find it.
        neighbours: The other peers, each as `ID@host:port`.
        metrics: `host:port` for Prometheus; None where it is not asked.
        state_sync: How the state comes; None where the blocks are replayed.
    """

    name: str
    rpc: str
    p2p: str
    address: str
    neighbours: Sequence[str]
    metrics: str | None = None
    state_sync: StateSync | None = None


def config_toml(node: CometBftNode) -> str:
    """Return the text of `config.toml`."""
    sync = node.state_sync
    is_measured = str(node.metrics is not None).lower()
    return f"""\
# What is left out here keeps CometBFT's default (https://docs.cometbft.com/v0.38/core/configuration).
# The ledger node starts CometBFT, tells it where the two meet, and reads its log.
moniker = {_text(node.name)}
log_level = "error"
log_format = "json"

[rpc]
laddr = {_text(f"tcp://{node.rpc}")}
# The longest batch in base64, within JSON; the node sends many in one request.
max_body_bytes = {MAX_BATCH_BYTES * 2}
max_request_batch_size = 0

[p2p]
laddr = {_text(f"tcp://{node.p2p}")}
external_address = {_text(node.address)}
persistent_peers = {_text(",".join(node.neighbours))}
persistent_peers_max_dial_period = "2s"
# Peers of a private network, and of tests on one machine.
addr_book_strict = false
allow_duplicate_ip = true
# Large blocks soon, small ones at once.
flush_throttle_timeout = "10ms"
max_packet_msg_payload_size = 32768
send_rate = 102400000
recv_rate = 102400000

[mempool]
# What a block changed for a waiting batch, the next block finds out.
recheck = false
size = 20000
cache_size = 40000
max_txs_bytes = 268435456
max_tx_bytes = {MAX_BATCH_BYTES}

[statesync]
enable = {str(sync is not None).lower()}
rpc_servers = {_text(",".join(sync.rpc_servers) if sync else "")}
trust_height = {sync.trust_height if sync else 0}
trust_hash = {_text(sync.trust_hash if sync else "")}
trust_period = "{TRUSTING_PERIOD_S}s"
discovery_time = "5s"
chunk_request_timeout = "10s"

[consensus]
timeout_propose = "1s"
timeout_propose_delta = "500ms"
timeout_prevote = "500ms"
timeout_prevote_delta = "250ms"
timeout_precommit = "500ms"
timeout_precommit_delta = "250ms"
timeout_commit = "100ms"
skip_timeout_commit = true
# No block without transactions, but for one that signs a new state, and one in a while that says
# that the state is still the newest: proofs live by it.
create_empty_blocks = false
create_empty_blocks_interval = "20s"
peer_gossip_sleep_duration = "10ms"

[storage]
# Results of blocks are the ledger's business.
discard_abci_responses = true

[tx_index]
indexer = "null"

[instrumentation]
prometheus = {is_measured}
prometheus_listen_addr = {_text(node.metrics or "")}
"""


def genesis_json(
    chain_id: str,
    created_time_ms: int,
    validators: Sequence[AccountKey],
    initial_height: int = 1,
) -> str:
    """Return the text of `genesis.json`, the same for every peer.

    Args:
        chain_id: The chain's name.
        created_time_ms: The genesis block's time, milliseconds since 1970, UTC.
        validators: The keys of the peers that vote.
        initial_height: Of the first block.
    """
    time = datetime.fromtimestamp(created_time_ms / 1000, UTC)
    values = {
        "genesis_time": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "chain_id": chain_id,
        "initial_height": str(initial_height),
        "consensus_params": {
            "block": {"max_bytes": str(MAX_BLOCK_BYTES), "max_gas": "-1"},
            "evidence": {
                "max_age_num_blocks": str(_MAX_EVIDENCE_BLOCKS),
                "max_age_duration": str(TRUSTING_PERIOD_S * _NS_PER_S),
                "max_bytes": str(_MAX_EVIDENCE_BYTES),
            },
            "validator": {"pub_key_types": ["ed25519"]},
            "version": {"app": str(APP_VERSION)},
            "abci": {"vote_extensions_enable_height": "0"},
        },
        "validators": [
            {
                "address": key_address(key).upper(),
                "pub_key": public_key_json(key),
                "power": str(VALIDATOR_POWER),
                "name": "",
            }
            for key in validators
        ],
        "app_hash": "",
    }
    return json.dumps(values, indent=2) + "\n"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)

"""How a gateway reads a ledger whose node it does not trust: by proofs below signed headers."""

from typing import Final

from client_sdk.errors import LightBlockError
from client_sdk.http.client import HttpClient
from client_sdk.ledger.light_client import (
    CometBftRpc,
    LightBlockStore,
    LightClient,
    decode_light_block,
)
from client_sdk.ledger.proven_ledger import (
    FileCheckpoints,
    ProvenLedger,
    ProvingClient,
    follow_headers,
)
from node.gateway.config import GatewayConfig

_CHECKPOINT_S: Final = 1.0
"""How often the newest checkpoint or header is kept: one comes with each block."""
HEADER_TIMEOUT_S: Final = 5
"""How long a peer of the ledger may take to show a header."""


def build_reader(
    config: GatewayConfig, client: ProvingClient, http: HttpClient
) -> ProvenLedger | None:
    """Return what reads the ledger through proofs, where the configuration says so.

    Args:
        config: The configuration.
        client: The node that proves.
        http: How the peers are reached that show headers.
    """
    if not config.prove_ledger:
        return None
    return ProvenLedger(
        client,
        config.ledger.ledger_id,
        checkpoints=FileCheckpoints(config.checkpoint_file, pause_s=_CHECKPOINT_S),
        light_client=_light_client(config, client, http) if config.headers else None,
    )


def _light_client(config: GatewayConfig, client: ProvingClient, http: HttpClient) -> LightClient:
    kept = FileCheckpoints(config.header_file, pause_s=_CHECKPOINT_S)
    trusted = config.trusted_header
    return follow_headers(
        client,
        config.ledger.ledger_id,
        [CometBftRpc(url, http) for url in config.headers],
        kept,
        # One that is newer is better: what is vouched for here grows old with the file.
        trusted_header=None if trusted and _has_reached(kept, trusted[0]) else trusted,
    )


def _has_reached(kept: LightBlockStore, height: int) -> bool:
    block = kept.load()
    try:
        return block is not None and decode_light_block(block).header.height >= height
    except LightBlockError:
        return False

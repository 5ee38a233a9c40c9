"""A light client of a replicated ledger: its headers, verified without trust in any node."""

from client_sdk.ledger.light_client.client import LightBlockStore, LightClient
from client_sdk.ledger.light_client.cometbft_rpc import CometBftRpc, LightBlockSource
from client_sdk.ledger.light_client.light_block import LightBlock
from client_sdk.ledger.light_client.rpc_forms import decode_light_block, encode_light_block
from client_sdk.ledger.light_client.trust import ChainTrust, parse_trusted_header
from client_sdk.ledger.light_client.verification import check_light_block, verify_light_block

__all__ = [
    "ChainTrust",
    "CometBftRpc",
    "LightBlock",
    "LightBlockSource",
    "LightBlockStore",
    "LightClient",
    "check_light_block",
    "decode_light_block",
    "encode_light_block",
    "parse_trusted_header",
    "verify_light_block",
]

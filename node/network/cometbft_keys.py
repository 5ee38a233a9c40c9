"""Keys in the files of CometBFT: what a validator signs with, and what a node is known by."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Final

from chaincode.signatures import KeyAlgorithm
from client_sdk.ledger.account_key import AccountKey
from node.config import save_secret
from node.errors import ConfigError

_PUBLIC_TYPE: Final = "tendermint/PubKeyEd25519"
_PRIVATE_TYPE: Final = "tendermint/PrivKeyEd25519"
_ADDRESS_BYTES: Final = 20


def key_address(key: AccountKey) -> str:
    """Return what CometBFT calls a key, 40 hex digits; of a node's key its `ID`."""
    return hashlib.sha256(key.raw_public_key).digest()[:_ADDRESS_BYTES].hex()


def public_key_json(key: AccountKey) -> dict[str, str]:
    """Return the public half as CometBFT's JSON has it."""
    return {"type": _PUBLIC_TYPE, "value": base64.b64encode(key.raw_public_key).decode()}


def save_validator_key(key: AccountKey, config: Path, data: Path) -> None:
    """Write `priv_validator_key.json`, and the state of a validator that has signed nothing yet.

    Args:
        key: The peer's key, which the ledger names it by.
        config: CometBFT's folder `config`.
        data: CometBFT's folder `data`.

    Raises:
        ConfigError: It is no ed0120 key, or a file exists already.
    """
    if key.algorithm is not KeyAlgorithm.ED25519_SHA2:
        raise ConfigError(f"key {key.public_key}: CometBFT signs with plain Ed25519 (ed0120) only")
    values = {
        "address": key_address(key).upper(),
        "pub_key": public_key_json(key),
        "priv_key": _private_key_json(key),
    }
    save_secret(config / "priv_validator_key.json", json.dumps(values, indent=2) + "\n")
    state = {"height": "0", "round": 0, "step": 0}
    save_secret(data / "priv_validator_state.json", json.dumps(state, indent=2) + "\n")


def save_node_key(key: AccountKey, config: Path) -> None:
    """Write `node_key.json`, which a node proves itself by to its neighbours.

    Raises:
        ConfigError: The file exists already.
    """
    save_secret(config / "node_key.json", json.dumps({"priv_key": _private_key_json(key)}) + "\n")


def _private_key_json(key: AccountKey) -> dict[str, str]:
    both_halves = key.seed + key.raw_public_key
    return {"type": _PRIVATE_TYPE, "value": base64.b64encode(both_halves).decode()}

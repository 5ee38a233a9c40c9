"""What the peers of a replicated ledger agree on: its names at CometBFT, and the app hash.

The app hash commits to all that decides what later blocks do. It is SHA-256 of a tag, the height
of the chain (8 bytes, big-endian), the root of the log of blocks (32 bytes), whose last entry holds
the root of the whole world state, and the digest of what waits for signatures (32 bytes). The
header of height h at CometBFT carries the app hash of the ledger after CometBFT's block h - 1.
"""

import hashlib
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from chaincode.errors import DecodeError
from chaincode.signatures import KeyAlgorithm, parse_public_key

APP_VERSION: Final = 1
"""Counts the changes of the rules that all peers must make together (`version.app` of a header)."""
VALIDATOR_POWER: Final = 1
"""The power of each peer that votes, at CometBFT."""
MAX_BATCH_BYTES: Final = 16 * 1024 * 1024
"""How long a serialised batch may be, as one transaction of CometBFT: as long as a request."""

_TAG: Final = b"tegata app hash 1\x00"
_CHAIN_ID_DIGITS: Final = 32
_ADDRESS_BYTES: Final = 20


class BatchCode(IntEnum):
    """What a block of CometBFT did with one of its transactions: the code of its result.

    All but the first are told as failures, so that CometBFT forgets the bytes: a batch that waits
    may expire, and the same bytes may come again.
    """

    COMMITTED = 0
    REJECTED = 1
    PENDING = 2
    REPLAYED = 3
    REFUSED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class AppState:
    """What an app hash commits to.

    Attributes:
        height: The height of the chain: the size of the log of blocks.
        log_root: The root of that log, 32 bytes.
        pending_digest: The digest of what waits for signatures, 32 bytes.
    """

    height: int
    log_root: bytes
    pending_digest: bytes

    def app_hash(self) -> bytes:
        """Return the app hash, 32 bytes."""
        return hashlib.sha256(
            _TAG + self.height.to_bytes(8, "big") + self.log_root + self.pending_digest
        ).digest()


def chain_id(ledger_id: str) -> str:
    """Return what CometBFT calls the ledger of this id: it takes 50 characters at most."""
    return f"tegata-{ledger_id[:_CHAIN_ID_DIGITS]}"


def validator_address(public_key: str) -> bytes:
    """Return the 20 bytes by which CometBFT calls a peer that votes.

    Raises:
        DecodeError: It is no ed0120 key.
    """
    return hashlib.sha256(validator_key(public_key)).digest()[:_ADDRESS_BYTES]


def validator_key(public_key: str) -> bytes:
    """Return the 32 bytes by which CometBFT knows a peer that votes.

    Raises:
        DecodeError: It is no ed0120 key; CometBFT signs with plain Ed25519.
    """
    key = parse_public_key(public_key)
    if key.algorithm is not KeyAlgorithm.ED25519_SHA2:
        raise DecodeError(
            f"key {public_key}: a peer that votes needs an ed0120 key, as CometBFT signs with "
            "plain Ed25519"
        )
    return key.raw

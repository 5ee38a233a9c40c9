"""Where a light client begins: with the ledger's id, or with a header that somebody vouches for."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final, Self

from client_sdk.errors import LightBlockError
from client_sdk.ledger.light_client.light_block import LightBlock
from client_sdk.ledger.light_client.verification import check_light_block

TRUSTING_PERIOD_S: Final = 30 * 86_400
FIRST_HEIGHT: Final = 1


_HEADER: Final = re.compile(r"([1-9][0-9]{0,17}):([0-9A-Fa-f]{64})")


def parse_trusted_header(text: str) -> tuple[int, bytes]:
    """Return height and hash of a header that somebody vouches for, written as `HEIGHT:HASH`.

    Raises:
        LightBlockError: It is not written so.
    """
    found = _HEADER.fullmatch(text)
    if found is None:
        raise LightBlockError("HEIGHT:HASH is expected, the hash in hex")
    return int(found[1]), bytes.fromhex(found[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainTrust:
    """What is known of a chain before any header of it.

    Attributes:
        chain_id: The chain's name.
        height: Of the header to begin with.
        header_hash: That header's hash, 32 bytes; None where the peers' keys say enough.
        peer_keys: Returns the keys of the validators at that height, in the form that Iroha writes;
            None where the header's hash says enough.
    """

    chain_id: str
    height: int
    header_hash: bytes | None = None
    peer_keys: Callable[[], Collection[str]] | None = None

    @classmethod
    def in_header(cls, chain_id: str, height: int, header_hash: bytes) -> Self:
        """Return the trust in one header, whose hash came from somebody who is trusted."""
        return cls(chain_id=chain_id, height=height, header_hash=header_hash)

    @classmethod
    def in_peers(
        cls, chain_id: str, peer_keys: Collection[str] | Callable[[], Collection[str]]
    ) -> Self:
        """Return the trust in the peers that a ledger began with, which its id fixes.

        However long ago that was: who begins so trusts that more than two thirds of them have not
        given their keys away since.

        Args:
            chain_id: The chain's name.
            peer_keys: Their keys, or what returns them once they are asked for.
        """
        known = peer_keys if callable(peer_keys) else frozenset(peer_keys).copy
        return cls(chain_id=chain_id, height=FIRST_HEIGHT, peer_keys=known)

    def check(self, block: LightBlock) -> None:
        """Check that a block is the one to begin with.

        Raises:
            LightBlockError: It is not.
        """
        header = block.header
        if header.height != self.height:
            raise LightBlockError(f"header {header.height} was given for header {self.height}")
        check_light_block(block, self.chain_id)
        if self.header_hash is not None and header.hash() != self.header_hash:
            raise LightBlockError(f"header {self.height} is not the one that is trusted")
        if self.peer_keys is not None:
            validators = block.validators.validators
            # Of peers that count alike, each once: a power or key more would be another chain.
            if {one.public_key for one in validators} != set(self.peer_keys()) or any(
                one.power != validators[0].power for one in validators
            ):
                raise LightBlockError(
                    f"header {self.height}: its validators are not the peers of the genesis block"
                )

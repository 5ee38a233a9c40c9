"""A chain of signed headers in memory: any validators, any forks, and nodes that show them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from client_sdk.errors import HeaderUnavailableError, TransportError
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.light_client.light_block import (
    BlockId,
    Commit,
    CommitSignature,
    Header,
    LightBlock,
    Validator,
    ValidatorSet,
    VoteFlag,
)

CHAIN_ID: Final = "tegata-0123456789abcdef"
START_NS: Final = 1_800_000_000 * 10**9
BLOCK_NS: Final = 10**9
_NO_TIME_NS: Final = -62_135_596_800 * 10**9


def signer(name: str) -> AccountKey:
    """Return the same key for the same name, in every run."""
    return AccountKey(hashlib.sha256(f"validator {name}".encode()).digest())


def validator_set(names: Sequence[str], powers: dict[str, int] | None = None) -> ValidatorSet:
    """Return the set of named validators, in CometBFT's order: by power, then by address."""
    found = [
        Validator(key=signer(name).raw_public_key, power=(powers or {}).get(name, 1))
        for name in names
    ]
    return ValidatorSet(tuple(sorted(found, key=lambda one: (-one.power, one.address))))


def sign_block(
    header: Header,
    validators: ValidatorSet,
    signers: Sequence[str],
    *,
    against: Sequence[str] = (),
    commit_round: int = 0,
) -> LightBlock:
    """Return a block that some of its validators have signed, and some voted against."""
    keys = {signer(name).raw_public_key: signer(name) for name in (*signers, *against)}
    refused = {signer(name).raw_public_key for name in against}
    block_id = BlockId(
        hash=header.hash(), part_total=1, part_hash=hashlib.sha256(header.hash()).digest()
    )
    unsigned = Commit(height=header.height, round=commit_round, block_id=block_id, signatures=())
    votes = []
    for validator in validators.validators:
        if (key := keys.get(validator.key)) is None:
            flag, address, time_ns = VoteFlag.ABSENT, b"", _NO_TIME_NS
        else:
            flag = VoteFlag.NIL if validator.key in refused else VoteFlag.COMMIT
            address, time_ns = validator.address, header.time_ns + 5
        vote = CommitSignature(flag=flag, address=address, time_ns=time_ns, signature=b"")
        if key is not None:
            signature = bytes.fromhex(key.sign(unsigned.sign_bytes(header.chain_id, vote)))
            vote = replace(vote, signature=signature)
        votes.append(vote)
    return LightBlock(
        header=header, commit=replace(unsigned, signatures=tuple(votes)), validators=validators
    )


@dataclass(slots=True)
class HeaderChain:
    """A chain whose blocks all of their validators sign.

    Attributes:
        blocks: From height 1.
    """

    chain_id: str = CHAIN_ID
    blocks: list[LightBlock] = field(default_factory=list)

    def extend(
        self,
        *sets: Sequence[str],
        app_hash: bytes = b"\x00" * 32,
        signers: Sequence[str] | None = None,
        data: bytes = b"",
    ) -> None:
        """Add a block for each set of validators; the last set signs also what comes next."""
        for number, names in enumerate(sets):
            following = sets[min(number + 1, len(sets) - 1)]
            self.add(names, following, app_hash=app_hash, signers=signers, data=data)

    def add(
        self,
        names: Sequence[str],
        following: Sequence[str],
        *,
        app_hash: bytes = b"\x00" * 32,
        signers: Sequence[str] | None = None,
        data: bytes = b"",
    ) -> LightBlock:
        """Add one block, and return it."""
        below = self.blocks[-1] if self.blocks else None
        validators = validator_set(names)
        header = Header(
            block_version=11,
            app_version=1,
            chain_id=self.chain_id,
            height=len(self.blocks) + 1,
            time_ns=START_NS + len(self.blocks) * BLOCK_NS,
            last_block_id=below.commit.block_id
            if below
            else BlockId(hash=b"", part_total=0, part_hash=b""),
            last_commit_hash=b"c" * 32 if below else b"",
            data_hash=hashlib.sha256(data).digest(),
            validators_hash=validators.hash(),
            next_validators_hash=validator_set(following).hash(),
            consensus_hash=b"p" * 32,
            app_hash=app_hash,
            last_results_hash=b"r" * 32,
            evidence_hash=b"e" * 32,
            proposer_address=validators.validators[0].address,
        )
        block = sign_block(header, validators, names if signers is None else signers)
        self.blocks.append(block)
        return block


@dataclass(slots=True)
class ChainNode:
    """A node that shows a chain.

    Attributes:
        chain: What it shows.
        name: What it is called.
        asked: The heights that it was asked for; None is the newest.
        lowest: The first height that it still has.
        is_reachable: While False, nobody gets an answer.
    """

    chain: HeaderChain
    name: str = "node"
    asked: list[int | None] = field(default_factory=list)
    lowest: int = 1
    is_reachable: bool = True

    def light_block(self, height: int | None = None) -> LightBlock:
        """Return the block at a height, or the newest."""
        self.asked.append(height)
        if not self.is_reachable:
            raise TransportError(f"{self.name}: cannot be reached")
        wanted = len(self.chain.blocks) if height is None else height
        if not self.lowest <= wanted <= len(self.chain.blocks):
            raise HeaderUnavailableError(f"{self.name}: no header {wanted}")
        return self.chain.blocks[wanted - 1]


@dataclass(slots=True)
class KeptBlock:
    """Keeps a block in memory."""

    data: bytes | None = None

    def load(self) -> bytes | None:
        """Return what was saved last."""
        return self.data

    def save(self, block: bytes) -> None:
        """Keep a block."""
        self.data = block

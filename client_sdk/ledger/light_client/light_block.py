"""Signed headers of CometBFT and the validators that signed them, as its RPC shows them.

Nothing is checked here. What is hashed and signed follows CometBFT's specification of
its data structures (`spec/core/data_structures.md`) and encoding (`spec/core/encoding.md`).
"""

import hashlib
import io
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from google.protobuf import proto
from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.wrappers_pb2 import BytesValue, Int64Value, StringValue

from chaincode.merkle import MerkleTree, hash_leaf
from chaincode.protocol import light_client_pb2 as messages
from chaincode.signatures import KeyAlgorithm, PublicKey

ADDRESS_BYTES: Final = 20
NS_PER_S: Final = 1_000_000_000
_PRECOMMIT: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockId:
    """What stands for a block: the hash of its header, and that of its parts.

    Attributes:
        hash: 32 bytes; none for no block.
        part_total: How many parts it was sent in.
        part_hash: The root over them, 32 bytes or none.
    """

    hash: bytes
    part_total: int
    part_hash: bytes

    def message(self) -> messages.BlockId:
        """Return what is hashed and signed of it."""
        parts = messages.PartSetHeader(total=self.part_total, hash=self.part_hash)
        return messages.BlockId(hash=self.hash, part_set_header=parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The header of a block. Each hash is that of its name in CometBFT.

    Attributes:
        block_version: The version of the block protocol.
        app_version: The version of the application.
        chain_id: The chain's name.
        height: From 1.
        time_ns: When the validators decided it, nanoseconds since 1970, UTC.
        last_block_id: The block below.
        app_hash: What the state is committed to that the block *below* leads to.
    """

    block_version: int
    app_version: int
    chain_id: str
    height: int
    time_ns: int
    last_block_id: BlockId
    last_commit_hash: bytes
    data_hash: bytes
    validators_hash: bytes
    next_validators_hash: bytes
    consensus_hash: bytes
    app_hash: bytes
    last_results_hash: bytes
    evidence_hash: bytes
    proposer_address: bytes

    def hash(self) -> bytes:
        """Return the root of a Merkle tree over the fields, 32 bytes."""
        version = messages.ConsensusVersion(block=self.block_version, app=self.app_version)
        fields = [
            version,
            StringValue(value=self.chain_id),
            Int64Value(value=self.height),
            timestamp(self.time_ns),
            self.last_block_id.message(),
            BytesValue(value=self.last_commit_hash),
            BytesValue(value=self.data_hash),
            BytesValue(value=self.validators_hash),
            BytesValue(value=self.next_validators_hash),
            BytesValue(value=self.consensus_hash),
            BytesValue(value=self.app_hash),
            BytesValue(value=self.last_results_hash),
            BytesValue(value=self.evidence_hash),
            BytesValue(value=self.proposer_address),
        ]
        return MerkleTree([hash_leaf(field.SerializeToString()) for field in fields]).root


class VoteFlag(IntEnum):
    """What a validator's place in a commit holds (`BlockIDFlag`)."""

    ABSENT = 1
    COMMIT = 2
    NIL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitSignature:
    """One validator's place in a commit.

    Attributes:
        flag: Whether it voted, and whether for the block.
        address: Which validator; none where it did not vote.
        time_ns: Its clock, nanoseconds since 1970, UTC.
        signature: 64 bytes; none where it did not vote.
    """

    flag: VoteFlag
    address: bytes
    time_ns: int
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """The precommits that decided a block, in the order of its validators."""

    height: int
    round: int
    block_id: BlockId
    signatures: tuple[CommitSignature, ...]

    def sign_bytes(self, chain_id: str, vote: CommitSignature) -> bytes:
        """Return what a validator signed: its canonical vote with its length before it."""
        block_id = self.block_id.message() if vote.flag is VoteFlag.COMMIT else None
        canonical = messages.CanonicalVote(
            type=_PRECOMMIT,
            height=self.height,
            round=self.round,
            block_id=block_id,
            timestamp=timestamp(vote.time_ns),
            chain_id=chain_id,
        )
        output = io.BytesIO()
        proto.serialize_length_prefixed(canonical, output)
        return output.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class Validator:
    """One who signs blocks.

    Attributes:
        key: Its Ed25519 key, 32 bytes.
        power: How much its vote weighs.
    """

    key: bytes
    power: int

    @property
    def address(self) -> bytes:
        """The 20 bytes that commits name it by."""
        return hashlib.sha256(self.key).digest()[:ADDRESS_BYTES]

    @property
    def public_key(self) -> str:
        """The key in the form that Iroha writes."""
        return PublicKey(KeyAlgorithm.ED25519_SHA2, self.key).encode()


@dataclass(frozen=True, slots=True)
class ValidatorSet:
    """The validators of a block, in CometBFT's order."""

    validators: tuple[Validator, ...]

    @property
    def power(self) -> int:
        """The weight of all votes together."""
        return sum(validator.power for validator in self.validators)

    def hash(self) -> bytes:
        """Return the root of a Merkle tree over keys and powers, 32 bytes."""
        leaves = [
            messages.SimpleValidator(
                pub_key=messages.PublicKey(ed25519=validator.key), voting_power=validator.power
            ).SerializeToString()
            for validator in self.validators
        ]
        return MerkleTree([hash_leaf(leaf) for leaf in leaves]).root


@dataclass(frozen=True, slots=True, kw_only=True)
class LightBlock:
    """All that a light client reads of a block."""

    header: Header
    commit: Commit
    validators: ValidatorSet


def timestamp(time_ns: int) -> Timestamp:
    """Return a time as protobuf has it."""
    seconds, nanos = divmod(time_ns, NS_PER_S)
    return Timestamp(seconds=seconds, nanos=nanos)

"""Credentials that are anchored together, and the proof that each carries of it.

The proof cannot be signed by the issuer, since the root is not known before all are signed. The
issuer gives it beside the credential (`tegata_inclusion`), the wallet keeps it, and the holder
signs it into the key binding (`inclusion` of the claim `tegata`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from chaincode.encoding import JsonObject, JsonValue, decode_base64url, encode_base64url
from chaincode.errors import DecodeError, ProofInvalidError
from chaincode.ids import RECORD_ID
from chaincode.merkle import MerkleTree, check_inclusion, hash_leaf
from chaincode.records import MAX_BATCH, BatchRecord
from client_sdk.errors import AnchorError, CredentialFormatError

PART_LEAVES: Final = 1024
"""How many leaves a part of a large batch has, but for the last part."""
_MAX_PATH: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Inclusion:
    """Where in which batch a credential is anchored.

    Attributes:
        batch: The id of the `tg_batch_` record on the issuer's account.
        index: The credential's place, from 0.
        path: The siblings from its leaf up to the root, 32 bytes each; at most 20.
    """

    batch: str
    index: int
    path: tuple[bytes, ...]

    def check(self, salted_hash: bytes, record: BatchRecord) -> None:
        """Check that a credential is one of those that a record anchors.

        Args:
            salted_hash: 32 bytes, of the credential.
            record: The record of the id `batch`.

        Raises:
            AnchorError: It is not.
        """
        try:
            check_inclusion(
                hash_leaf(salted_hash),
                index=self.index,
                count=record.count,
                path=self.path,
                root=record.root,
            )
        except ProofInvalidError as error:
            raise AnchorError(f"the credential is not in the batch: {error}") from None

    def to_json(self) -> JsonObject:
        """Return the proof as it is sent and kept."""
        path: list[JsonValue] = [encode_base64url(node) for node in self.path]
        return {"batch": self.batch, "index": self.index, "path": path}

    @classmethod
    def from_json(cls, value: JsonValue) -> Self:
        """Return the proof that a JSON object stands for.

        Raises:
            CredentialFormatError: It is not well formed.
        """
        match value:
            case {"batch": str(batch), "index": int(index), "path": list(path), **more} if (
                not more
                and RECORD_ID.fullmatch(batch)
                and not isinstance(index, bool)
                and 0 <= index < MAX_BATCH
                and len(path) <= _MAX_PATH
            ):
                return cls(batch=batch, index=index, path=tuple(_node(node) for node in path))
        raise CredentialFormatError("inclusion: batch, index and path are expected")


class LargeBatch:
    """A batch that is built in parts, so that its leaves need never be in memory at once."""

    __slots__ = ("_above", "_batch")

    def __init__(self, batch: str, part_roots: Sequence[bytes]) -> None:
        """Join the parts.

        Args:
            batch: The id of the `tg_batch_` record.
            part_roots: `part_root` of each part, in order; at least one.
        """
        self._batch = batch
        self._above = MerkleTree(part_roots)

    @staticmethod
    def part_root(leaves: Sequence[bytes]) -> bytes:
        """Return what stands for the leaves of one part: `PART_LEAVES`, or fewer in the last."""
        return MerkleTree(leaves).root

    @property
    def root(self) -> bytes:
        """The root of the whole batch."""
        return self._above.root

    def inclusion(self, index: int, part: Sequence[bytes]) -> Inclusion:
        """Return the proof of a leaf.

        Args:
            index: The leaf's place in the batch, from 0.
            part: The leaves of its part, that is from `index - index % PART_LEAVES` on.
        """
        number, place = divmod(index, PART_LEAVES)
        path = MerkleTree(part).path(place) + self._above.path(number)
        return Inclusion(batch=self._batch, index=index, path=path)


def build_batch(batch: str, salted_hashes: Sequence[bytes]) -> tuple[bytes, list[Inclusion]]:
    """Return the root over credentials, and each one's proof, in the order given.

    The leaves stand in ascending order of their hashes: so their order tells nothing of whose
    credentials lie beside each other.

    Args:
        batch: The id that the `tg_batch_` record will have.
        salted_hashes: 32 bytes each; 1 to `MAX_BATCH` different ones.
    """
    leaves = [hash_leaf(salted_hash) for salted_hash in salted_hashes]
    order = sorted(range(len(leaves)), key=leaves.__getitem__)
    tree = MerkleTree([leaves[place] for place in order])
    index_of = {place: index for index, place in enumerate(order)}
    return tree.root, [
        Inclusion(batch=batch, index=index_of[place], path=tree.path(index_of[place]))
        for place in range(len(leaves))
    ]


def _node(value: JsonValue) -> bytes:
    try:
        node = decode_base64url(value) if isinstance(value, str) else b""
    except DecodeError:
        node = b""
    if len(node) != 32:
        raise CredentialFormatError("inclusion: path holds 32 bytes each, in base64url")
    return node

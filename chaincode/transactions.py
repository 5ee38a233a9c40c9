"""Hashes of transactions, queries and blocks, and the transaction whose form has been checked."""

import hashlib
from dataclasses import dataclass

from google.protobuf.message import Message

from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.transaction_pb2 import Transaction


def hash_payload(payload: Message) -> bytes:
    """Return SHA3-256 of a serialised payload, 32 bytes.

    The message is serialised anew, as irohad does: unknown fields stay, their order may change.
    """
    return hash_bytes(payload.SerializeToString())


def hash_bytes(payload: bytes) -> bytes:
    """Return SHA3-256 of the bytes of a serialised payload, 32 bytes."""
    return hashlib.sha3_256(payload).digest()


def transaction_hash(transaction: Transaction) -> bytes:
    """Return a transaction's hash, 32 bytes. Signatures are not part of it."""
    return hash_payload(transaction.payload)


def creator_of(transaction: Transaction) -> str:
    """Return the account that made a transaction; empty in a genesis block that names none."""
    return transaction.payload.reduced_payload.creator_account_id


def histories_of(transaction: Transaction) -> frozenset[tuple[str, str]]:
    """Return the histories that a transaction belongs to, as (account, asset).

    It belongs to that of its creator, of no asset (""); and for each asset that it transfers, to
    those of source, destination and creator.
    """
    reduced = transaction.payload.reduced_payload
    creator = reduced.creator_account_id
    histories = {(creator, "")}
    for command in reduced.commands:
        if command.HasField("transfer_asset"):
            transfer = command.transfer_asset
            accounts = (transfer.src_account_id, transfer.dest_account_id, creator)
            histories.update((account, transfer.asset_id) for account in accounts)
    return frozenset(histories)


def block_hash(block: Block) -> bytes:
    """Return a block's hash, 32 bytes. Signatures are not part of it."""
    return hash_payload(block.block_v1.payload)


@dataclass(frozen=True, slots=True)
class ValidTransaction:
    """A transaction that `stateless.validate_transaction` has accepted.

    Nothing else makes one, but `multisignature`, which joins the signatures of several.

    Attributes:
        message: The signed transaction.
        hash: 32 bytes.
        signatories: The keys whose signatures verify, lower-case hex, each once.
    """

    message: Transaction
    hash: bytes
    signatories: frozenset[str]

    @property
    def creator(self) -> str:
        """The account that made the transaction."""
        return creator_of(self.message)

    @property
    def quorum(self) -> int:
        """How many signatures the transaction asks for."""
        return self.message.payload.reduced_payload.quorum

    @property
    def created_time_ms(self) -> int:
        """When its creator says that it was made, milliseconds since 1970, UTC."""
        return self.message.payload.reduced_payload.created_time

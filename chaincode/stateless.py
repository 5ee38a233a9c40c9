"""What bytes and a clock alone can decide: the form of transactions and queries, and signatures.

Raises only `InvalidTransactionError` and `InvalidQueryError`; their text goes to the client.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from google.protobuf.message import Message

from chaincode.errors import InvalidQueryError, InvalidTransactionError, SignatureInvalidError
from chaincode.field_rules import COMMAND_FIELDS, QUERY_FIELDS, account_id, broken_rule, quorum
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import Signature
from chaincode.protocol.queries_pb2 import Query
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.signatures import verify_signature
from chaincode.transactions import ValidTransaction, transaction_hash

MAX_FUTURE_MS: Final = 5 * 60 * 1000
MAX_COMMANDS: Final = 10_000
"""Far above any client's need; a request could hold millions of empty ones. It does not bound the
genesis block."""
MAX_SIGNATURES: Final = 256
"""Twice the highest quorum. irohad has no limit, and would verify as many as fit in 128 MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeWindow:
    """When a transaction or query may have been made, to be accepted now.

    Attributes:
        now_ms: Milliseconds since 1970, UTC. It may lie up to 5 minutes behind the creator's clock.
        max_past_ms: How old it may be; irohad's `max_past_created_hours` is 24 by default.
    """

    now_ms: int
    max_past_ms: int = 24 * 60 * 60 * 1000

    def problem(self, created_time_ms: int) -> str | None:
        """Return what is wrong with a creation time, or None."""
        if created_time_ms > self.now_ms + MAX_FUTURE_MS:
            return f"{created_time_ms} lies more than 5 minutes ahead of the node"
        if created_time_ms < self.now_ms - self.max_past_ms:
            return f"{created_time_ms} is older than the node accepts"
        return None


def validate_transaction(message: Transaction, window: TimeWindow | None) -> ValidTransaction:
    """Return the transaction, now known to be well formed and signed by the keys that it names.

    There may be none or fewer than its quorum: that is for its batch to decide.

    Args:
        message: The decoded transaction.
        window: When it may have been made; None where its block has settled that.

    Raises:
        InvalidTransactionError: A rule is broken; the text names the field.
    """
    reduced = message.payload.reduced_payload
    if problem := account_id(reduced.creator_account_id):
        raise InvalidTransactionError(f"creator_account_id: {problem}")
    if problem := quorum(reduced.quorum):
        raise InvalidTransactionError(f"quorum: {problem}")
    if window and (problem := window.problem(reduced.created_time)):
        raise InvalidTransactionError(f"created_time: {problem}")
    if len(message.signatures) > MAX_SIGNATURES:
        raise InvalidTransactionError(f"signatures: at most {MAX_SIGNATURES} are expected")
    if not 1 <= len(reduced.commands) <= MAX_COMMANDS:
        raise InvalidTransactionError(f"commands: 1 to {MAX_COMMANDS} are expected")
    validate_commands(reduced.commands)
    return ValidTransaction(message, transaction_hash(message), _verify_signatures(message))


def validate_commands(commands: Iterable[Command]) -> None:
    """Check the form of a transaction's commands.

    Raises:
        InvalidTransactionError: A rule is broken; the text names the command and the field.
    """
    for index, command in enumerate(commands):
        name = command.WhichOneof("command")
        if name is None:
            raise InvalidTransactionError(f"command {index}: none is set")
        body = getattr(command, name)
        where = f"command {index}, {body.DESCRIPTOR.name}"
        if name == "transfer_asset" and body.src_account_id == body.dest_account_id:
            raise InvalidTransactionError(f"{where}: source and destination are the same")
        if problem := broken_rule(body, COMMAND_FIELDS[name]):
            raise InvalidTransactionError(f"{where}, {problem}")


def validate_query(query: Query, window: TimeWindow) -> str:
    """Return the key, lower-case hex, that is now known to have signed a well-formed query.

    Raises:
        InvalidQueryError: A rule is broken; the text names the field.
    """
    payload = query.payload
    if problem := account_id(payload.meta.creator_account_id):
        raise InvalidQueryError(f"creator_account_id: {problem}")
    if problem := window.problem(payload.meta.created_time):
        raise InvalidQueryError(f"created_time: {problem}")
    if payload.meta.query_counter < 1:
        raise InvalidQueryError("query_counter: a number above 0 is expected")
    name = payload.WhichOneof("query")
    if name is None:
        raise InvalidQueryError("query: none is set")
    body: Message = getattr(payload, name)
    if problem := broken_rule(body, QUERY_FIELDS[name]):
        raise InvalidQueryError(f"{body.DESCRIPTOR.name}, {problem}")
    try:
        return _verify(query.signature, payload.SerializeToString())
    except SignatureInvalidError as error:
        raise InvalidQueryError(f"signature: {error}") from None


def _verify_signatures(message: Transaction) -> frozenset[str]:
    data = message.payload.SerializeToString()
    try:
        return frozenset(_verify(signature, data) for signature in message.signatures)
    except SignatureInvalidError as error:
        raise InvalidTransactionError(f"signatures: {error}") from None


def _verify(signature: Signature, payload: bytes) -> str:
    return verify_signature(
        public_key=signature.public_key, signature=signature.signature, payload=payload
    ).encode()

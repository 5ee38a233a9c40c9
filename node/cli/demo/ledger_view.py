"""All that a ledger stores, command by command, for a person to read."""

from collections.abc import Iterator
from dataclasses import dataclass

from chaincode.errors import DecodeError
from chaincode.protocol.commands_pb2 import Command
from chaincode.records import RESERVED_PREFIX, decode_record, parse_record_key
from client_sdk.ledger.client import LedgerClient


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One command of a committed transaction.

    Attributes:
        height: Its block.
        creator: The account that sent it.
        command: Its name.
        fields: All its fields; an identity record is decoded.
    """

    height: int
    creator: str
    command: str
    fields: dict[str, str]


def read_entries(ledger: LedgerClient, *, above: int) -> Iterator[LedgerEntry]:
    """Yield every command in the blocks above a height, in order.

    Raises:
        QueryFailedError: The client's account may not read blocks.
        TransportError: The node cannot be reached.
    """
    top = ledger.height()
    for height in range(above + 1, top + 1):
        for transaction in ledger.block(height).block_v1.payload.transactions:
            reduced = transaction.payload.reduced_payload
            for command in reduced.commands:
                yield LedgerEntry(
                    height=height,
                    creator=reduced.creator_account_id,
                    command=type(_body(command)).__name__,
                    fields=_fields(command),
                )


def _body(command: Command) -> object:
    body: object = getattr(command, command.WhichOneof("command") or "")
    return body


def _fields(command: Command) -> dict[str, str]:
    body = _body(command)
    descriptor = getattr(body, "DESCRIPTOR")  # noqa: B009 - every message class has one
    fields = {field.name: str(getattr(body, field.name)) for field in descriptor.fields}
    key = fields.get("key", "")
    if key.startswith(RESERVED_PREFIX):
        try:
            kind, _ = parse_record_key(key)
            record = decode_record(fields.pop("value"), kind)
        except DecodeError:
            return fields
        fields |= {name: _short(value) for name, value in record.to_fields().items()}
    return fields


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 120 else f"{text[:110]}..."

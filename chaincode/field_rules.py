"""The stateless rule of each kind of field: account ids, amounts, hashes, pages...

A rule takes a field's value and returns what is wrong with it: nothing, reasons, or a part that
breaks rules. Names and words are those of irohad's `FieldValidator`, whose text clients see.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from chaincode import ids
from chaincode.broken_rules import BrokenRule, Finding, gather
from chaincode.permissions import ALL_GRANTABLE_PERMISSIONS, ALL_ROLE_PERMISSIONS
from chaincode.protocol.commands_pb2 import CallEngine
from chaincode.protocol.primitive_pb2 import Peer
from chaincode.protocol.queries_pb2 import TxPaginationMeta

MAX_DETAIL_BYTES: Final = 4 * 1024 * 1024
MAX_DESCRIPTION_BYTES: Final = 100 * 1024
MAX_PRECISION: Final = 255
MAX_QUORUM: Final = 128
MAX_HASHES: Final = 10_000
"""Of one query. irohad has no limit."""
_MAX_NAME_LENGTH: Final = 4096
"""No longer name can be stored, and a pattern takes 200 bytes of memory for each character."""
_AMOUNTS_END: Final = 2**256
_AMOUNT_DIGITS: Final = len(str(_AMOUNTS_END))
_HASH_BYTES: Final = 32
_FIRST_TIME_MS: Final = -62_135_596_800_000
"""The beginning of the year 1."""
_LAST_TIME_MS: Final = 253_402_300_799_000
"""The last second of the year 9999."""

FieldRule: TypeAlias = Callable[[Any], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Optional:
    """The rule of a field that the sender may leave out: it is looked at only where it is set."""

    rule: FieldRule


FieldRules: TypeAlias = Mapping[str, FieldRule | Optional]


def field_findings(body: Message, rules: FieldRules) -> Iterator[Finding]:
    """Yield what is wrong with the fields of `body`, in the order of `rules`."""
    for field, rule in rules.items():
        if isinstance(rule, Optional):
            if body.HasField(field):
                yield from rule.rule(getattr(body, field))
        else:
            yield from rule(getattr(body, field))


def _matches(name: str, pattern: re.Pattern[str], hint: str = "") -> FieldRule:
    quoted = f"' does not match regex '{pattern.pattern}'.{hint}"

    def rule(value: str) -> Iterable[BrokenRule]:
        if len(value) <= _MAX_NAME_LENGTH and pattern.fullmatch(value):
            return ()
        return (BrokenRule(name, (f"passed value: '{value}{quoted}",)),)

    return rule


account_id: Final = _matches("AccountId", ids.ACCOUNT_ID)
account_name: Final = _matches("AccountName", ids.NAME)
asset_name: Final = _matches("AssetName", ids.NAME)
role_id: Final = _matches("RoleId", ids.NAME)
domain_id: Final = _matches("Domain", ids.DOMAIN_ID)
asset_id: Final = _matches("AssetId", ids.ASSET_ID)
detail_key: Final = _matches("DetailKey", ids.DETAIL_KEY)
public_key: Final = _matches("PublicKeyHex", ids.PUBLIC_KEY)
signature_hex: Final = _matches("SignatureHex", ids.PUBLIC_KEY)
evm_address: Final = _matches(
    "EvmHexAddress", ids.EVM_ADDRESS, " Hex encoded 20-byte address expected"
)
peer_address: Final = _matches(
    "PeerAddress",
    ids.PEER_ADDRESS,
    " Field should have a valid 'host:port' format where host is IPv4 or a hostname following"
    " RFC1035, RFC1123 specifications",
)


def quorum(value: int) -> Iterable[BrokenRule]:
    """A quorum: 1 to 128."""
    if 1 <= value <= MAX_QUORUM:
        return ()
    return (BrokenRule("Quorum", (f"Quorum should be within range [1, {MAX_QUORUM}]",)),)


def _is_hex(value: str) -> bool:
    return not value.strip("0123456789abcdefABCDEF")


def engine_input(value: str) -> Iterable[BrokenRule]:
    """The input of a contract: whole bytes in hex."""
    # Counted, not matched: it may be megabytes long.
    if len(value) % 2 == 0 and _is_hex(value):
        return ()
    pattern = "([0-9a-fA-F][0-9a-fA-F])*"
    text = f"passed value: '{value}' does not match regex '{pattern}'. Hex encoded string expected"
    return (BrokenRule("Hex", (text,)),)


def amount(value: str) -> Iterable[BrokenRule]:
    """An amount: above 0, and below 2^256 when the point is left out."""
    digits = value.replace(".", "", 1).lstrip("0")
    is_number = ids.AMOUNT.fullmatch(value) and len(digits) <= _AMOUNT_DIGITS
    if is_number and 0 < int(digits or "0") < _AMOUNTS_END:
        return ()
    return (BrokenRule("Amount", ("Invalid number, amount must be greater than 0",)),)


def description(value: str) -> Iterable[BrokenRule]:
    """The description of a transfer."""
    if len(value.encode()) <= MAX_DESCRIPTION_BYTES:
        return ()
    reason = f"Size should be less or equal '{MAX_DESCRIPTION_BYTES}'."
    return (BrokenRule("Description", (reason,)),)


def detail_value(value: str) -> Iterable[BrokenRule]:
    """The value of an account's detail."""
    if len(value.encode()) <= MAX_DETAIL_BYTES:
        return ()
    reason = f"Detail value size should be less or equal '{MAX_DETAIL_BYTES}' characters"
    return (BrokenRule("AccountDetailValue", (reason,)),)


def height(value: int) -> Iterable[BrokenRule]:
    """The height of a block."""
    if value > 0:
        return ()
    return (BrokenRule("Height", (f"Should be > 0, passed value: {value}.",)),)


def transaction_hash(value: str) -> Iterable[BrokenRule]:
    """The hash of a transaction."""
    # irohad reads text that is no hex as an empty hash.
    size = len(value) // 2 if len(value) % 2 == 0 and _is_hex(value) else 0
    if size == _HASH_BYTES:
        return ()
    return (BrokenRule("Hash", (f"Invalid size: {size}, should be {_HASH_BYTES}.",)),)


def transaction_hashes(values: Sequence[str]) -> Iterator[Finding]:
    """The hashes of transactions, one at least."""
    if not values:
        yield "tx_hashes cannot be empty"
    if len(values) > MAX_HASHES:
        yield f"at most {MAX_HASHES} tx_hashes are answered"
        return
    for value in values:
        yield from transaction_hash(value)


def page_size(value: int) -> Iterable[BrokenRule]:
    """How many entries a page may have."""
    if value > 0:
        return ()
    reason = "Passed value is zero (0), while it must be a non-zero positive."
    return (BrokenRule("PageSize", (reason,)),)


def _part(name: str, rules: FieldRules) -> FieldRule:
    """Return the rule of a message inside another one."""

    def rule(body: Message) -> Iterable[BrokenRule]:
        problem = gather(name, field_findings(body, rules))
        return (problem,) if problem else ()

    return rule


peer: Final = _part("Peer", {"address": peer_address, "peer_key": public_key})
transaction_page: Final = _part(
    "TxPaginationMeta", {"page_size": page_size, "first_tx_hash": Optional(transaction_hash)}
)
asset_page: Final = _part(
    "AssetPaginationMeta", {"page_size": page_size, "first_asset_id": Optional(asset_id)}
)
_first_record: Final = _part("AccountDetailRecordId", {"writer": account_id, "key": detail_key})
detail_page: Final = _part(
    "AccountDetailPaginationMeta",
    {"page_size": page_size, "first_record_id": Optional(_first_record)},
)


# What irohad checks first, in the message as it came (its `ProtoCommandValidator` and
# `ProtoQueryValidator`).


def key_form(value: str) -> Iterable[BrokenRule]:
    """A public key: hex digits."""
    return () if _is_hex(value) else (BrokenRule("Public key", ("Not in hex format",)),)


def peer_form(value: Peer) -> Iterable[BrokenRule]:
    """A peer: its key is hex."""
    return key_form(value.peer_key)


def precision_form(value: int) -> Iterable[BrokenRule]:
    """An asset's precision: 0 to 255."""
    if value <= MAX_PRECISION:
        return ()
    reason = f"Precision should be within range [0, {MAX_PRECISION}]"
    return (BrokenRule("Precision", (reason,)),)


def permissions_form(values: Sequence[int]) -> Iterator[str]:
    """A role's permissions: known ones."""
    # Counted first: a request holds millions, one byte each.
    if len(values) > len(ALL_ROLE_PERMISSIONS):
        yield f"At most {len(ALL_ROLE_PERMISSIONS)} permissions are allowed."
    elif not ALL_ROLE_PERMISSIONS.issuperset(values):
        for number, value in enumerate(values, start=1):
            if value not in ALL_ROLE_PERMISSIONS:
                yield f"Permission #{number} is invalid."


def grantable_form(value: int) -> Iterable[str]:
    """A grantable permission: a known one."""
    return () if value in ALL_GRANTABLE_PERMISSIONS else ("Invalid grantable permission.",)


def engine_form(value: int) -> Iterable[str]:
    """The engine that runs a contract: a known one."""
    return () if value in CallEngine.EngineType.values() else ("Unknown engine type.",)


def transaction_page_form(page: TxPaginationMeta) -> Iterable[BrokenRule]:
    """A page of transactions: its first hash is hex; its times and heights are in range and order.

    Only the first fault is told.
    """
    reason = next(_page_faults(page), None)
    return (BrokenRule("TxPaginationMeta", (reason,)),) if reason else ()


def _page_faults(page: TxPaginationMeta) -> Iterator[str]:
    if not _is_hex(page.first_tx_hash):
        yield "First tx hash from pagination meta is not a hex string."
    first_time, last_time = _milliseconds(page.first_tx_time), _milliseconds(page.last_tx_time)
    for name, time in (("First", first_time), ("Last", last_time)):
        if not _FIRST_TIME_MS <= time <= _LAST_TIME_MS:
            yield f"{name} tx time from pagination meta is not a proper value."
    for name in ("First", "Last"):
        field = f"{name.lower()}_tx_height"
        if page.HasField(field) and not getattr(page, field):
            yield f"{name} tx Height from pagination meta is not a proper value."
    if page.HasField("last_tx_height") and page.first_tx_height > page.last_tx_height:
        yield (
            "Last tx Height from pagination meta should be equal or greater than first tx height"
        )
    if page.HasField("first_tx_time") and page.HasField("last_tx_time") and first_time > last_time:
        yield "Last tx time from pagination meta should be equal or greater than first tx time"


def _milliseconds(time: Timestamp) -> int:
    return time.seconds * 1000 + time.nanos // 1_000_000

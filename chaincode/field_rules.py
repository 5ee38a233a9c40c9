"""The stateless rule of every field of every command and query (Iroha 1 documentation, "Commands").

A rule takes a field's value and returns what is wrong with it, or None.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from chaincode import ids
from chaincode.permissions import ALL_GRANTABLE_PERMISSIONS, ALL_ROLE_PERMISSIONS
from chaincode.protocol.commands_pb2 import CallEngine
from chaincode.protocol.primitive_pb2 import AccountDetailRecordId, Peer
from chaincode.protocol.queries_pb2 import (
    AccountDetailPaginationMeta,
    AssetPaginationMeta,
    Direction,
    Field,
    Ordering,
    TxPaginationMeta,
)

MAX_DETAIL_BYTES: Final = 4 * 1024 * 1024
MAX_DESCRIPTION_BYTES: Final = 100 * 1024
MAX_PRECISION: Final = 255
MAX_QUORUM: Final = 128
_AMOUNTS_END: Final = 2**256
_AMOUNT_DIGITS: Final = len(str(_AMOUNTS_END))
_FIRST_SECOND: Final = -62_135_596_800
"""The beginning of the year 1."""
_LAST_SECOND: Final = 253_402_300_799
"""The end of the year 9999."""
MAX_HASHES: Final = 100
"""A query reads a block for each hash, and a block may be large. irohad has no limit."""

FieldRule: TypeAlias = Callable[[Any], str | None]
FieldRules: TypeAlias = Mapping[str, FieldRule]


def broken_rule(body: Message, rules: FieldRules) -> str | None:
    """Return the first field of `body` that breaks its rule, and how; None where all hold.

    A field that the sender may leave out is only looked at where it is set.
    """
    for field, rule in rules.items():
        descriptor = body.DESCRIPTOR.fields_by_name[field]
        optional = descriptor.containing_oneof or rule in _MAY_BE_LEFT_OUT
        if optional and not body.HasField(field):
            continue
        if problem := rule(getattr(body, field)):
            return f"{field}: {problem}"
    return None


def _matches(pattern: re.Pattern[str]) -> FieldRule:
    def rule(value: str) -> str | None:
        return None if pattern.fullmatch(value) else f"does not match {pattern.pattern}"

    return rule


account_id: Final = _matches(ids.ACCOUNT_ID)
_name: Final = _matches(ids.NAME)
_domain_id: Final = _matches(ids.DOMAIN_ID)
_asset_id: Final = _matches(ids.ASSET_ID)
_callee: Final = _matches(ids.EVM_ADDRESS)
_engine_input: Final = _matches(ids.EVM_INPUT)
_detail_key: Final = _matches(ids.DETAIL_KEY)
_public_key: Final = _matches(ids.PUBLIC_KEY)
_hash: Final = _matches(ids.HASH)


def quorum(value: int) -> str | None:
    """A quorum: 1 to 128."""
    return None if 1 <= value <= MAX_QUORUM else f"a number from 1 to {MAX_QUORUM} is expected"


def _detail_value(value: str) -> str | None:
    size = len(value.encode())
    return f"{size} bytes, {MAX_DETAIL_BYTES} are allowed" if size > MAX_DETAIL_BYTES else None


def _amount(value: str) -> str | None:
    """An amount: above 0, and below 2^256 when the point is left out."""
    digits = value.replace(".", "", 1).lstrip("0")
    if not ids.AMOUNT.fullmatch(value) or len(digits) > _AMOUNT_DIGITS:
        return f"does not match {ids.AMOUNT.pattern}"
    return None if 0 < int(digits or "0") < _AMOUNTS_END else "a number above 0 is expected"


def _description(value: str) -> str | None:
    size = len(value.encode())
    if size > MAX_DESCRIPTION_BYTES:
        return f"{size} bytes, {MAX_DESCRIPTION_BYTES} are allowed"
    return None


def _precision(value: int) -> str | None:
    in_range = value <= MAX_PRECISION
    return None if in_range else f"a number from 0 to {MAX_PRECISION} is expected"


def _engine_type(value: int) -> str | None:
    return None if value in CallEngine.EngineType.values() else "an unknown engine"


def _free(_value: object) -> str | None:
    return None


def _peer(peer: Peer) -> str | None:
    return broken_rule(peer, {"address": _matches(ids.PEER_ADDRESS), "peer_key": _public_key})


def _permissions(values: Sequence[int]) -> str | None:
    # Counted first: a request holds millions, one byte each.
    if len(values) > len(ALL_ROLE_PERMISSIONS):
        return f"{len(values)} permissions, {len(ALL_ROLE_PERMISSIONS)} are allowed"
    return None if ALL_ROLE_PERMISSIONS.issuperset(values) else "an unknown permission"


def _grantable(value: int) -> str | None:
    return None if value in ALL_GRANTABLE_PERMISSIONS else "an unknown permission"


def _above_zero(value: int) -> str | None:
    return None if value > 0 else "a number above 0 is expected"


def _hashes(values: Sequence[str]) -> str | None:
    if not 1 <= len(values) <= MAX_HASHES:
        return f"1 to {MAX_HASHES} are expected"
    return next((problem for value in values if (problem := _hash(value))), None)


def _ordering(ordering: Ordering) -> str | None:
    for entry in ordering.sequence:
        if entry.field not in Field.values() or entry.direction not in Direction.values():
            return "an unknown field or direction"
    return None


def _time(time: Timestamp) -> str | None:
    if _FIRST_SECOND <= time.seconds <= _LAST_SECOND:
        return None
    return "a time from the year 1 to the year 9999 is expected"


def _transaction_page(page: TxPaginationMeta) -> str | None:
    if problem := broken_rule(page, _TRANSACTION_PAGE):
        return problem
    if _are_set(page, "height") and page.first_tx_height > page.last_tx_height:
        return "last_tx_height: lies before first_tx_height"
    if _are_set(page, "time") and _nanoseconds(page.first_tx_time) > _nanoseconds(
        page.last_tx_time
    ):
        return "last_tx_time: lies before first_tx_time"
    return None


def _are_set(page: TxPaginationMeta, what: str) -> bool:
    return page.HasField(f"first_tx_{what}") and page.HasField(f"last_tx_{what}")


def _nanoseconds(time: Timestamp) -> int:
    return time.seconds * 1_000_000_000 + time.nanos


def _pending_page(page: TxPaginationMeta) -> str | None:
    return _transaction_page(page)


def _asset_page(page: AssetPaginationMeta) -> str | None:
    return broken_rule(page, {"page_size": _above_zero, "first_asset_id": _asset_id})


def _detail_record(record: AccountDetailRecordId) -> str | None:
    return broken_rule(record, {"writer": account_id, "key": _detail_key})


def _detail_page(page: AccountDetailPaginationMeta) -> str | None:
    return broken_rule(page, {"page_size": _above_zero, "first_record_id": _detail_record})


_MAY_BE_LEFT_OUT: Final = (_asset_page, _detail_page, _detail_record, _pending_page)
_TRANSACTION_PAGE: Final[FieldRules] = {
    "page_size": _above_zero,
    "first_tx_hash": _hash,
    "ordering": _ordering,
    "first_tx_time": _time,
    "last_tx_time": _time,
    "first_tx_height": _above_zero,
    "last_tx_height": _above_zero,
}


COMMAND_FIELDS: Final[Mapping[str, FieldRules]] = {
    "add_asset_quantity": {"asset_id": _asset_id, "amount": _amount, "description": _free},
    "add_peer": {"peer": _peer},
    "add_signatory": {"account_id": account_id, "public_key": _public_key},
    "append_role": {"account_id": account_id, "role_name": _name},
    "call_engine": {
        "type": _engine_type,
        "caller": account_id,
        "callee": _callee,
        "input": _engine_input,
    },
    "compare_and_set_account_detail": {
        "account_id": account_id,
        "key": _detail_key,
        "value": _detail_value,
        "old_value": _detail_value,
    },
    "create_account": {
        "account_name": _name,
        "domain_id": _domain_id,
        "public_key": _public_key,
    },
    "create_asset": {"asset_name": _name, "domain_id": _domain_id, "precision": _precision},
    "create_domain": {"domain_id": _domain_id, "default_role": _name},
    "create_role": {"role_name": _name, "permissions": _permissions},
    "detach_role": {"account_id": account_id, "role_name": _name},
    "grant_permission": {"account_id": account_id, "permission": _grantable},
    "remove_peer": {"public_key": _public_key},
    "remove_signatory": {"account_id": account_id, "public_key": _public_key},
    "revoke_permission": {"account_id": account_id, "permission": _grantable},
    "set_account_detail": {"account_id": account_id, "key": _detail_key, "value": _detail_value},
    "set_account_quorum": {"account_id": account_id, "quorum": quorum},
    "set_setting_value": {"key": _free, "value": _free},
    "subtract_asset_quantity": {"asset_id": _asset_id, "amount": _amount, "description": _free},
    "transfer_asset": {
        "src_account_id": account_id,
        "dest_account_id": account_id,
        "asset_id": _asset_id,
        "description": _description,
        "amount": _amount,
    },
}

QUERY_FIELDS: Final[Mapping[str, FieldRules]] = {
    "get_account": {"account_id": account_id},
    "get_account_asset_transactions": {
        "account_id": account_id,
        "asset_id": _asset_id,
        "pagination_meta": _transaction_page,
    },
    "get_account_assets": {"account_id": account_id, "pagination_meta": _asset_page},
    "get_account_detail": {
        "account_id": account_id,
        "key": _detail_key,
        "writer": account_id,
        "pagination_meta": _detail_page,
    },
    "get_account_transactions": {
        "account_id": account_id,
        "pagination_meta": _transaction_page,
    },
    "get_asset_info": {"asset_id": _asset_id},
    "get_block": {"height": _above_zero},
    "get_engine_receipts": {"tx_hash": _hash},
    "get_peers": {},
    "get_pending_transactions": {"pagination_meta": _pending_page},
    "get_role_permissions": {"role_id": _name},
    "get_roles": {},
    "get_signatories": {"account_id": account_id},
    "get_transactions": {"tx_hashes": _hashes},
}

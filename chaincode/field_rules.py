"""The stateless rule of every field of every command and query (Iroha 1 documentation, "Commands").

A rule takes a field's value and returns what is wrong with it, or None.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from google.protobuf.message import Message

from chaincode import ids
from chaincode.permissions import ALL_GRANTABLE_PERMISSIONS, ALL_ROLE_PERMISSIONS
from chaincode.protocol.primitive_pb2 import Peer
from chaincode.protocol.queries_pb2 import AccountDetailPaginationMeta

MAX_DETAIL_BYTES: Final = 4 * 1024 * 1024
MAX_QUORUM: Final = 128
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
        optional = descriptor.containing_oneof or field == "pagination_meta"
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
_detail_key: Final = _matches(ids.DETAIL_KEY)
_public_key: Final = _matches(ids.PUBLIC_KEY)
_hash: Final = _matches(ids.HASH)


def quorum(value: int) -> str | None:
    """A quorum: 1 to 128."""
    return None if 1 <= value <= MAX_QUORUM else f"a number from 1 to {MAX_QUORUM} is expected"


def _detail_value(value: str) -> str | None:
    size = len(value.encode())
    return f"{size} bytes, {MAX_DETAIL_BYTES} are allowed" if size > MAX_DETAIL_BYTES else None


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


def _detail_page(page: AccountDetailPaginationMeta) -> str | None:
    return broken_rule(page, {"page_size": _above_zero})


COMMAND_FIELDS: Final[Mapping[str, FieldRules]] = {
    "add_peer": {"peer": _peer},
    "add_signatory": {"account_id": account_id, "public_key": _public_key},
    "append_role": {"account_id": account_id, "role_name": _name},
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
    "create_domain": {"domain_id": _domain_id, "default_role": _name},
    "create_role": {"role_name": _name, "permissions": _permissions},
    "detach_role": {"account_id": account_id, "role_name": _name},
    "grant_permission": {"account_id": account_id, "permission": _grantable},
    "remove_peer": {"public_key": _public_key},
    "remove_signatory": {"account_id": account_id, "public_key": _public_key},
    "revoke_permission": {"account_id": account_id, "permission": _grantable},
    "set_account_detail": {"account_id": account_id, "key": _detail_key, "value": _detail_value},
    "set_account_quorum": {"account_id": account_id, "quorum": quorum},
}

QUERY_FIELDS: Final[Mapping[str, FieldRules]] = {
    "get_account": {"account_id": account_id},
    "get_account_detail": {
        "account_id": account_id,
        "key": _detail_key,
        "writer": account_id,
        "pagination_meta": _detail_page,
    },
    "get_block": {"height": _above_zero},
    "get_peers": {},
    "get_role_permissions": {"role_id": _name},
    "get_roles": {},
    "get_signatories": {"account_id": account_id},
    "get_transactions": {"tx_hashes": _hashes},
}

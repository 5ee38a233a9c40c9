"""The rule of every field: the values on both sides of each limit."""

from typing import Any

import pytest
from google.protobuf.message import Message

from chaincode.field_rules import COMMAND_FIELDS, MAX_DETAIL_BYTES, QUERY_FIELDS, broken_rule
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import AccountDetailRecordId, Peer
from chaincode.protocol.queries_pb2 import AccountDetailPaginationMeta, Query

GOOD_ACCOUNT, GOOD_NAME, GOOD_DOMAIN, GOOD_KEY = "a@b", "a", "b", "ab"
ACCOUNTS = [(GOOD_ACCOUNT, True), ("", False), ("a", False), ("A@b", False), ("a@b\n", False)]
NAMES = [(GOOD_NAME, True), ("", False), ("a" * 32, True), ("a" * 33, False), ("A", False)]
DOMAINS = [(GOOD_DOMAIN, True), ("", False), ("bad_domain", False), ("1a", False), ("a-", False)]
KEYS = [(GOOD_KEY, True), ("", False), ("abc", True), ("a" * 137, False), ("zz", False)]
DETAIL_KEYS = [("k", True), ("", False), ("k" * 64, True), ("k" * 65, False), ("a-b", False)]
QUORUMS = [(0, False), (1, True), (128, True), (129, False)]
GRANTABLE = [(0, True), (5, True), (6, False), (99, False), (-1, False)]
DETAIL_VALUES = [
    ("", True),
    ("v" * MAX_DETAIL_BYTES, True),
    ("v" * (MAX_DETAIL_BYTES + 1), False),
    ("é" * (MAX_DETAIL_BYTES // 2), True),
    ("é" * (MAX_DETAIL_BYTES // 2) + "v", False),
]
PERMISSIONS = [
    ([], True),
    ([0, 52], True),
    ([0] * 53, True),
    ([0] * 54, False),
    ([53], False),
    ([0, 300], False),
    ([-1], False),
]
PEERS = [
    (Peer(), False),
    (Peer(address="a:1", peer_key="ab"), True),
    (Peer(address="a", peer_key="ab"), False),
    (Peer(address="a:1", peer_key="x"), False),
]
HASHES = [
    ([], False),
    (["0" * 64], True),
    (["0" * 64] * 100, True),
    (["0" * 64] * 101, False),
    (["0" * 64, "0" * 63], False),
    (["g" * 64], False),
]
FIRST = AccountDetailRecordId(writer="a@b", key="k")
PAGES = [
    (AccountDetailPaginationMeta(page_size=1), True),
    (AccountDetailPaginationMeta(page_size=1, first_record_id=FIRST), True),
    (AccountDetailPaginationMeta(page_size=0), False),
    (AccountDetailPaginationMeta(first_record_id=FIRST), False),
]

COMMANDS: dict[str, dict[str, Any]] = {
    "add_peer": {"peer": PEERS},
    "add_signatory": {"account_id": ACCOUNTS, "public_key": KEYS},
    "append_role": {"account_id": ACCOUNTS, "role_name": NAMES},
    "compare_and_set_account_detail": {
        "account_id": ACCOUNTS,
        "key": DETAIL_KEYS,
        "value": DETAIL_VALUES,
        "old_value": DETAIL_VALUES,
    },
    "create_account": {"account_name": NAMES, "domain_id": DOMAINS, "public_key": KEYS},
    "create_domain": {"domain_id": DOMAINS, "default_role": NAMES},
    "create_role": {"role_name": NAMES, "permissions": PERMISSIONS},
    "detach_role": {"account_id": ACCOUNTS, "role_name": NAMES},
    "grant_permission": {"account_id": ACCOUNTS, "permission": GRANTABLE},
    "remove_peer": {"public_key": KEYS},
    "remove_signatory": {"account_id": ACCOUNTS, "public_key": KEYS},
    "revoke_permission": {"account_id": ACCOUNTS, "permission": GRANTABLE},
    "set_account_detail": {"account_id": ACCOUNTS, "key": DETAIL_KEYS, "value": DETAIL_VALUES},
    "set_account_quorum": {"account_id": ACCOUNTS, "quorum": QUORUMS},
}
QUERIES: dict[str, dict[str, Any]] = {
    "get_account": {"account_id": ACCOUNTS},
    "get_account_detail": {
        "account_id": ACCOUNTS,
        "key": DETAIL_KEYS,
        "writer": ACCOUNTS,
        "pagination_meta": PAGES,
    },
    "get_block": {"height": [(0, False), (1, True), (2**64 - 1, True)]},
    "get_peers": {},
    "get_role_permissions": {"role_id": NAMES},
    "get_roles": {},
    "get_signatories": {"account_id": ACCOUNTS},
    "get_transactions": {"tx_hashes": HASHES},
}


def rows(table: dict[str, dict[str, Any]]) -> list[Any]:
    return [
        pytest.param(name, field, value, good, id=f"{name}.{field}={value!r:.30}:{good}")
        for name, fields in table.items()
        for field, values in fields.items()
        for value, good in values
    ]


def set_field(body: Message, field: str, value: Any) -> None:
    if isinstance(value, Message):
        getattr(body, field).CopyFrom(value)
    elif isinstance(value, list):
        body.ClearField(field)
        getattr(body, field).extend(value)
    else:
        setattr(body, field, value)


def check(body: Message, table: dict[str, Any], rules: Any, changed: tuple[str, Any, bool]) -> None:
    """Fill every field with its first good value, but the changed one, and ask the rules."""
    field, value, good = changed
    for name, values in table.items():
        set_field(body, name, next(choice for choice, fits in values if fits))
    set_field(body, field, value)
    problem = broken_rule(body, rules)
    if good:
        assert problem is None
    else:
        assert problem is not None
        assert problem.startswith(f"{field}: ")


@pytest.mark.parametrize(("name", "field", "value", "good"), rows(COMMANDS))
def test_commands(name: str, field: str, value: Any, *, good: bool) -> None:
    check(getattr(Command(), name), COMMANDS[name], COMMAND_FIELDS[name], (field, value, good))


@pytest.mark.parametrize(("name", "field", "value", "good"), rows(QUERIES))
def test_queries(name: str, field: str, value: Any, *, good: bool) -> None:
    body = getattr(Query().payload, name)
    check(body, QUERIES[name], QUERY_FIELDS[name], (field, value, good))


def test_every_field_of_every_supported_message_has_a_rule() -> None:
    free = {"compare_and_set_account_detail": {"check_empty"}}
    for table, rules, example in (
        (COMMANDS, COMMAND_FIELDS, Command()),
        (QUERIES, QUERY_FIELDS, Query().payload),
    ):
        assert rules.keys() == table.keys()
        for name in rules:
            fields = set(getattr(example, name).DESCRIPTOR.fields_by_name)
            assert fields - free.get(name, set()) == rules[name].keys() == table[name].keys()


def test_a_detail_may_be_four_mebibytes_long() -> None:
    assert MAX_DETAIL_BYTES == 4_194_304


def test_what_may_be_left_out_is_not_looked_at() -> None:
    query = Query().payload.get_account_detail
    assert broken_rule(query, QUERY_FIELDS["get_account_detail"]) is None
    query.account_id = ""
    assert broken_rule(query, QUERY_FIELDS["get_account_detail"])


def test_no_problem_shows_the_value() -> None:
    command = Command().set_account_detail
    command.account_id, command.key, command.value = "a@b", "bad-key", "v"
    assert "bad-key" not in str(broken_rule(command, COMMAND_FIELDS["set_account_detail"]))

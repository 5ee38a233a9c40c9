"""The rule of every field of every command and query: the values on both sides of each limit."""

from typing import Any

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from chaincode.broken_rules import BrokenRule
from chaincode.field_rules import MAX_DETAIL_BYTES, MAX_HASHES
from chaincode.message_rules import (
    COMMAND_FIELDS,
    COMMAND_FORMS,
    QUERY_FIELDS,
    QUERY_FORMS,
    command_form_problem,
    command_problem,
    query_form_problem,
    query_problem,
)
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import AccountDetailRecordId, Peer
from chaincode.protocol.queries_pb2 import (
    AccountDetailPaginationMeta,
    AssetPaginationMeta,
    Ordering,
    Query,
    TxPaginationMeta,
)

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
    (["0" * 64] * MAX_HASHES, True),
    (["0" * 64] * (MAX_HASHES + 1), False),
    (["0" * 64, "0" * 63], False),
    (["g" * 64], False),
]
FIRST = AccountDetailRecordId(writer="a@b", key="k")
PAGES = [
    (AccountDetailPaginationMeta(page_size=1), True),
    (AccountDetailPaginationMeta(page_size=1, first_record_id=FIRST), True),
    (AccountDetailPaginationMeta(page_size=0), False),
    (AccountDetailPaginationMeta(first_record_id=FIRST), False),
    (AccountDetailPaginationMeta(page_size=1, first_record_id=AccountDetailRecordId()), False),
]
ASSETS = [("a#b", True), ("", False), ("a", False), ("a@b", False), ("A#b", False)]
AMOUNTS = [
    ("1", True),
    *[(amount, True) for amount in ("1.", "01.50", "0.01", str(2**256 - 1), "0" * 5000 + "1")],
    ("0." + "0" * 254 + "1", True),
    ("0." + "0" * 255 + "1", False),
    (str(2**256), False),
    (str(2**256 - 1) + ".0", False),
    *[
        (amount, False)
        for amount in ("", "0", "0.0", ".5", "-1", "+1", "1e3", " 1", "1.2.3", "abc")
    ],
    *[(amount, False) for amount in ("1" * 200, "1" * 5000, "1\n", "٣")],
]
FREE = [("", True), ("x" * 200_000, True)]
DESCRIPTIONS = [
    ("", True),
    ("d" * 102_400, True),
    ("d" * 102_401, False),
    ("é" * 51_200, True),
    ("é" * 51_201, False),
]
PRECISIONS = [(0, True), (255, True), (256, False), (2**32 - 1, False)]
CALLEES = [("aB" * 20, True), ("", False), ("ab" * 21, False), ("zz" * 20, False)]
INPUTS = [("", True), ("aB", True), ("abc", False), ("zz", False)]
HASH = [("0" * 64, True), ("A" * 64, True), ("", False), ("0" * 63, False)]
ASSET_PAGES = [
    (AssetPaginationMeta(page_size=1), True),
    (AssetPaginationMeta(page_size=1, first_asset_id="a#b"), True),
    (AssetPaginationMeta(), False),
    (AssetPaginationMeta(page_size=1, first_asset_id=""), False),
]


def ordering(field: int, direction: int) -> Ordering:
    entry = Ordering.FieldOrdering()
    entry.field, entry.direction = field, direction  # type: ignore[assignment]
    return Ordering(sequence=[Ordering.FieldOrdering(), entry])


def page(**fields: Any) -> TxPaginationMeta:
    return TxPaginationMeta(page_size=1, **fields)


def seconds(number: int, nanos: int = 0) -> Timestamp:
    return Timestamp(seconds=number, nanos=nanos)


TX_PAGES = [
    (page(), True),
    (TxPaginationMeta(), False),
    (page(first_tx_hash="0" * 64), True),
    (page(first_tx_hash=""), False),
    (page(ordering=ordering(1, 1)), True),
    (page(ordering=ordering(2, 2)), True),
    (page(first_tx_height=1, last_tx_height=1), True),
    (page(first_tx_height=2, last_tx_height=1), False),
    (page(first_tx_hash="zz" * 32), False),
    (page(first_tx_height=0), False),
    (page(last_tx_height=0), False),
    (page(first_tx_time=seconds(-62_135_596_800), last_tx_time=seconds(253_402_300_799)), True),
    (page(first_tx_time=seconds(-62_135_596_801)), False),
    (page(last_tx_time=seconds(253_402_300_799, 1_000_000)), False),
    (page(first_tx_time=seconds(1, 5), last_tx_time=seconds(1, 4)), True),
    (page(first_tx_time=seconds(1, 1_000_000), last_tx_time=seconds(1)), False),
    (page(first_tx_time=seconds(2)), True),
]

COMMANDS: dict[str, dict[str, Any]] = {
    "add_asset_quantity": {"asset_id": ASSETS, "amount": AMOUNTS, "description": FREE},
    "add_peer": {"peer": PEERS},
    "add_signatory": {"account_id": ACCOUNTS, "public_key": KEYS},
    "append_role": {"account_id": ACCOUNTS, "role_name": NAMES},
    "call_engine": {
        "type": [(0, True), (1, False)],
        "caller": ACCOUNTS,
        "callee": CALLEES,
        "input": INPUTS,
    },
    "compare_and_set_account_detail": {
        "account_id": ACCOUNTS,
        "key": DETAIL_KEYS,
        "value": DETAIL_VALUES,
        "old_value": DETAIL_VALUES,
    },
    "create_account": {"account_name": NAMES, "domain_id": DOMAINS, "public_key": KEYS},
    "create_asset": {"asset_name": NAMES, "domain_id": DOMAINS, "precision": PRECISIONS},
    "create_domain": {"domain_id": DOMAINS, "default_role": NAMES},
    "create_role": {"role_name": NAMES, "permissions": PERMISSIONS},
    "detach_role": {"account_id": ACCOUNTS, "role_name": NAMES},
    "grant_permission": {"account_id": ACCOUNTS, "permission": GRANTABLE},
    "remove_peer": {"public_key": KEYS},
    "remove_signatory": {"account_id": ACCOUNTS, "public_key": KEYS},
    "revoke_permission": {"account_id": ACCOUNTS, "permission": GRANTABLE},
    "set_account_detail": {"account_id": ACCOUNTS, "key": DETAIL_KEYS, "value": DETAIL_VALUES},
    "set_account_quorum": {"account_id": ACCOUNTS, "quorum": QUORUMS},
    "set_setting_value": {"key": FREE, "value": FREE},
    "subtract_asset_quantity": {"asset_id": ASSETS, "amount": AMOUNTS, "description": FREE},
    "transfer_asset": {
        "src_account_id": ACCOUNTS,
        "dest_account_id": ACCOUNTS,
        "asset_id": ASSETS,
        "description": DESCRIPTIONS,
        "amount": AMOUNTS,
    },
}
QUERIES: dict[str, dict[str, Any]] = {
    "get_account": {"account_id": ACCOUNTS},
    "get_account_asset_transactions": {
        "account_id": ACCOUNTS,
        "asset_id": ASSETS,
        "pagination_meta": TX_PAGES,
    },
    "get_account_assets": {"account_id": ACCOUNTS, "pagination_meta": ASSET_PAGES},
    "get_account_detail": {
        "account_id": ACCOUNTS,
        "key": DETAIL_KEYS,
        "writer": ACCOUNTS,
        "pagination_meta": PAGES,
    },
    "get_account_transactions": {"account_id": ACCOUNTS, "pagination_meta": TX_PAGES},
    "get_asset_info": {"asset_id": ASSETS},
    "get_block": {"height": [(0, False), (1, True), (2**64 - 1, True)]},
    "get_engine_receipts": {"tx_hash": HASH},
    "get_peers": {},
    "get_pending_transactions": {"pagination_meta": TX_PAGES},
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


def fill(body: Message, table: dict[str, Any], field: str, value: Any) -> None:
    """Give every field its first good value, and one of them this value."""
    for name, values in table.items():
        set_field(body, name, next(choice for choice, fits in values if fits))
    set_field(body, field, value)


@pytest.mark.parametrize(("name", "field", "value", "good"), rows(COMMANDS))
def test_commands(name: str, field: str, value: Any, *, good: bool) -> None:
    command = Command()
    fill(getattr(command, name), COMMANDS[name], field, value)
    if name == "transfer_asset" and command.transfer_asset.src_account_id == GOOD_ACCOUNT:
        command.transfer_asset.dest_account_id = "other@b" if good else value
    problem = command_form_problem(command) or command_problem(command)
    assert (problem is None) == good, problem


@pytest.mark.parametrize(("name", "field", "value", "good"), rows(QUERIES))
def test_queries(name: str, field: str, value: Any, *, good: bool) -> None:
    payload = Query.Payload()
    fill(getattr(payload, name), QUERIES[name], field, value)
    problem = query_form_problem(payload) or query_problem(payload)
    assert (problem is None) == good, problem


def test_every_field_of_every_command_and_query_is_looked_at() -> None:
    free = {
        "add_asset_quantity": {"description"},
        "compare_and_set_account_detail": {"check_empty"},
        "set_setting_value": {"key", "value"},
        "subtract_asset_quantity": {"description"},
    }
    for table, forms, fields, oneof in (
        (COMMANDS, COMMAND_FORMS, COMMAND_FIELDS, Command.DESCRIPTOR.oneofs_by_name["command"]),
        (QUERIES, QUERY_FORMS, QUERY_FIELDS, Query.Payload.DESCRIPTOR.oneofs_by_name["query"]),
    ):
        kinds = {field.name: field.message_type for field in oneof.fields}
        assert table.keys() == fields.keys() == kinds.keys() >= forms.keys()
        for name, kind in kinds.items():
            ruled = fields[name].keys() | forms.get(name, {}).keys()
            assert ruled | free.get(name, set()) == set(kind.fields_by_name)


def test_a_detail_may_be_four_mebibytes_long() -> None:
    assert MAX_DETAIL_BYTES == 4_194_304


def test_what_may_be_left_out_is_not_looked_at() -> None:
    payload = Query.Payload()
    payload.get_account_detail.SetInParent()
    assert query_problem(payload) is None
    payload.get_account_detail.account_id = ""
    assert query_problem(payload) is not None
    payload.get_pending_transactions.SetInParent()
    assert query_problem(payload) is None


def test_the_page_of_an_accounts_transactions_may_not_be_left_out() -> None:
    payload = Query.Payload()
    payload.get_account_transactions.account_id = "a@b"
    problem = query_problem(payload)
    assert problem is not None
    assert problem.place == "GetAccountTransactions/TxPaginationMeta/PageSize"


def transfer(source: str, destination: str) -> Command:
    command = Command()
    body = command.transfer_asset
    body.src_account_id, body.dest_account_id = source, destination
    body.asset_id, body.amount = "a#b", "1"
    return command


def test_a_transfer_has_two_ends() -> None:
    assert command_problem(transfer("a@b", "c@b")) is None
    reason = "Source and destination accounts are the same."
    assert command_problem(transfer("a@b", "a@b")) == BrokenRule("TransferAsset", (reason,))
    problem = command_problem(transfer("x", "x"))
    assert problem is not None
    assert (problem.reasons, len(problem.parts)) == ((reason,), 2)


def test_what_is_not_set_is_named() -> None:
    undefined = BrokenRule("Undefined command.", ("Not allowed.",))
    assert command_form_problem(Command()) == undefined
    assert query_form_problem(Query.Payload()) == BrokenRule(
        "Protobuf Query", ("Query is undefined.",)
    )


def test_what_irohad_names_otherwise() -> None:
    command = Command()
    command.set_account_quorum.account_id = "a@b"
    problem = command_problem(command)
    assert problem is not None
    assert problem.name == "SetQuorum"
    payload = Query.Payload()
    payload.get_engine_receipts.tx_hash = "zz"
    problem = query_problem(payload)
    assert problem == BrokenRule("Hash", ("Invalid size: 0, should be 32.",))


def test_a_long_name_is_refused_before_it_is_matched() -> None:
    command = Command()
    command.create_domain.domain_id = "a." * 10_000_000 + "a"
    command.create_domain.default_role = "r"
    problem = command_problem(command)
    assert problem is not None
    assert problem.place == "CreateDomain/Domain"


def test_every_permission_that_is_unknown_is_counted() -> None:
    command = Command()
    command.create_role.permissions.extend([0, 99, 1, 100])  # type: ignore[list-item]
    problem = command_form_problem(command)
    reasons = ("Permission #2 is invalid.", "Permission #4 is invalid.")
    assert problem == BrokenRule("CreateRole", reasons)


# Only the first fault of a page's form is told.


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"first_tx_hash": "x", "first_tx_height": 0}, "First tx hash from pagination meta is not"),
        ({"first_tx_time": seconds(2**50), "last_tx_height": 0}, "First tx time from pagination"),
        ({"last_tx_time": seconds(-(2**50))}, "Last tx time from pagination meta is not a proper"),
        (
            {"first_tx_height": 0, "last_tx_height": 0},
            "First tx Height from pagination meta is not",
        ),
        ({"last_tx_height": 0}, "Last tx Height from pagination meta is not a proper value."),
        ({"first_tx_height": 2, "last_tx_height": 1}, "Last tx Height from pagination meta should"),
        ({"first_tx_time": seconds(2), "last_tx_time": seconds(1)}, "Last tx time from pagination"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_first_fault_of_a_page_is_told(fields: dict[str, Any], reason: str) -> None:
    payload = Query.Payload()
    payload.get_pending_transactions.pagination_meta.CopyFrom(page(**fields))
    problem = query_form_problem(payload)
    assert problem is not None
    (part,) = problem.parts
    assert part.name == "TxPaginationMeta"
    (told,) = part.reasons
    assert told.startswith(reason)

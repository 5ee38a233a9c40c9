"""Queries: every permission form, every error, paging, and the JSON of details."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.memory_ledger import MemoryLedger, named_key
from support.small_ledger import (
    ALICE,
    BOB,
    CAROL,
    NOBODY,
    ROOT,
    add_peer,
    committed,
    create_role,
    give_grants,
    give_permissions,
    key_of,
    small_ledger,
)

from chaincode.protocol.primitive_pb2 import (
    AccountDetailRecordId,
    GrantablePermission,
    RolePermission,
)
from chaincode.protocol.qry_responses_pb2 import ErrorResponse, QueryResponse
from chaincode.protocol.queries_pb2 import AccountDetailPaginationMeta, Query
from chaincode.queries import answer_query, error_response
from chaincode.transactions import hash_payload
from client_sdk.ledger.commands import add_signatory, append_role, set_account_detail

P = RolePermission
Reason = ErrorResponse
Ask = Callable[..., QueryResponse]


def ask(
    ledger: MemoryLedger, name: str, *, creator: str = ALICE, signer: str = "", **fields: Any
) -> QueryResponse:
    query = Query()
    query.payload.meta.creator_account_id = creator
    body = getattr(query.payload, name)
    body.SetInParent()
    body.MergeFrom(type(body)(**fields))
    response = answer_query(ledger, query, named_key(signer or creator).public_key)
    assert response.query_hash == hash_payload(query.payload).hex()
    return response


def error(response: QueryResponse) -> tuple[str, int]:
    assert response.WhichOneof("response") == "error_response", response
    assert response.error_response.message
    return ErrorResponse.Reason.Name(
        response.error_response.reason
    ), response.error_response.error_code


def with_permissions(*permissions: int) -> MemoryLedger:
    """Return a ledger where alice may do this, with a second block."""
    ledger = small_ledger()
    give_permissions(ledger, ALICE, *permissions)
    return ledger


READS = [
    ("get_account", P.can_get_my_account, P.can_get_domain_accounts, P.can_get_all_accounts),
    (
        "get_signatories",
        P.can_get_my_signatories,
        P.can_get_domain_signatories,
        P.can_get_all_signatories,
    ),
    (
        "get_account_detail",
        P.can_get_my_acc_detail,
        P.can_get_domain_acc_detail,
        P.can_get_all_acc_detail,
    ),
]
# What each permission lets alice@d read: her own, bob@d, carol@e, an account that is not there.
REACH = [
    ("none", (False, False, False, False)),
    ("own", (True, False, False, False)),
    ("domain", (True, True, False, True)),
    ("everybody", (True, True, True, True)),
    ("root", (True, True, True, True)),
]


@pytest.mark.parametrize(("name", "own", "domain", "everybody"), READS)
@pytest.mark.parametrize(("held", "reach"), REACH)
def test_own_domain_everybody_and_root(  # noqa: PLR0917
    name: str, own: int, domain: int, everybody: int, held: str, reach: tuple[bool, ...]
) -> None:
    permissions = {"own": own, "domain": domain, "everybody": everybody, "root": P.root}
    others = {number for row in READS for number in row[1:]} - {own, domain, everybody}
    granted = [permissions[held]] if held in permissions else []
    ledger = with_permissions(*granted, *others)
    for account_id, allowed in zip((ALICE, BOB, CAROL, NOBODY), reach, strict=True):
        response = ask(ledger, name, account_id=account_id)
        if not allowed:
            assert error(response) == ("STATEFUL_INVALID", 2)
            assert RolePermission.Name(own) in response.error_response.message
        elif account_id == NOBODY:
            reason = {
                "get_account": "NO_ACCOUNT",
                "get_signatories": "NO_SIGNATORIES",
                "get_account_detail": "NO_ACCOUNT_DETAIL",
            }[name]
            assert error(response) == (reason, 0)
        else:
            assert not response.HasField("error_response")


@pytest.mark.parametrize(
    ("name", "permission", "fields"),
    [
        ("get_block", P.can_get_blocks, {"height": 1}),
        ("get_peers", P.can_get_peers, {}),
        ("get_roles", P.can_get_roles, {}),
        ("get_role_permissions", P.can_get_roles, {"role_id": "root"}),
        ("get_transactions", P.can_get_my_txs, {}),
        ("get_transactions", P.can_get_all_txs, {}),
    ],
)
def test_a_query_needs_its_permission(name: str, permission: int, fields: dict[str, Any]) -> None:
    others = set(P.values()) - {permission, P.root}
    if name == "get_transactions":
        others -= {P.can_get_my_txs, P.can_get_all_txs}
    assert error(ask(with_permissions(*others), name, **fields)) == ("STATEFUL_INVALID", 2)
    for held in (permission, P.root):
        response = ask(with_permissions(held), name, **fields)
        assert not response.HasField("error_response")


@pytest.mark.parametrize(
    ("creator", "signer"), [(ALICE, BOB), (ALICE, "stranger"), (NOBODY, "stranger")]
)
def test_the_signer_must_be_a_signatory(creator: str, signer: str) -> None:
    response = ask(with_permissions(P.root), "get_peers", creator=creator, signer=signer)
    assert error(response) == ("STATEFUL_INVALID", 3)


def test_any_signatory_may_ask() -> None:
    ledger = with_permissions(P.root)
    committed(ledger.submit(ROOT, add_signatory(ALICE, key_of("second"))))
    assert ask(ledger, "get_peers", signer="second").HasField("peers_response")


def test_get_account() -> None:
    ledger = with_permissions(P.root)
    committed(ledger.submit(BOB, set_account_detail(BOB, "k", "v")))
    committed(ledger.submit(ROOT, append_role(BOB, "granter")))
    response = ask(ledger, "get_account", account_id=BOB).account_response
    assert (response.account.account_id, response.account.domain_id) == (BOB, "d")
    assert response.account.quorum == 1
    assert json.loads(response.account.json_data) == {BOB: {"k": "v"}}
    assert list(response.account_roles) == ["granter", "nothing"]
    empty = ask(ledger, "get_account", account_id=CAROL).account_response
    assert empty.account.json_data == "{}"


def test_get_signatories() -> None:
    ledger = with_permissions(P.root)
    committed(ledger.submit(ROOT, add_signatory(BOB, key_of("second").upper())))
    response = ask(ledger, "get_signatories", account_id=BOB).signatories_response
    assert list(response.keys) == sorted([key_of(BOB), key_of("second")])


def test_get_block() -> None:
    ledger = with_permissions(P.can_get_blocks)
    for height in (1, 2):
        response = ask(ledger, "get_block", height=height)
        assert response.block_response.block == ledger.blocks[height - 1]
    for height in (3, 2**64 - 1):
        assert error(ask(ledger, "get_block", height=height)) == ("STATEFUL_INVALID", 3)


def test_get_transactions() -> None:
    ledger = with_permissions(P.can_get_my_txs)
    own = ledger.submit(ALICE, set_account_detail(ALICE, "k", "v")).tx_hash.hex()
    other = ledger.submit(BOB, set_account_detail(BOB, "k", "v")).tx_hash.hex()
    rejected = ledger.submit(BOB, set_account_detail(NOBODY, "k", "v")).tx_hash.hex()

    def creators(response: QueryResponse) -> list[str]:
        found = response.transactions_response.transactions
        return [message.payload.reduced_payload.creator_account_id for message in found]

    assert creators(ask(ledger, "get_transactions", tx_hashes=[other, own.upper()])) == [ALICE]
    assert creators(ask(ledger, "get_transactions", tx_hashes=[other])) == []
    committed(ledger.submit(ROOT, append_role(ALICE, "root")))
    assert creators(ask(ledger, "get_transactions", tx_hashes=[other, own])) == [BOB, ALICE]
    # irohad answers the same where a hash is given twice.
    for hashes in ([own, rejected], ["0" * 64], [own, own], [own, own.upper()]):
        response = ask(ledger, "get_transactions", tx_hashes=hashes)
        assert error(response) == ("STATEFUL_INVALID", 4)


def test_each_page_reads_no_more_than_it_shows_and_one(details: MemoryLedger) -> None:
    read: list[bytes] = []

    class Watched(MemoryLedger):
        def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
            for key, value in super().scan(prefix, start):
                read.append(key)
                yield key, value

    details.__class__ = Watched
    first = AccountDetailRecordId(writer=BOB, key="a")
    page = AccountDetailPaginationMeta(page_size=1, first_record_id=first)
    response = ask(details, "get_account_detail", account_id=BOB, pagination_meta=page)
    assert response.account_detail_response.total_number == len(ALL)
    assert len(read) == 2
    read.clear()
    # By name alone, one read for each writer.
    ask(details, "get_account_detail", account_id=BOB, key="b")
    assert len(read) == 3


def test_everybodys_transactions_need_no_root() -> None:
    ledger = with_permissions(P.can_get_all_txs)
    other = ledger.submit(BOB, set_account_detail(BOB, "k", "v")).tx_hash.hex()
    response = ask(ledger, "get_transactions", tx_hashes=[other])
    assert len(response.transactions_response.transactions) == 1


def test_roles_and_their_permissions() -> None:
    ledger = with_permissions(P.can_get_roles)
    committed(ledger.submit(ROOT, create_role("x", P.root, P.can_append_role)))
    roles = ask(ledger, "get_roles").roles_response.roles
    assert list(roles) == ["granter", "held_by_alice", "nothing", "root", "x"]
    for role, expected in (("x", [P.can_append_role, P.root]), ("nothing", [])):
        response = ask(ledger, "get_role_permissions", role_id=role)
        assert list(response.role_permissions_response.permissions) == expected
    assert error(ask(ledger, "get_role_permissions", role_id="gone")) == ("NO_ROLES", 0)


def test_get_peers() -> None:
    ledger = with_permissions(P.can_get_peers)
    committed(ledger.submit(ROOT, add_peer(key_of("new"))))
    peers = ask(ledger, "get_peers").peers_response.peers
    assert [peer.peer_key for peer in peers] == sorted([key_of("peer"), key_of("new")])


@pytest.fixture(scope="module")
def details() -> MemoryLedger:
    """Alice may read all; bob has details by alice, bob and root."""
    ledger = with_permissions(P.can_get_all_acc_detail)
    give_grants(ledger, BOB, ALICE, [GrantablePermission.can_set_my_account_detail])
    for writer, key in (
        (ALICE, "a"),
        (ALICE, "b"),
        (BOB, "a"),
        (BOB, "b"),
        (BOB, "b2"),
        (ROOT, "b"),
    ):
        committed(ledger.submit(writer, set_account_detail(BOB, key, f"{writer} {key}")))
    return ledger


ALL = [(ALICE, "a"), (ALICE, "b"), (BOB, "a"), (BOB, "b"), (BOB, "b2"), (ROOT, "b")]


def found(response: QueryResponse) -> list[tuple[str, str]]:
    assert response.HasField("account_detail_response"), response
    writers = json.loads(response.account_detail_response.detail)
    for writer, values in writers.items():
        assert all(value == f"{writer} {key}" for key, value in values.items())
    return [(writer, key) for writer, values in writers.items() for key in values]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ALL),
        ({"writer": BOB}, ALL[2:5]),
        ({"key": "b"}, [ALL[1], ALL[3], ALL[5]]),
        ({"writer": BOB, "key": "b"}, [ALL[3]]),
        ({"writer": CAROL}, []),
        ({"writer": "genesis@d", "key": "b"}, []),
        ({"key": "gone"}, []),
        ({"writer": BOB, "key": "gone"}, []),
        # No name is taken for the beginning of another.
        ({"writer": "bob@"}, []),
    ],
    ids=str,
)
def test_details_by_writer_and_key(
    details: MemoryLedger, fields: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    response = ask(details, "get_account_detail", account_id=BOB, **fields)
    assert found(response) == expected
    body = response.account_detail_response
    assert body.total_number == len(expected)
    assert not body.HasField("next_record_id")
    if not expected:
        assert body.detail == "{}"


def test_an_absent_account_is_the_creators_own(details: MemoryLedger) -> None:
    give = set_account_detail(ALICE, "mine", f"{ALICE} mine")
    committed(details.submit(ALICE, give))
    assert found(ask(details, "get_account_detail")) == [(ALICE, "mine")]


@pytest.mark.parametrize("fields", [{}, {"writer": BOB}, {"key": "b"}], ids=str)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 6, 7, 2**32 - 1])
def test_pages_join_to_the_whole(details: MemoryLedger, fields: dict[str, str], size: int) -> None:
    whole = found(ask(details, "get_account_detail", account_id=BOB, **fields))
    page = AccountDetailPaginationMeta(page_size=size)
    pages: list[list[tuple[str, str]]] = []
    while True:
        response = ask(
            details, "get_account_detail", account_id=BOB, pagination_meta=page, **fields
        )
        body = response.account_detail_response
        assert body.total_number == len(whole)
        pages.append(found(response))
        if not body.HasField("next_record_id"):
            break
        page.first_record_id.CopyFrom(body.next_record_id)
    assert [entry for entries in pages for entry in entries] == whole
    assert all(len(entries) == size for entries in pages[:-1])
    assert pages[-1]


@pytest.mark.parametrize(
    ("writer", "key"), [(BOB, "gone"), (CAROL, "a"), ("", ""), (BOB + "\x00b", ""), ("b\x00", "é")]
)
def test_a_first_record_that_is_not_there(details: MemoryLedger, writer: str, key: str) -> None:
    first = AccountDetailRecordId(writer=writer, key=key)
    page = AccountDetailPaginationMeta(page_size=2, first_record_id=first)
    response = ask(details, "get_account_detail", account_id=BOB, pagination_meta=page)
    assert error(response) == ("STATEFUL_INVALID", 4)


@pytest.mark.parametrize("place", range(len(ALL)))
def test_a_page_begins_at_its_first_record(details: MemoryLedger, place: int) -> None:
    writer, key = ALL[place]
    first = AccountDetailRecordId(writer=writer, key=key)
    page = AccountDetailPaginationMeta(page_size=2, first_record_id=first)
    response = ask(details, "get_account_detail", account_id=BOB, pagination_meta=page)
    assert found(response) == ALL[place : place + 2]


def test_the_text_of_details_is_that_of_irohad(details: MemoryLedger) -> None:
    page = AccountDetailPaginationMeta(page_size=3)
    response = ask(details, "get_account_detail", account_id=BOB, pagination_meta=page)
    assert response.account_detail_response.detail == (
        '{ "alice@d" : { "a" : "alice@d a", "b" : "alice@d b" }, "bob@d" : { "a" : "bob@d a" } }'
    )


@pytest.mark.parametrize(
    ("value", "read", "text"),
    [
        ("plain é ✓ 😀", "plain é ✓ 😀", '"plain é ✓ 😀"'),
        ("", "", '""'),
        ('{"a":1}', '{"a":1}', r'"{\"a\":1}"'),
        # A client of irohad escapes quotes itself: its text stays as it is.
        (r"{\"a\":1}", '{"a":1}', r'"{\"a\":1}"'),
        (r"a\u0041", "aA", r'"a\u0041"'),
        ("\\", "\\", r'"\\"'),
        (r"a\x", r"a\x", r'"a\\x"'),
        ("tab\tline\nnul\x00", "tab\tline\nnul\x00", r'"tab\tline\nnul\u0000"'),
        ('", "injected" : "', '", "injected" : "', r'"\", \"injected\" : \""'),
        ('"', '"', r'"\""'),
        ('\\"', '"', r'"\""'),
        ("\x7f\u2028", "\x7f\u2028", '"\x7f\u2028"'),
        ('é "✓"', 'é "✓"', r'"é \"✓\""'),
    ],
    ids=repr,
)
def test_any_value_gives_json(value: str, read: str, text: str) -> None:
    ledger = with_permissions(P.can_get_my_acc_detail, P.can_get_my_account)
    committed(ledger.submit(ALICE, set_account_detail(ALICE, "k", value)))
    detail = ask(ledger, "get_account_detail").account_detail_response.detail
    assert detail == f'{{ "{ALICE}" : {{ "k" : {text} }} }}'
    assert json.loads(detail) == {ALICE: {"k": read}}
    account = ask(ledger, "get_account", account_id=ALICE).account_response.account
    assert account.json_data == detail


def test_error_response() -> None:
    response = error_response(Reason.NO_ACCOUNT, 7, "text").error_response
    assert (response.reason, response.error_code, response.message) == (
        Reason.NO_ACCOUNT,
        7,
        "text",
    )


def test_a_query_without_an_answer_yet_is_named() -> None:
    response = ask(small_ledger(), "get_engine_receipts", tx_hash="0" * 64)
    assert error(response) == ("NOT_SUPPORTED", 0)
    assert "GetEngineReceipts is not supported" in response.error_response.message

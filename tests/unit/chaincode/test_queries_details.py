"""GetAccountDetail: by writer and key, in pages, and the JSON of any value."""

import json
from collections.abc import Iterator

import pytest
from support.memory_ledger import MemoryLedger
from support.queries import ask, refusal, with_permissions
from support.small_ledger import ALICE, BOB, CAROL, ROOT, committed, give_grants

from chaincode.protocol.primitive_pb2 import AccountDetailRecordId, GrantablePermission
from chaincode.protocol.primitive_pb2 import RolePermission as P
from chaincode.protocol.qry_responses_pb2 import QueryResponse
from chaincode.protocol.queries_pb2 import AccountDetailPaginationMeta
from client_sdk.ledger.commands import set_account_detail


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
    assert refusal(response) == ("STATEFUL_INVALID", 4, f"failed to execute query: {BOB}")
    # Where nothing is selected, irohad does not look at the first record.
    empty = ask(details, "get_account_detail", account_id=CAROL, pagination_meta=page)
    assert found(empty) == []


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
    assert account.json_data == f'{{"{ALICE}": {{"k": {text}}}}}'


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
    # Two details, and the count of each writer for the total.
    assert len(read) == 2 + 3
    read.clear()
    ask(details, "get_account_detail", account_id=BOB, key="b")
    assert len(read) == 3
    read.clear()
    ask(details, "get_account_detail", account_id=BOB, key="b", writer=BOB)
    assert read == []

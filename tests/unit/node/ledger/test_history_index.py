"""Histories in SQLite: every search finds what a plain list would, and reads no other history."""

import itertools
import sqlite3
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaincode.queries.view import HistorySearch, SortField
from node.ledger.history_index import (
    SCHEMA,
    HistoryEntry,
    count_entries,
    find_places,
    insert_entries,
)

ORDERS = [
    tuple(zip(fields, downs, strict=True))
    for fields in (
        (SortField.HEIGHT,),
        (SortField.HEIGHT, SortField.CREATED),
        (SortField.CREATED, SortField.HEIGHT),
    )
    for downs in itertools.product((False, True), repeat=len(fields))
]
# Few values, so that many are equal; now and then one that SQLite cannot hold.
HEIGHTS = st.integers(1, 6) | st.just(2**64 - 1)
TIMES = st.integers(0, 5) | st.just(2**64 - 1)
ACCOUNTS = st.sampled_from(["a@d", "b@d", ""])
ASSETS = st.sampled_from(["", "coin#d"])
ENTRIES = st.builds(
    HistoryEntry,
    account_id=ACCOUNTS,
    asset_id=ASSETS,
    position=st.just(0),
    created_ms=TIMES,
)
SEARCHES = st.builds(
    HistorySearch,
    account_id=ACCOUNTS,
    asset_id=st.none() | st.just("coin#d"),
    order=st.sampled_from(ORDERS),
    size=st.integers(1, 8),
    created_from_ms=st.none() | TIMES,
    created_to_ms=st.none() | TIMES,
    height_from=st.none() | HEIGHTS,
    height_to=st.none() | HEIGHTS,
)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with connected() as opened:
        yield opened
    opened.close()


def connected() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.executescript(SCHEMA)
    return connection


def entry(position: int, created_ms: int, account_id: str = "a@d") -> HistoryEntry:
    return HistoryEntry(
        account_id=account_id, asset_id="", position=position, created_ms=created_ms
    )


def model_search(
    blocks: Sequence[Sequence[HistoryEntry]], search: HistorySearch
) -> list[tuple[int, int]]:
    """Return all places within the bounds, in order, by looking at every entry."""
    found = [
        (height, position, min(each.created_ms, 2**63 - 1))
        for height, block in enumerate(blocks, start=1)
        for position, each in enumerate(block)
        if (each.account_id, each.asset_id) == (search.account_id, search.asset_id or "")
    ]

    def is_within(value: int, least: int | None, most: int | None) -> bool:
        end = 2**63 - 1
        return min(least or 0, end) <= value <= (end if most is None else min(most, end))

    found = [
        place
        for place in found
        if is_within(place[0], search.height_from, search.height_to)
        and is_within(place[2], search.created_from_ms, search.created_to_ms)
    ]

    def key(place: tuple[int, int, int]) -> tuple[int, ...]:
        height, position, created = place
        values = {SortField.HEIGHT: height, SortField.CREATED: created}
        return (
            *(-values[field] if down else values[field] for field, down in search.order),
            position,
        )

    return [(height, position) for height, position, _ in sorted(found, key=key)]


@settings(max_examples=400, deadline=None)
@given(blocks=st.lists(st.lists(ENTRIES, max_size=5), max_size=6), search=SEARCHES)
def test_a_search_finds_what_a_plain_list_holds(
    blocks: list[list[HistoryEntry]], search: HistorySearch
) -> None:
    connection = connected()
    for height, block in enumerate(blocks, start=1):
        insert_entries(
            connection,
            height,
            [
                HistoryEntry(
                    account_id=each.account_id,
                    asset_id=each.asset_id,
                    position=position,
                    created_ms=each.created_ms,
                )
                for position, each in enumerate(block)
            ],
        )
    expected = model_search(blocks, search)
    assert count_entries(connection, search) == len(expected)
    assert list(find_places(connection, search, None)) == expected[: search.size]
    for place in itertools.product(range(1, len(blocks) + 1), range(5)):
        rest = expected[expected.index(place) :] if place in expected else []
        assert list(find_places(connection, search, place)) == rest[: search.size]
    connection.close()


BOUNDS = [
    {},
    {"height_from": 2},
    {"height_from": 2, "height_to": 4},
    {"created_from_ms": 2},
    {"created_to_ms": 4, "height_to": 4},
]


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
@pytest.mark.parametrize("first", [None, (3, 0)])
def test_no_search_reads_another_history_or_sorts_more_than_it_must(
    connection: sqlite3.Connection,
    order: tuple[tuple[SortField, bool], ...],
    bounds: dict[str, int],
    first: tuple[int, int] | None,
) -> None:
    for height in range(1, 6):
        insert_entries(connection, height, [entry(0, height), entry(1, 9, "b@d")])
    search = HistorySearch(account_id="a@d", asset_id=None, order=order, size=2, **bounds)
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    count_entries(connection, search)
    list(find_places(connection, search, first))
    connection.set_trace_callback(None)
    assert len(statements) >= 2
    plans = [
        step[3]
        for statement in statements
        for step in connection.execute(f"EXPLAIN QUERY PLAN {statement}")
    ]
    for plan in plans:
        assert plan.startswith(("SEARCH history USING", "USE TEMP B-TREE FOR")), plan
        if plan.startswith("SEARCH"):
            assert "(account_id=? AND asset_id=?" in plan
    times = {"created_from_ms", "created_to_ms"} & bounds.keys()
    leads_by_time = order[0][0] is SortField.CREATED
    if bool(times) == leads_by_time and not (bounds and leads_by_time and not times):
        # The index gives the order; only equals are sorted, within one block or millisecond.
        assert "USE TEMP B-TREE FOR ORDER BY" not in plans

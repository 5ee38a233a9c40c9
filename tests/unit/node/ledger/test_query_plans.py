"""The store answers every query as a ledger in memory does, and never reads a table through."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.memory_ledger import MemoryLedger, named_key
from support.small_ledger import (
    ALICE,
    BOB,
    ROOT,
    add_quantity,
    create_asset,
    create_role,
    small_ledger,
    transfer,
)

from chaincode.multisignature import PendingBatches
from chaincode.protocol.primitive_pb2 import RolePermission
from chaincode.protocol.queries_pb2 import Query
from chaincode.queries import answer_query
from chaincode.transactions import transaction_hash
from client_sdk.ledger.commands import append_role, set_account_detail
from node.ledger.block_store import BlockStore
from node.ledger.engine import Engine
from node.ledger.replay import replay
from node.ledger.state_store import StateStore

COIN = "coin#d"
PAGE = {"page_size": 2}
DOWN_BY_TIME = {"sequence": [{"field": "kCreatedTime", "direction": "kDescending"}]}
BOUNDED = {"SCAN tip", "SCAN (subquery-1)"}
"""The table `tip` has one row, and the subquery has a limit, its own plan and a search in it."""
FIRST = "the first one"
"""Stands for the hash of the fourth transaction of root."""
ACCOUNT_PAGES: list[dict[str, Any]] = [
    PAGE,
    {**PAGE, "first_tx_hash": FIRST},
    {**PAGE, "first_tx_hash": FIRST, "ordering": DOWN_BY_TIME},
    {**PAGE, "first_tx_height": 2, "last_tx_height": 4, "ordering": DOWN_BY_TIME},
    {**PAGE, "first_tx_time": {"seconds": 1}, "first_tx_height": 2},
    {"page_size": 1000},
]
QUERIES: list[tuple[str, dict[str, Any]]] = [
    ("get_account", {"account_id": ALICE}),
    ("get_account_assets", {"account_id": ROOT}),
    ("get_account_assets", {"account_id": ROOT, "pagination_meta": {"page_size": 1}}),
    (
        "get_account_assets",
        {"account_id": ROOT, "pagination_meta": {"page_size": 1, "first_asset_id": COIN}},
    ),
    ("get_account_detail", {"account_id": ALICE}),
    ("get_account_detail", {"account_id": ALICE, "key": "k1"}),
    ("get_account_detail", {"account_id": ALICE, "writer": ALICE}),
    ("get_account_detail", {"account_id": ALICE, "writer": ALICE, "key": "k1"}),
    (
        "get_account_detail",
        {
            "account_id": ALICE,
            "pagination_meta": {**PAGE, "first_record_id": {"writer": ALICE, "key": "k1"}},
        },
    ),
    ("get_asset_info", {"asset_id": COIN}),
    ("get_block", {"height": 2}),
    ("get_block", {"height": 99}),
    ("get_peers", {}),
    ("get_role_permissions", {"role_id": "root"}),
    ("get_roles", {}),
    ("get_signatories", {"account_id": ALICE}),
    ("get_transactions", {"tx_hashes": [FIRST]}),
    *(
        (name, {"account_id": account, "pagination_meta": page, **asset})
        for account in (ROOT, ALICE, BOB)
        for page in ACCOUNT_PAGES
        for name, asset in (
            ("get_account_transactions", {}),
            ("get_account_asset_transactions", {"asset_id": COIN}),
        )
    ),
]


@pytest.fixture(scope="module")
def memory() -> MemoryLedger:
    """Details, balances and transfers in some blocks of several transactions."""
    ledger = small_ledger(
        create_asset(COIN),
        create_asset("gold#d"),
        create_role("r", RolePermission.can_receive),
        append_role(ALICE, "r"),
    )
    for number in range(4):
        ledger.apply(
            ledger.build_signed(ROOT, add_quantity(COIN, "5"), add_quantity("gold#d", "1")),
            ledger.build_signed(ROOT, transfer(ROOT, ALICE, COIN, "1")),
            ledger.build_signed(ROOT, set_account_detail(ALICE, f"k{number}", "1")),
            ledger.build_signed(ALICE, set_account_detail(ALICE, f"k{number}", "2")),
            ledger.build_signed(ALICE, set_account_detail(BOB, "forbidden", "2")),
        )
    return ledger


@pytest.fixture(scope="module")
def store(memory: MemoryLedger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StateStore]:
    """The same chain, replayed into files."""
    folder: Path = tmp_path_factory.mktemp("ledger")
    blocks = BlockStore(folder / "blocks")
    store = StateStore(folder / "state.sqlite", blocks)
    engine = Engine(blocks, store, named_key("peer"))
    for block in memory.blocks:
        with store.snapshot() as view:
            candidate = replay(view, view.tip(), block)
        engine.commit(candidate)
    yield store
    store.close()
    blocks.close()


def build_query(memory: MemoryLedger, name: str, fields: dict[str, Any]) -> Query:
    first = transaction_hash(memory.blocks[2].block_v1.payload.transactions[0]).hex()

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(each) for key, each in value.items()}
        if isinstance(value, list):
            return [filled(each) for each in value]
        return first if value == FIRST else value

    query = Query()
    query.payload.meta.creator_account_id = ROOT
    body = getattr(query.payload, name)
    body.SetInParent()
    body.MergeFrom(type(body)(**filled(fields)))
    return query


@pytest.mark.parametrize(("name", "fields"), QUERIES, ids=str)
def test_a_query(
    memory: MemoryLedger, store: StateStore, name: str, fields: dict[str, Any]
) -> None:
    query = build_query(memory, name, fields)
    statements: list[str] = []
    with store.snapshot() as view:
        view._connection.set_trace_callback(statements.append)
        response = answer_query(view, query, named_key(ROOT).public_key, pending=PendingBatches(1))
        view._connection.set_trace_callback(None)
        plans = [
            step[3]
            for statement in set(statements)
            for step in view._connection.execute(f"EXPLAIN QUERY PLAN {statement}")
        ]
    assert response == answer_query(
        memory, query, named_key(ROOT).public_key, pending=PendingBatches(1)
    )
    assert plans
    assert [plan for plan in plans if plan.startswith("SCAN") and plan not in BOUNDED] == []


def test_the_queries_above_are_all_that_the_state_answers() -> None:
    others = {"meta", "get_pending_transactions", "get_engine_receipts"}
    assert {name for name, _ in QUERIES} == set(Query.Payload.DESCRIPTOR.fields_by_name) - others

"""Transactions by hash and by history: who sees them, orders, ranges, and pages that join."""

import itertools
from collections.abc import Sequence

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from support.memory_ledger import START_MS, MemoryLedger, sign_transaction
from support.queries import ask, error, refusal, with_permissions
from support.small_ledger import (
    ALICE,
    BOB,
    CAROL,
    NOBODY,
    ROOT,
    add_quantity,
    committed,
    create_asset,
    create_role,
    transfer,
)

from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import RolePermission as P
from chaincode.protocol.qry_responses_pb2 import QueryResponse, TransactionsPageResponse
from chaincode.protocol.queries_pb2 import Direction, Field, Ordering, TxPaginationMeta
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.stateless import validate_transaction
from chaincode.transactions import ValidTransaction, transaction_hash
from client_sdk.ledger.commands import append_role, set_account_detail

UP, DOWN = Direction.kAscending, Direction.kDescending
CREATED, POSITION = Field.kCreatedTime, Field.kPosition
# The creation times of alice's transactions, block by block: later blocks hold earlier ones too.
BLOCKS = [[50], [10, 40, 40, 30], [20], [60, 5]]
FIRST_HEIGHT = 3
"""Two blocks come before."""
NAMES = [
    f"{height}.{place}"
    for height, block in enumerate(BLOCKS, FIRST_HEIGHT)
    for place, _ in enumerate(block)
]


def made_at(ledger: MemoryLedger, account_id: str, ms: int, *commands: Command) -> ValidTransaction:
    message = ledger.build_transaction(account_id, *commands)
    message.payload.reduced_payload.created_time = START_MS + ms
    sign_transaction(message, ledger.keys[account_id])
    return validate_transaction(message, None)


@pytest.fixture(scope="module")
def ledger() -> MemoryLedger:
    """Alice made the transactions of BLOCKS; bob's stand between them."""
    ledger = with_permissions(P.can_get_all_acc_txs, P.can_get_my_txs)
    for height, times in enumerate(BLOCKS, FIRST_HEIGHT):
        block = [
            made_at(ledger, ALICE, ms, set_account_detail(ALICE, "name", f"{height}.{place}"))
            for place, ms in enumerate(times)
        ]
        other = ledger.build_signed(BOB, set_account_detail(BOB, "k", str(height)))
        refused = ledger.build_signed(ALICE, set_account_detail(NOBODY, "k", "v"))
        ledger.apply(refused, *block, other)
    return ledger


def name_of(message: Transaction) -> str:
    value: str = message.payload.reduced_payload.commands[0].set_account_detail.value
    return value


def hash_of(ledger: MemoryLedger, name: str) -> str:
    (found,) = (
        transaction_hash(message).hex()
        for block in ledger.blocks
        for message in block.block_v1.payload.transactions
        if name_of(message) == name
    )
    return found


def ordering(*fields: tuple[int, int]) -> Ordering:
    built = Ordering()
    for field, direction in fields:
        built.sequence.add(field=field, direction=direction)  # type: ignore[arg-type]
    return built


def history(ledger: MemoryLedger, account_id: str = ALICE, **meta: object) -> QueryResponse:
    page = TxPaginationMeta(**{"page_size": 100, **meta})  # type: ignore[arg-type]
    return ask(ledger, "get_account_transactions", account_id=account_id, pagination_meta=page)


def names(response: QueryResponse) -> list[str]:
    assert response.HasField("transactions_page_response"), response
    return [name_of(message) for message in response.transactions_page_response.transactions]


ORDERS: list[tuple[Sequence[tuple[int, int]], list[str]]] = [
    ([], NAMES),
    ([(POSITION, UP)], NAMES),
    # Within a block the order of the block stays.
    ([(POSITION, DOWN)], ["6.0", "6.1", "5.0", "4.0", "4.1", "4.2", "4.3", "3.0"]),
    ([(CREATED, UP)], ["6.1", "4.0", "5.0", "4.3", "4.1", "4.2", "3.0", "6.0"]),
    ([(CREATED, DOWN)], ["6.0", "3.0", "4.1", "4.2", "4.3", "5.0", "4.0", "6.1"]),
    ([(POSITION, DOWN), (CREATED, UP)], ["6.1", "6.0", "5.0", "4.0", "4.3", "4.1", "4.2", "3.0"]),
    ([(POSITION, UP), (CREATED, DOWN)], ["3.0", "4.1", "4.2", "4.3", "4.0", "5.0", "6.0", "6.1"]),
    ([(CREATED, UP), (POSITION, DOWN)], ["6.1", "4.0", "5.0", "4.3", "4.1", "4.2", "3.0", "6.0"]),
    # A field that is named twice counts where it stands first.
    ([(CREATED, DOWN), (CREATED, UP)], ["6.0", "3.0", "4.1", "4.2", "4.3", "5.0", "4.0", "6.1"]),
    # A field that nobody knows does not count.
    ([(99, DOWN), (POSITION, DOWN)], ["6.0", "6.1", "5.0", "4.0", "4.1", "4.2", "4.3", "3.0"]),
]


@pytest.mark.parametrize(("order", "expected"), ORDERS)
def test_orders(
    ledger: MemoryLedger, order: Sequence[tuple[int, int]], expected: list[str]
) -> None:
    response = history(ledger, ordering=ordering(*order))
    assert names(response) == expected
    assert response.transactions_page_response.all_transactions_size == len(NAMES)


@pytest.mark.parametrize("order", [order for order, _ in ORDERS])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 2**32 - 1])
def test_pages_join_to_the_whole_in_every_order(
    ledger: MemoryLedger, order: Sequence[tuple[int, int]], size: int
) -> None:
    whole = names(history(ledger, ordering=ordering(*order)))
    response = history(ledger, ordering=ordering(*order), page_size=size)
    found = names(response)
    while following := response.transactions_page_response.next_tx_hash:
        assert len(response.transactions_page_response.transactions) == size
        response = history(
            ledger, ordering=ordering(*order), page_size=size, first_tx_hash=following.upper()
        )
        assert response.transactions_page_response.all_transactions_size == len(whole)
        found += names(response)
    assert found == whole


def at(ms: int) -> Timestamp:
    seconds, rest = divmod(START_MS + ms, 1000)
    return Timestamp(seconds=seconds, nanos=rest * 1_000_000 + 999_999)


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"first_tx_height": 4, "last_tx_height": 5}, ["4.0", "4.1", "4.2", "4.3", "5.0"]),
        ({"first_tx_height": 5}, ["5.0", "6.0", "6.1"]),
        ({"last_tx_height": 3}, ["3.0"]),
        ({"first_tx_height": 7}, []),
        ({"first_tx_height": 2**64 - 1, "last_tx_height": 2**64 - 1}, []),
        ({"last_tx_height": 2**64 - 1}, NAMES),
        ({"first_tx_time": at(40)}, ["3.0", "4.1", "4.2", "6.0"]),
        ({"last_tx_time": at(20)}, ["4.0", "5.0", "6.1"]),
        ({"first_tx_time": at(20), "last_tx_time": at(40)}, ["4.1", "4.2", "4.3", "5.0"]),
        ({"first_tx_time": at(61)}, []),
        (
            {"first_tx_time": at(20), "last_tx_time": at(40), "last_tx_height": 4},
            ["4.1", "4.2", "4.3"],
        ),
    ],
    ids=str,
)
def test_ranges_hold_their_ends(
    ledger: MemoryLedger, bounds: dict[str, object], expected: list[str]
) -> None:
    response = history(ledger, **bounds)
    assert names(response) == expected
    assert response.transactions_page_response.all_transactions_size == len(expected)
    if len(expected) > 1:
        first = history(ledger, page_size=1, **bounds).transactions_page_response
        assert first.all_transactions_size == len(expected)
        assert first.next_tx_hash == hash_of(ledger, expected[1])
        rest = history(ledger, first_tx_hash=first.next_tx_hash, **bounds)
        assert names(rest) == expected[1:]


@pytest.mark.parametrize("bounds", [{"last_tx_height": 3}, {"first_tx_time": at(45)}], ids=str)
def test_a_first_transaction_outside_the_range_is_not_there(
    ledger: MemoryLedger, bounds: dict[str, object]
) -> None:
    assert error(history(ledger, first_tx_hash=hash_of(ledger, "5.0"), **bounds)) == (
        "STATEFUL_INVALID",
        4,
    )


def test_a_first_transaction_that_is_not_there(ledger: MemoryLedger) -> None:
    bobs = transaction_hash(ledger.blocks[-1].block_v1.payload.transactions[-1]).hex()
    refused = ledger.blocks[-1].block_v1.payload.rejected_transactions_hashes[0]
    for first in ("0" * 64, bobs, refused):
        for account_id in (ALICE, NOBODY):
            assert refusal(history(ledger, account_id, first_tx_hash=first)) == (
                "STATEFUL_INVALID",
                4,
                f"failed to execute query: invalid pagination hash: {first}",
            )


def test_an_account_that_made_none_has_an_empty_page(ledger: MemoryLedger) -> None:
    response = history(ledger, CAROL)
    assert response.transactions_page_response == TransactionsPageResponse()


COIN, GOLD = "coin#d", "gold#d"


@pytest.fixture(scope="module")
def moves() -> tuple[MemoryLedger, dict[str, str]]:
    """Root moves coins and gold between accounts; returns what is called what by its hash."""
    ledger = with_permissions(P.can_get_all_acc_ast_txs)
    everyone = [append_role(account, "r") for account in (ALICE, BOB, CAROL)]
    committed(
        ledger.submit(
            ROOT,
            create_asset(COIN),
            create_asset(GOLD),
            create_asset("dust#d"),
            create_role("r", P.can_receive),
            *everyone,
            add_quantity(COIN, "100"),
            add_quantity(GOLD, "100"),
        )
    )
    called = {
        "to alice": [transfer(ROOT, ALICE, COIN, "9")],
        "gold to alice": [transfer(ROOT, ALICE, GOLD, "9")],
        "from alice to bob": [transfer(ALICE, BOB, COIN, "1")],
        "both to bob, coins twice": [
            transfer(ALICE, BOB, COIN, "1"),
            transfer(ALICE, BOB, COIN, "1"),
            transfer(ALICE, BOB, GOLD, "1"),
        ],
        "no transfer": [set_account_detail(ROOT, "k", "v")],
    }
    found = {
        committed(ledger.submit(ROOT, *commands)).tx_hash.hex(): name
        for name, commands in called.items()
    }
    return ledger, found


@pytest.mark.parametrize(
    ("account_id", "asset_id", "expected"),
    [
        (ALICE, COIN, ["to alice", "from alice to bob", "both to bob, coins twice"]),
        (ALICE, GOLD, ["gold to alice", "both to bob, coins twice"]),
        (BOB, COIN, ["from alice to bob", "both to bob, coins twice"]),
        (BOB, GOLD, ["both to bob, coins twice"]),
        # Who makes a transaction is concerned by all that it moves.
        (ROOT, COIN, ["to alice", "from alice to bob", "both to bob, coins twice"]),
        (CAROL, COIN, []),
        (ALICE, "dust#d", []),
    ],
)
def test_the_history_of_an_asset(
    moves: tuple[MemoryLedger, dict[str, str]], account_id: str, asset_id: str, expected: list[str]
) -> None:
    ledger, called = moves
    for size in range(1, 5):
        page = TxPaginationMeta(page_size=size)
        found: list[str] = []
        for _ in itertools.count():
            body = ask(
                ledger,
                "get_account_asset_transactions",
                account_id=account_id,
                asset_id=asset_id,
                pagination_meta=page,
            ).transactions_page_response
            assert body.all_transactions_size == len(expected)
            found += [called[transaction_hash(message).hex()] for message in body.transactions]
            if not body.next_tx_hash:
                break
            page.first_tx_hash = body.next_tx_hash
        assert found == expected


def test_an_asset_that_is_not_there(moves: tuple[MemoryLedger, dict[str, str]]) -> None:
    def asked(account_id: str) -> tuple[str, int, str]:
        page = TxPaginationMeta(page_size=1)
        response = ask(
            moves[0],
            "get_account_asset_transactions",
            account_id=account_id,
            asset_id="gone#d",
            pagination_meta=page,
        )
        return refusal(response)

    failed = "failed to execute query: "
    assert asked(ALICE) == (
        "STATEFUL_INVALID",
        6,
        failed + "no asset with such id found: gone#d",
    )
    assert asked(NOBODY)[1] == 5


def test_transactions_by_hash_come_in_the_order_of_the_chain(ledger: MemoryLedger) -> None:
    hashes = [hash_of(ledger, name) for name in ("6.1", "3.0", "4.2", "4.1")]
    response = ask(ledger, "get_transactions", tx_hashes=[hashes[0].upper(), *hashes[1:]])
    shown = response.transactions_response.transactions
    assert [name_of(message) for message in shown] == ["3.0", "4.1", "4.2", "6.1"]


def test_transactions_of_others_are_left_out_without_a_word() -> None:
    ledger = with_permissions(P.can_get_my_txs)
    own = ledger.submit(ALICE, set_account_detail(ALICE, "k", "v")).tx_hash.hex()
    other = ledger.submit(BOB, set_account_detail(BOB, "k", "v")).tx_hash.hex()
    rejected = ledger.submit(BOB, set_account_detail(NOBODY, "k", "v")).tx_hash.hex()

    def creators(hashes: list[str]) -> list[str]:
        response = ask(ledger, "get_transactions", tx_hashes=hashes)
        assert response.HasField("transactions_response"), response
        found = response.transactions_response.transactions
        return [message.payload.reduced_payload.creator_account_id for message in found]

    assert creators([other, own]) == [ALICE]
    assert creators([other]) == []
    committed(ledger.submit(ROOT, append_role(ALICE, "root")))
    assert creators([other, own]) == [ALICE, BOB]
    # irohad answers the same where a hash is given twice.
    for hashes in ([own, rejected], ["0" * 64], [own, own], [own, own.upper()]):
        assert refusal(ask(ledger, "get_transactions", tx_hashes=hashes)) == (
            "STATEFUL_INVALID",
            4,
            "failed to execute query: At least one of the supplied hashes is incorrect",
        )


def test_everybodys_transactions_need_no_root() -> None:
    ledger = with_permissions(P.can_get_all_txs)
    other = ledger.submit(BOB, set_account_detail(BOB, "k", "v")).tx_hash.hex()
    response = ask(ledger, "get_transactions", tx_hashes=[other])
    assert len(response.transactions_response.transactions) == 1

"""Transactions: by their hashes, and by the history of an account."""

from itertools import islice
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from chaincode.protocol.primitive_pb2 import RolePermission
from chaincode.protocol.qry_responses_pb2 import (
    QueryResponse,
    TransactionsPageResponse,
    TransactionsResponse,
)
from chaincode.protocol.queries_pb2 import (
    Direction,
    Field,
    GetAccountAssetTransactions,
    GetAccountTransactions,
    GetTransactions,
    Ordering,
    TxPaginationMeta,
)
from chaincode.queries.asker import Asker, Reach, limit_size, refuse
from chaincode.queries.view import HistorySearch, SortField
from chaincode.transactions import creator_of, transaction_hash
from chaincode.world_state import get_account, get_precision

_READ_TRANSACTIONS: Final[Reach] = (
    RolePermission.can_get_my_acc_txs,
    RolePermission.can_get_domain_acc_txs,
    RolePermission.can_get_all_acc_txs,
)
_READ_ASSET_TRANSACTIONS: Final[Reach] = (
    RolePermission.can_get_my_acc_ast_txs,
    RolePermission.can_get_domain_acc_ast_txs,
    RolePermission.can_get_all_acc_ast_txs,
)
_SORT_FIELDS: Final = {Field.kCreatedTime: SortField.CREATED, Field.kPosition: SortField.HEIGHT}


def answer_transactions(asker: Asker, query: GetTransactions) -> QueryResponse:
    """Answer `GetTransactions`, in the order of the chain.

    The transactions of others are left out without a word where the creator may read only its own.
    Codes: 4 one is not committed, or is asked for twice.
    """
    asker.require(RolePermission.can_get_my_txs, RolePermission.can_get_all_txs)
    hashes = {bytes.fromhex(tx_hash) for tx_hash in query.tx_hashes}
    found = list(limit_size(asker.view.transactions(hashes), "ask for fewer at once"))
    if len(found) < len(query.tx_hashes):
        refuse(4, "At least one of the supplied hashes is incorrect")
    reads_all = asker.has(RolePermission.can_get_all_txs)
    shown = [
        transaction
        for transaction in found
        if reads_all or creator_of(transaction) == asker.account_id
    ]
    return QueryResponse(transactions_response=TransactionsResponse(transactions=shown))


def answer_account_transactions(asker: Asker, query: GetAccountTransactions) -> QueryResponse:
    """Answer `GetAccountTransactions`. Codes: 4 no such first transaction, 5 no such account."""
    asker.require_read(query.account_id, _READ_TRANSACTIONS)
    response = _page(asker, query.account_id, None, query.pagination_meta)
    if not response.transactions:
        _require_account(asker, query.account_id)
    return QueryResponse(transactions_page_response=response)


def answer_account_asset_transactions(
    asker: Asker, query: GetAccountAssetTransactions
) -> QueryResponse:
    """Answer `GetAccountAssetTransactions`.

    Codes: 4 no such first transaction, 5 no such account, 6 no such asset.
    """
    asker.require_read(query.account_id, _READ_ASSET_TRANSACTIONS)
    response = _page(asker, query.account_id, query.asset_id, query.pagination_meta)
    if not response.transactions:
        _require_account(asker, query.account_id)
        if get_precision(asker.view, query.asset_id) is None:
            refuse(6, f"no asset with such id found: {query.asset_id}")
    return QueryResponse(transactions_page_response=response)


def _page(
    asker: Asker, account_id: str, asset_id: str | None, page: TxPaginationMeta
) -> TransactionsPageResponse:
    """Return a page of a history, and the hash of the first transaction behind it."""
    search = HistorySearch(
        account_id=account_id,
        asset_id=asset_id,
        order=_sort_order(page.ordering),
        # One more than is shown: it begins the next page.
        size=page.page_size + 1,
        first=bytes.fromhex(page.first_tx_hash) if page.HasField("first_tx_hash") else None,
        created_from_ms=_ms(page.first_tx_time) if page.HasField("first_tx_time") else None,
        created_to_ms=_ms(page.last_tx_time) if page.HasField("last_tx_time") else None,
        height_from=page.first_tx_height if page.HasField("first_tx_height") else None,
        height_to=page.last_tx_height if page.HasField("last_tx_height") else None,
    )
    total, transactions = asker.view.history(search)
    shown = list(limit_size(islice(transactions, page.page_size), "ask for a smaller page_size"))
    if search.first is not None and not shown:
        refuse(4, f"invalid pagination hash: {search.first.hex()}")
    response = TransactionsPageResponse(transactions=shown, all_transactions_size=total)
    following = next(transactions, None)
    if following is not None:
        response.next_tx_hash = transaction_hash(following).hex()
    return response


def _sort_order(ordering: Ordering) -> tuple[tuple[SortField, bool], ...]:
    """Return the fields to sort by.

    One that is named twice counts where it stands first; one that nobody knows does not count.
    """
    order: dict[SortField, bool] = {}
    for entry in ordering.sequence:
        if (field := _SORT_FIELDS.get(entry.field)) is not None:
            order.setdefault(field, entry.direction == Direction.kDescending)
    order.setdefault(SortField.HEIGHT, False)
    return tuple(order.items())


def _ms(time: Timestamp) -> int:
    return time.seconds * 1000 + time.nanos // 1_000_000


def _require_account(asker: Asker, account_id: str) -> None:
    if get_account(asker.view, account_id) is None:
        refuse(5, f"no account with such id found: {account_id}")

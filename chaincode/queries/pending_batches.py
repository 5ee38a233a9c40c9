"""Batches that wait for signatures."""

from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from chaincode.batches import Batch
from chaincode.errors import QueryRejectedError
from chaincode.protocol.qry_responses_pb2 import (
    ErrorResponse,
    PendingTransactionsPageResponse,
    QueryResponse,
    TransactionsResponse,
)
from chaincode.protocol.queries_pb2 import GetPendingTransactions, TxPaginationMeta
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.queries.asker import Asker

_UNKNOWN_FIRST_HASH = 4


def answer_pending_transactions(asker: Asker, query: GetPendingTransactions) -> QueryResponse:
    """Answer `GetPendingTransactions`, without pages where the query asks for none (deprecated).

    Codes: 4 no batch begins with the page's first transaction.
    """
    batches = asker.pending.of_creator(asker.account_id)
    if query.HasField("pagination_meta"):
        page = _page(batches, query.pagination_meta)
        return QueryResponse(pending_transactions_page_response=page)
    every = [transaction.message for batch in batches for transaction in batch.transactions]
    return QueryResponse(transactions_response=TransactionsResponse(transactions=every))


def _page(batches: Sequence[Batch], page: TxPaginationMeta) -> PendingTransactionsPageResponse:
    """Return the batches that fit on a page, none of them in part, and where the next begins."""
    response = PendingTransactionsPageResponse(
        all_transactions_size=sum(len(batch.transactions) for batch in batches)
    )
    for batch in batches[_first(batches, page) :]:
        if len(response.transactions) + len(batch.transactions) > page.page_size:
            response.next_batch_info.first_tx_hash = batch.transactions[0].hash.hex()
            response.next_batch_info.batch_size = len(batch.transactions)
            break
        response.transactions.extend(
            transaction.message
            for transaction in batch.transactions
            if _in_range(transaction.message, page)
        )
    return response


def _first(batches: Sequence[Batch], page: TxPaginationMeta) -> int:
    if not page.HasField("first_tx_hash"):
        return 0
    wanted = page.first_tx_hash.lower()
    for index, batch in enumerate(batches):
        if batch.transactions[0].hash.hex() == wanted:
            return index
    raise QueryRejectedError(
        ErrorResponse.Reason.STATEFUL_INVALID,
        _UNKNOWN_FIRST_HASH,
        f"The batch with specified first transaction hash not found, the hash: Hash: [{wanted}]",
    )


def _in_range(message: Transaction, page: TxPaginationMeta) -> bool:
    created_ms = message.payload.reduced_payload.created_time
    return not (
        (page.HasField("first_tx_time") and created_ms < _milliseconds(page.first_tx_time))
        or (page.HasField("last_tx_time") and created_ms > _milliseconds(page.last_tx_time))
    )


def _milliseconds(time: Timestamp) -> int:
    return time.seconds * 1000 + time.nanos // 1_000_000

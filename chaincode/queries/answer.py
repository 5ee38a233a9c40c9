"""The entry: who asks, which subject answers, and what an error looks like."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from chaincode.errors import QueryRejectedError
from chaincode.multisignature import PendingView
from chaincode.protocol.primitive_pb2 import RolePermission
from chaincode.protocol.qry_responses_pb2 import ErrorResponse, QueryResponse
from chaincode.protocol.queries_pb2 import Query
from chaincode.queries import (
    accounts,
    assets,
    blocks,
    details,
    engine,
    peers,
    pending_batches,
    roles,
    transactions,
)
from chaincode.queries.asker import MAX_RESPONSE_BYTES, Asker, identify, refuse_size
from chaincode.queries.view import LedgerView
from chaincode.transactions import hash_payload

_Answer: TypeAlias = Callable[[Asker, Any], QueryResponse]
_ANSWERS: Final[Mapping[str, _Answer]] = {
    "get_account": accounts.answer_account,
    "get_account_asset_transactions": transactions.answer_account_asset_transactions,
    "get_account_assets": assets.answer_account_assets,
    "get_account_detail": details.answer_detail,
    "get_account_transactions": transactions.answer_account_transactions,
    "get_asset_info": assets.answer_asset_info,
    "get_block": blocks.answer_block,
    "get_engine_receipts": engine.answer_engine_receipts,
    "get_peers": peers.answer_peers,
    "get_pending_transactions": pending_batches.answer_pending_transactions,
    "get_role_permissions": roles.answer_role_permissions,
    "get_roles": roles.answer_roles,
    "get_signatories": accounts.answer_signatories,
    "get_transactions": transactions.answer_transactions,
}


def answer_query(
    view: LedgerView, query: Query, signatory: str, *, pending: PendingView
) -> QueryResponse:
    """Return the answer to a query of well-checked form, an error answer included.

    Args:
        view: The state that is read.
        query: As `stateless.validate_query` accepted it.
        signatory: The key that signed it, lower-case hex.
        pending: Knows what waits for signatures.
    """
    payload = query.payload
    query_hash = hash_payload(payload).hex()
    try:
        asker = identify(view, pending, payload.meta.creator_account_id, signatory)
        response = answer_asker(asker, payload)
        response.query_hash = query_hash
        if response.ByteSize() > MAX_RESPONSE_BYTES:
            refuse_size("ask for less")
    except QueryRejectedError as rejection:
        response = error_response(rejection.reason, rejection.code, str(rejection))
        response.query_hash = query_hash
    return response


def may_fetch_commits(
    view: LedgerView, account_id: str, signatory: str, *, pending: PendingView
) -> bool:
    """Tell whether a key may follow the chain in the name of an account.

    Args:
        view: The state that is read.
        account_id: The creator of the query.
        signatory: The key that signed it, lower-case hex.
        pending: Knows what waits for signatures.
    """
    try:
        asker = identify(view, pending, account_id, signatory)
    except QueryRejectedError:
        return False
    return asker.has(RolePermission.can_get_blocks)


def answer_asker(asker: Asker, payload: Query.Payload) -> QueryResponse:
    """Return the answer to a query whose creator is known, without its hash.

    Raises:
        QueryRejectedError: There is no answer for this creator or in this state.
    """
    name = payload.WhichOneof("query") or ""
    return _ANSWERS[name](asker, getattr(payload, name))


def error_response(reason: int, code: int, message: str) -> QueryResponse:
    """Return an error answer; `reason` is a number of `ErrorResponse.Reason`."""
    error = ErrorResponse(
        reason=ErrorResponse.Reason.Name(reason),
        message=message,
        error_code=code,
    )
    return QueryResponse(error_response=error)

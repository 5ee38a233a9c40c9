"""Asking a ledger in memory, and reading what it answers."""

from typing import Any

from support.memory_ledger import MemoryLedger, named_key
from support.small_ledger import ALICE, give_permissions, small_ledger

from chaincode.protocol.qry_responses_pb2 import ErrorResponse, QueryResponse
from chaincode.protocol.queries_pb2 import Query
from chaincode.queries import answer_query
from chaincode.transactions import hash_payload


def ask(
    ledger: MemoryLedger, name: str, *, creator: str = ALICE, signer: str = "", **fields: Any
) -> QueryResponse:
    """Ask as `creator`, with the key of `signer`; `fields` are those of the query `name`."""
    query = Query()
    query.payload.meta.creator_account_id = creator
    body = getattr(query.payload, name)
    body.SetInParent()
    body.MergeFrom(type(body)(**fields))
    response = answer_query(
        ledger, query, named_key(signer or creator).public_key, pending=ledger.pending
    )
    assert response.query_hash == hash_payload(query.payload).hex()
    return response


def refusal(response: QueryResponse) -> tuple[str, int, str]:
    """Return reason, code and text of an error answer."""
    assert response.WhichOneof("response") == "error_response", response
    error = response.error_response
    return ErrorResponse.Reason.Name(error.reason), error.error_code, error.message


def error(response: QueryResponse) -> tuple[str, int]:
    """Return reason and code of an error answer."""
    reason, code, message = refusal(response)
    assert message
    return reason, code


def with_permissions(*permissions: int) -> MemoryLedger:
    """Return a small ledger where alice may do this, with a second block."""
    ledger = small_ledger()
    give_permissions(ledger, ALICE, *permissions)
    return ledger

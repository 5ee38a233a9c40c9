"""Blocks of the chain."""

from chaincode.errors import QueryRejectedError
from chaincode.protocol.primitive_pb2 import RolePermission
from chaincode.protocol.qry_responses_pb2 import BlockResponse, ErrorResponse, QueryResponse
from chaincode.protocol.queries_pb2 import GetBlock
from chaincode.queries.asker import NO_PERMISSION, Asker, missing_permissions, refuse


def answer_block(asker: Asker, query: GetBlock) -> QueryResponse:
    """Answer `GetBlock`. Codes: 3 there is no such block yet."""
    if not asker.has(RolePermission.can_get_blocks):
        # As `Asker.require`, but for one thing: here irohad does not begin with `refuse`'s words.
        text = missing_permissions([RolePermission.can_get_blocks])
        raise QueryRejectedError(ErrorResponse.STATEFUL_INVALID, NO_PERMISSION, text)
    block = asker.view.block_at(query.height)
    if block is None:
        refuse(
            3,
            f"requested height ({query.height}) is greater than the ledger's one "
            f"({asker.view.height()})",
        )
    return QueryResponse(block_response=BlockResponse(block=block))

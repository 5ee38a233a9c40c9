"""What calls of contracts did."""

from typing import Final

from chaincode.evm import get_engine_receipts
from chaincode.protocol.primitive_pb2 import RolePermission
from chaincode.protocol.qry_responses_pb2 import EngineReceiptsResponse, QueryResponse
from chaincode.protocol.queries_pb2 import GetEngineReceipts
from chaincode.queries.asker import Asker, Reach
from chaincode.transactions import creator_of

_READ_RECEIPTS: Final[Reach] = (
    RolePermission.can_get_my_engine_receipts,
    RolePermission.can_get_domain_engine_receipts,
    RolePermission.can_get_all_engine_receipts,
)


def answer_engine_receipts(asker: Asker, query: GetEngineReceipts) -> QueryResponse:
    """Answer `GetEngineReceipts`: none for a transaction without calls, or one that is not there.

    About the latter, only who may read everybody's gets an answer.
    """
    tx_hash = bytes.fromhex(query.tx_hash)
    creators = [creator_of(transaction) for transaction in asker.view.transactions([tx_hash])]
    asker.require_read(creators[0] if creators else "", _READ_RECEIPTS)
    receipts = get_engine_receipts(asker.view, tx_hash).receipts
    return QueryResponse(engine_receipts_response=EngineReceiptsResponse(engine_receipts=receipts))

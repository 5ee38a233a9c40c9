"""`QueryService_v1`: answers queries, and tells of new blocks."""

from collections.abc import Iterator
from typing import Final

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError

from chaincode.errors import InvalidQueryError
from chaincode.protocol.qry_responses_pb2 import (
    BlockErrorResponse,
    BlockQueryResponse,
    BlockResponse,
    ErrorResponse,
    HealthcheckData,
    QueryResponse,
)
from chaincode.protocol.queries_pb2 import BlocksQuery, Query
from chaincode.queries import answer_query, error_response, may_fetch_commits
from chaincode.stateless import validate_blocks_query, validate_query
from chaincode.transactions import hash_payload
from node.ledger.answered_queries import AnsweredQueries
from node.ledger.calls import CallContext, decode
from node.ledger.stream_places import StreamPlaces
from node.ledger.torii_parts import ToriiParts

_SHORT: Final = frozenset(
    {"get_signatories", "get_asset_info", "get_role_permissions", "get_peers"}
)
"""The queries whose answers are about one thing, and read in one go."""


class QueryService:
    """`iroha.protocol.QueryService_v1`."""

    name: Final = "iroha.protocol.QueryService_v1"

    def __init__(self, parts: ToriiParts, places: StreamPlaces) -> None:
        self._parts = parts
        self._places = places
        self._answered = AnsweredQueries()

    def find(self, data: bytes, context: CallContext) -> QueryResponse:
        """Answer one query."""
        query = decode(data, Query, context)
        payload_hash = hash_payload(query.payload)
        if self._answered.is_known(payload_hash, query.signature.public_key):
            # irohad says no more than that it is stateless invalid, which is the field's default.
            return QueryResponse(error_response=ErrorResponse())
        try:
            signatory = validate_query(query, self._parts.window())
        except InvalidQueryError as error:
            response = error_response(ErrorResponse.Reason.STATELESS_INVALID, 0, str(error))
            response.query_hash = payload_hash.hex()
            return response
        with self._parts.state.snapshot() as view:
            response = answer_query(view, query, signatory, pending=self._parts.pending)
        self._answered.remember(payload_hash, signatory)
        return response

    def fetch_commits(self, data: bytes, context: CallContext) -> Iterator[BlockQueryResponse]:
        """Yield the blocks that are committed from now on, until the client leaves."""
        query = decode(data, BlocksQuery, context)
        try:
            signatory = validate_blocks_query(query, self._parts.window())
        except InvalidQueryError as error:
            yield _block_error(str(error))
            return
        with self._parts.state.snapshot() as view:
            may_follow = may_fetch_commits(
                view, query.meta.creator_account_id, signatory, pending=self._parts.pending
            )
        if not may_follow:
            yield _block_error("stateful invalid")
            return
        with self._places.hold(context):
            yield from self._follow_commits(context)

    def _follow_commits(self, context: CallContext) -> Iterator[BlockQueryResponse]:
        commits = self._parts.commits
        stream = commits.open_stream()
        # When the client leaves, the waiting thread is woken and ends.
        if not context.add_callback(lambda: commits.end_stream(stream)):
            return
        # Whoever sees the metadata misses no block from now on.
        context.send_initial_metadata(())
        while (height := commits.next_height(stream)) is not None:
            with self._parts.state.snapshot() as view:
                block = view.block_at(height)
            # gRPC asks for the next block when the one before is sent: nothing piles up here.
            yield BlockQueryResponse(block_response=BlockResponse(block=block))

    def healthcheck(self, data: bytes, context: CallContext) -> HealthcheckData:
        """Report on the node."""
        decode(data, Empty, context)
        return self._parts.health().message()


def may_be_long(data: bytes) -> bool:
    """Tell whether a query may ask for much: it must not hold up those that ask for little."""
    try:
        payload = Query.FromString(data).payload
    except DecodeError:
        return False
    kind = payload.WhichOneof("query")
    if kind == "get_account_detail":
        # Of one writer by name: one detail; else all that the account has, up to 4 MiB each.
        asked = payload.get_account_detail
        return not (asked.key and asked.writer)
    return kind not in _SHORT


def _block_error(text: str) -> BlockQueryResponse:
    return BlockQueryResponse(block_error_response=BlockErrorResponse(message=text))

"""`tegata.ledger.ProofService`: checkpoints of the chain, and proofs of single entries."""

from typing import Final

from chaincode.checkpoints import Checkpoint, log_origin, sign_checkpoint
from chaincode.errors import DecodeError, InvalidQueryError
from chaincode.merkle_log import log_root
from chaincode.protocol.proofs_pb2 import (
    CheckpointRequest,
    CheckpointResponse,
    ProofRequest,
    ProofResponse,
    Replication,
)
from chaincode.protocol.qry_responses_pb2 import ErrorResponse
from chaincode.queries import error_response
from chaincode.queries.proofs import answer_consistency, answer_proof
from chaincode.stateless import validate_proof_request
from chaincode.transactions import hash_payload
from node.errors import StorageError
from node.ledger.answered_queries import AnsweredQueries
from node.ledger.calls import CallContext, decode
from node.ledger.state_snapshot import StateSnapshot
from node.ledger.torii_parts import ToriiParts


class ProofService:
    """`tegata.ledger.ProofService`."""

    name: Final = "tegata.ledger.ProofService"

    def __init__(self, parts: ToriiParts) -> None:
        self._parts = parts
        self._answered = AnsweredQueries()
        self._newest: tuple[Checkpoint, bytes] | None = None

    def checkpoint(self, data: bytes, context: CallContext) -> CheckpointResponse:
        """Return the checkpoint of the chain's top, to anybody: it holds no more than a hash."""
        request = decode(data, CheckpointRequest, context)
        try:
            with self._parts.state.snapshot() as view:
                return CheckpointResponse(
                    checkpoint=self._sign(view),
                    consistency=answer_consistency(view, request.known_size, view.height()),
                    replication=_replication(view),
                )
        except DecodeError as error:
            raise _damaged(error) from None

    def prove(self, data: bytes, context: CallContext) -> ProofResponse:
        """Prove what stands at some entries of the state, or that nothing does."""
        request = decode(data, ProofRequest, context)
        payload_hash = hash_payload(request.payload)
        if self._answered.is_known(payload_hash, request.signature.public_key):
            return _refusal("the request was answered before")
        try:
            signatory = validate_proof_request(request, self._parts.window())
        except InvalidQueryError as error:
            return _refusal(str(error))
        try:
            with self._parts.state.snapshot() as view:
                response = answer_proof(
                    view,
                    request,
                    signatory,
                    pending=self._parts.pending,
                    checkpoint=self._sign(view),
                )
                if (replication := _replication(view)) is not None:
                    response.replication.CopyFrom(replication)
        except DecodeError as error:
            raise _damaged(error) from None
        self._answered.remember(payload_hash, signatory)
        return response

    def _sign(self, view: StateSnapshot) -> bytes:
        """Return the signed checkpoint of a view; in the same second the one signed before."""
        height, ledger_id = view.height(), view.ledger_id()
        time_s = self._parts.window().now_ms // 1000
        newest = self._newest
        if newest is not None and (newest[0].size, newest[0].time_s) == (height, time_s):
            return newest[1]
        checkpoint = Checkpoint(
            origin=log_origin(ledger_id or ""),
            size=height,
            root=log_root(view, height),
            time_s=time_s,
        )
        note = sign_checkpoint(checkpoint, self._parts.signer)
        self._newest = (checkpoint, note)
        return note


def _replication(view: StateSnapshot) -> Replication | None:
    """Return what binds a proof to CometBFT's headers, or None where the node orders alone."""
    position = view.position()
    if position is None:
        return None
    return Replication(pending_digest=position.pending_digest, header_height=position.header_height)


def _refusal(text: str) -> ProofResponse:
    refusal = error_response(ErrorResponse.Reason.STATELESS_INVALID, 0, text)
    return ProofResponse(error_response=refusal.error_response)


def _damaged(error: DecodeError) -> StorageError:
    return StorageError(
        f"the state on disk is damaged: {error}; move state.sqlite away, and the node rebuilds it "
        "from the blocks"
    )

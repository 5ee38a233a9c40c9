"""Proofs of single entries: all that leads from a peer's signature to what the state holds."""

from typing import Protocol

from chaincode.authenticated_map import PageView, prove
from chaincode.checkpoints import LogEntry
from chaincode.errors import DecodeError, QueryRejectedError
from chaincode.merkle_log import LogView, prove_consistency, prove_inclusion
from chaincode.multisignature import PendingView
from chaincode.protocol.proofs_pb2 import (
    EntryProof,
    ProofRequest,
    ProofResponse,
    StateEntry,
    StateProof,
)
from chaincode.queries.accounts import READ_SIGNATORIES
from chaincode.queries.answer import error_response
from chaincode.queries.asker import Asker, identify
from chaincode.queries.view import LedgerView
from chaincode.records import parse_record_key
from chaincode.rules.details import READ_DETAIL
from chaincode.set_hash import SetHash
from chaincode.state_root import StateRoot, entry_key


class ProvableView(LedgerView, PageView, LogView, Protocol):
    """A committed state, the chain that led to it, and all that commits to both."""

    def log_entry(self) -> LogEntry:
        """Return what the log says of the top block."""
        ...

    def state_root(self) -> StateRoot:
        """Return what commits to the whole state."""
        ...


def answer_proof(
    view: ProvableView,
    request: ProofRequest,
    signatory: str,
    *,
    pending: PendingView,
    checkpoint: bytes,
) -> ProofResponse:
    """Return the proofs that are asked for, or an error answer.

    Whoever names the random id of a record knows of it already and may have its proof; an account,
    and a record whose id is not random, are for those who may read them.

    Args:
        view: The state that is read.
        request: As `stateless.validate_proof_request` accepted it.
        signatory: The key that signed it, lower-case hex.
        pending: Knows what waits for signatures.
        checkpoint: The signed note of the view's log.
    """
    payload = request.payload
    try:
        asker = identify(view, pending, payload.meta.creator_account_id, signatory)
        for entry in payload.entries:
            _require_read(asker, entry)
    except QueryRejectedError as rejection:
        refusal = error_response(rejection.reason, rejection.code, str(rejection))
        return ProofResponse(error_response=refusal.error_response)
    log_entry = view.log_entry()
    size = log_entry.height
    root = view.state_root()
    proof = StateProof(
        checkpoint=checkpoint,
        log_entry=log_entry.encode(),
        inclusion=prove_inclusion(view, size - 1, size),
        set_digest=SetHash(root.set_hash).digest(),
        map_root=root.map_root,
        entries=[_prove_entry(view, entry) for entry in payload.entries],
    )
    return ProofResponse(
        proof=proof,
        consistency=answer_consistency(view, payload.known_size, size),
        genesis=view.block_at(1) if payload.with_genesis else None,
    )


def answer_consistency(view: LogView, known_size: int, size: int) -> list[bytes]:
    """Return what shows that the log begins with what a client knows of it.

    Nothing does where it knows nothing, or more than there is.
    """
    return prove_consistency(view, known_size, size) if 0 < known_size <= size else []


def _require_read(asker: Asker, entry: StateEntry) -> None:
    if not entry.key:
        asker.require_read(entry.account_id, READ_SIGNATORIES)
        return
    try:
        kind, _ = parse_record_key(entry.key)
    except DecodeError:
        kind = None
    if kind is None or kind.single or kind.guessable:
        asker.require_read(entry.account_id, READ_DETAIL)


def _prove_entry(view: ProvableView, entry: StateEntry) -> EntryProof:
    key = entry_key(entry)
    return EntryProof(entry=entry, value=view.get(key), path=prove(view, key).encode())

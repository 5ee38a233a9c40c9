"""Proofs of what a ledger holds: from its peers' signatures to one entry, without trust in a node.

`verify_state_proof` follows the way in four steps from one peer's checkpoint;
`verify_committed_proof` begins at a header that the peers of a replicated ledger decided together.
What comes out is known to have stood in the ledger's state at a height, or not to have stood there;
how long ago that may be is for the caller to say (`ProvenState.check_age`): a proof that a record
once existed is not enough.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self, TypeAlias, TypeVar, cast

from google.protobuf.message import DecodeError as ProtobufError

from chaincode.authenticated_map import MapProof, verify_absence, verify_presence
from chaincode.checkpoints import (
    Checkpoint,
    LogEntry,
    log_origin,
    read_checkpoint,
    verify_checkpoint,
)
from chaincode.errors import ChaincodeError, DecodeError
from chaincode.merkle import check_inclusion, hash_leaf
from chaincode.merkle_log import verify_consistency
from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.proofs_pb2 import EntryProof, ProofResponse, StateEntry, StateProof
from chaincode.protocol.world_state_pb2 import AccountRecord
from chaincode.records import MAX_RECORD_CHARS, IdentityRecord, decode_record
from chaincode.replication import AppState
from chaincode.state_root import entry_key, join_roots
from chaincode.transactions import block_hash
from client_sdk.errors import LedgerForkError, ProofError, QueryFailedError, StaleProofError

MAX_AHEAD_MS: Final = 60_000
"""How far the clocks of a peer and of whoever checks its proof may be apart."""
SignedCheckpoint: TypeAlias = tuple[bytes, Checkpoint]
"""A signed note, and what it says."""
_Record = TypeVar("_Record", bound=IdentityRecord)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerTrust:
    """Whose word counts for a ledger.

    Attributes:
        ledger_id: The hash of its genesis block, 64 hex digits.
        peer_keys: Its peers' keys, in the form that Iroha writes.
    """

    ledger_id: str
    peer_keys: frozenset[str]

    @classmethod
    def from_genesis(cls, genesis: Block, ledger_id: str) -> Self:
        """Return the trust that a ledger's id alone gives: in the peers of its genesis block.

        Raises:
            ProofError: It is the genesis block of another ledger, or names no peer.
        """
        if block_hash(genesis).hex() != ledger_id:
            raise ProofError("the genesis block is that of another ledger")
        peers = [
            command.add_peer.peer
            for transaction in genesis.block_v1.payload.transactions
            for command in transaction.payload.reduced_payload.commands
            if command.HasField("add_peer")
        ]
        keys = frozenset(peer.peer_key.lower() for peer in peers if not peer.syncing_peer)
        if not keys:
            raise ProofError("the genesis block names no peer")
        return cls(ledger_id=ledger_id, peer_keys=keys)

    def verify(self, note: bytes) -> Checkpoint:
        """Return what a signed checkpoint of this ledger says.

        Raises:
            ProofError: It is none, or no peer of the ledger has signed it.
        """
        try:
            return verify_checkpoint(note, log_origin(self.ledger_id), self.peer_keys)
        except ChaincodeError as error:
            raise ProofError(str(error)) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenState:
    """What is known of a ledger's state.

    Attributes:
        height: Of the ledger.
        time_ms: When its peers called this the newest state, milliseconds since 1970, UTC.
        root: The root of the state.
        values: The value of each entry by its key in the state; None where there is no such entry.
    """

    height: int
    time_ms: int
    root: bytes
    values: Mapping[bytes, bytes | None]

    def check_age(self, now_ms: int, max_age_ms: int) -> None:
        """Check that the peers called this the newest state a short while ago.

        Raises:
            StaleProofError: It is older than `max_age_ms`, or from the future.
        """
        age_ms = now_ms - self.time_ms
        if age_ms > max_age_ms:
            raise StaleProofError(
                f"the proof is {age_ms // 1000} s old, {max_age_ms // 1000} s are accepted; ask "
                "for a new one"
            )
        if age_ms < -MAX_AHEAD_MS:
            raise StaleProofError("the proof is from the future; are both clocks right?")

    def has(self, entry: StateEntry) -> bool:
        """Tell whether an entry, or its absence, is proven."""
        return entry_key(entry) in self.values

    def record(
        self, account_id: str, record_id: str, kind: type[_Record], *, writer: str | None = None
    ) -> _Record | None:
        """Return an identity record, or None where there is no valid one.

        Raises:
            ProofError: Nothing is proven of it.
        """
        entry = record_entry(account_id, record_id, kind, writer=writer)
        value = self._value(entry)
        if value is None or len(value) > MAX_RECORD_CHARS:
            return None
        return cast("_Record | None", _read_record(value, kind))  # type: ignore[arg-type] # hashable

    def signatories(self, account_id: str) -> frozenset[str]:
        """Return the public keys of an account.

        Raises:
            ProofError: Nothing is proven of it.
            QueryFailedError: There is no such account.
        """
        value = self._value(StateEntry(account_id=account_id))
        if value is None:
            raise QueryFailedError(
                f"there is no account {account_id}", reason="NO_SIGNATORIES", code=0
            )
        try:
            return frozenset(AccountRecord.FromString(value).signatories)
        except ProtobufError:
            raise ProofError(f"the ledger's entry of account {account_id} is damaged") from None

    def _value(self, entry: StateEntry) -> bytes | None:
        key = entry_key(entry)
        if key not in self.values:
            raise ProofError(f"nothing is proven of {entry.key or 'the account'}")
        return self.values[key]


@lru_cache(maxsize=256)
def _read_record(value: bytes, kind: type[IdentityRecord]) -> IdentityRecord | None:
    """Return a record; those of issuers and status lists are read again and again."""
    try:
        return decode_record(value.decode(), kind)
    except (DecodeError, UnicodeDecodeError):
        return None


def record_entry(
    account_id: str, record_id: str, kind: type[IdentityRecord], *, writer: str | None = None
) -> StateEntry:
    """Return the place of an identity record.

    Args:
        account_id: The account that holds it.
        record_id: Its id, or `NO_ID`.
        kind: The kind of record.
        writer: Who must have written it; by default the account itself.
    """
    other = writer if writer != account_id else None
    return StateEntry(account_id=account_id, writer=other or "", key=kind.key(record_id))


def verify_state_proof(
    proof: StateProof, trust: LedgerTrust
) -> tuple[ProvenState, SignedCheckpoint]:
    """Return what a proof proves by its checkpoint, and that checkpoint.

    Raises:
        ProofError: A step of it fails; the text says which.
    """
    # (1) A peer of this ledger has signed the checkpoint.
    checkpoint = trust.verify(proof.checkpoint)
    state = _verify_below(
        proof, size=checkpoint.size, log_root=checkpoint.root, time_ms=checkpoint.time_s * 1000
    )
    return state, (proof.checkpoint, checkpoint)


def read_app_state(response: ProofResponse, ledger_id: str) -> AppState:
    """Return what the app hash of a replicated ledger would be made of; nothing of it is checked.

    Raises:
        ProofError: The node does not say so: it orders alone, or it serves another ledger.
    """
    if not response.HasField("replication"):
        raise ProofError("the node orders alone: there are no headers that commit to its state")
    try:
        size, root = read_checkpoint(response.proof.checkpoint, log_origin(ledger_id))
    except ChaincodeError as error:
        raise ProofError(str(error)) from None
    return AppState(height=size, log_root=root, pending_digest=response.replication.pending_digest)


def verify_committed_proof(proof: StateProof, app: AppState, *, time_ms: int) -> ProvenState:
    """Return what a proof proves by a header of a replicated ledger.

    Args:
        proof: The proof; who signed its checkpoint does not matter.
        app: What the header's app hash is made of: step (1) is that the validators signed it.
        time_ms: The header's time, milliseconds since 1970, UTC.

    Raises:
        ProofError: A step of it fails; the text says which.
    """
    return _verify_below(proof, size=app.height, log_root=app.log_root, time_ms=time_ms)


def _verify_below(proof: StateProof, *, size: int, log_root: bytes, time_ms: int) -> ProvenState:
    """Follow a proof from the root of the log of blocks downwards."""
    try:
        # (2) The entry is the last one of the log.
        entry = LogEntry.decode(proof.log_entry)
        check_inclusion(
            hash_leaf(proof.log_entry),
            index=size - 1,
            count=size,
            path=proof.inclusion,
            root=log_root,
        )
        # (3) The entry's root of the state is made of this root of the map.
        if join_roots(proof.set_digest, proof.map_root) != entry.root:
            raise ProofError("the root of the map is not that of the state")
        # (4) Each value stands in the map, or nothing does.
        values = {}
        for each in proof.entries:
            key = entry_key(each.entry)
            values[key] = _verify_entry(proof.map_root, key, each)
    except ChaincodeError as error:
        raise ProofError(str(error)) from None
    return ProvenState(height=size, time_ms=time_ms, root=entry.root, values=values)


def _verify_entry(root: bytes, key: bytes, proof: EntryProof) -> bytes | None:
    path = MapProof.decode(proof.path)
    if not proof.HasField("value"):
        verify_absence(root, key, path)
        return None
    verify_presence(root, key, proof.value, path)
    return proof.value


def check_growth(known: SignedCheckpoint, found: SignedCheckpoint, path: Sequence[bytes]) -> None:
    """Check that a ledger has only grown since a checkpoint of it was seen.

    Args:
        known: The one that was seen.
        found: One that came later.
        path: The proof that came with it.

    Raises:
        LedgerForkError: It does not follow from the one that was seen.
        StaleProofError: It is of an older state; whether that is a fork cannot be proven.
    """
    (known_note, old), (found_note, new) = known, found
    if new.size < old.size:
        raise StaleProofError(
            f"the node is at height {new.size}, but {old.size} was seen before: it lags behind, or "
            "was set back"
        )
    try:
        verify_consistency(old.root, new.root, old_size=old.size, size=new.size, path=path)
    except ChaincodeError as error:
        raise LedgerForkError(
            f"the ledger's history was changed: its state at height {new.size} does not follow "
            f"from the one that was seen at {old.size} ({error})",
            known=known_note,
            found=found_note,
        ) from None


def encode_proof(proof: StateProof) -> str:
    """Return a proof as text, base64url without padding."""
    return base64.urlsafe_b64encode(proof.SerializeToString()).rstrip(b"=").decode()


def decode_proof(text: str) -> StateProof:
    """Return the proof that `encode_proof` wrote; nothing of it is checked.

    Raises:
        ProofError: The text is none.
    """
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return StateProof.FromString(data)
    except (binascii.Error, ValueError, ProtobufError):
        raise ProofError("the text is no proof of a ledger's state") from None

"""A ledger whose answers are proven, and whose history may only grow."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol, TypeVar

from chaincode.protocol.proofs_pb2 import ProofRequest, ProofResponse, StateEntry, StateProof
from chaincode.records import IdentityRecord
from chaincode.replication import AppState, chain_id
from chaincode.state_root import MAX_PROVEN_ENTRIES, entry_key
from client_sdk.errors import (
    ClientError,
    ProofError,
    QueryFailedError,
    StaleProofError,
    TransportError,
)
from client_sdk.gathering import Gathering
from client_sdk.ledger.light_client import (
    ChainTrust,
    LightBlockSource,
    LightBlockStore,
    LightClient,
)
from client_sdk.ledger.light_client.light_block import Header
from client_sdk.ledger.proofs import (
    LedgerTrust,
    ProvenState,
    SignedCheckpoint,
    check_growth,
    read_app_state,
    record_entry,
    verify_committed_proof,
    verify_state_proof,
)

MAX_AGE_MS: Final = 60_000
_PATIENCE_S: Final = 5.0
_POLL_S: Final = 0.05
_Record = TypeVar("_Record", bound=IdentityRecord)


class ProvingClient(Protocol):
    """What proofs are asked of: `client_sdk.ledger.client.LedgerClient`."""

    def prove(self, payload: ProofRequest.Payload) -> ProofResponse:
        """Ask for proofs of entries."""
        ...


class CheckpointStore(Protocol):
    """Where the newest checkpoint is kept, so that a fork is seen also after a restart."""

    def load(self) -> bytes | None:
        """Return the signed note that was saved last, or None."""
        ...

    def save(self, note: bytes) -> None:
        """Keep a signed note in place of the one before."""
        ...


class MemoryCheckpoints:
    """Keeps the newest checkpoint as long as the process runs."""

    def __init__(self) -> None:
        self._note: bytes | None = None

    def load(self) -> bytes | None:
        """Return the signed note that was saved last, or None."""
        return self._note

    def save(self, note: bytes) -> None:
        """Keep a signed note in place of the one before."""
        self._note = note


class FileCheckpoints:
    """Keeps the newest checkpoint in a file of its own; or the newest header, in another one."""

    def __init__(self, path: Path, *, pause_s: float = 0.0) -> None:
        """Keep it in a file, which is made with the first one.

        Args:
            path: The file.
            pause_s: It is written once in so many seconds: after a restart, what was seen last in
                that time may be missing.
        """
        self._path = path
        self._pause_s = pause_s
        self._next_s = 0.0

    def load(self) -> bytes | None:
        """Return what was saved last, or None.

        Raises:
            ProofError: The file cannot be read.
        """
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failed("read", error) from None

    def save(self, note: bytes) -> None:
        """Keep a signed note, or a header, in place of the one before.

        Raises:
            ProofError: The file cannot be written: a fork could not be seen later.
        """
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        self._next_s = now_s + self._pause_s
        # Several processes may keep theirs here: each writes a file of its own, and moves it once
        # the disk has it. After a power failure it is this one or the one before, and whole.
        new = self._path.with_name(f"{self._path.name}.{os.getpid()}-{threading.get_ident()}")
        try:
            with new.open("wb") as file:
                file.write(note)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
        except OSError as error:
            raise self._failed("written", error) from None

    def _failed(self, done: str, error: OSError) -> ProofError:
        return ProofError(
            f"{self._path}: what is known of the ledger cannot be {done}: {error.strerror}"
        )


def follow_headers(
    client: ProvingClient,
    ledger_id: str,
    sources: Sequence[LightBlockSource],
    blocks: LightBlockStore,
    *,
    trusted_header: tuple[int, bytes] | None = None,
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
) -> LightClient:
    """Return what follows the headers of a replicated ledger.

    Args:
        client: The node that shows the genesis block, where nothing else is there to begin with.
        ledger_id: The ledger's id, 64 hex digits.
        sources: The nodes that show headers; the first one is followed, the others must agree.
        blocks: Where the newest verified header is kept.
        trusted_header: Height and hash of a header that somebody vouches for, to begin anew with.
        now_ms: The clock: milliseconds since 1970, UTC.
    """
    chain = chain_id(ledger_id)

    def peer_keys() -> frozenset[str]:
        return _trust_of(client, ledger_id).peer_keys

    if trusted_header is None:
        trust = ChainTrust.in_peers(chain, peer_keys)
    else:
        trust = ChainTrust.in_header(chain, *trusted_header)
    begins_anew = trusted_header is not None
    return LightClient(sources, trust, blocks=blocks, begins_anew=begins_anew, now_ms=now_ms)


def _trust_of(client: ProvingClient, ledger_id: str) -> LedgerTrust:
    """Return the trust in the peers that the genesis block names, as a node shows it."""
    response = client.prove(ProofRequest.Payload(with_genesis=True))
    return LedgerTrust.from_genesis(response.genesis, ledger_id)


class ProvenLedger:
    """Reads one ledger through proofs. Safe to share between threads.

    It reads what a `Verifier` reads, and stands where a `LedgerClient` stands there.
    """

    def __init__(
        self,
        client: ProvingClient,
        ledger_id: str,
        *,
        trust: LedgerTrust | None = None,
        checkpoints: CheckpointStore | None = None,
        light_client: LightClient | None = None,
        max_age_ms: int = MAX_AGE_MS,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """Prepare; the first read asks the node.

        Args:
            client: The node that is asked. It is not trusted with the answers.
            ledger_id: The ledger's id, 64 hex digits.
            trust: Whose checkpoints count; by default those of the peers that the genesis block
                names, which the node shows and the ledger's id fixes.
            checkpoints: Where the newest checkpoint is kept; by default in memory.
            light_client: Follows the headers of a replicated ledger: what its peers decided
                together counts then, and no single peer's checkpoint.
            max_age_ms: How old an answer may be.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._client = client
        self._ledger_id = ledger_id
        self._trust = trust
        self._checkpoints = checkpoints or MemoryCheckpoints()
        self._light_client = light_client
        self._max_age_ms = max_age_ms
        self._now_ms = now_ms
        self._known: SignedCheckpoint | None = None
        # One call at a time: each answer is checked against the one before it. Of two, one could be
        # of a history that nothing was compared with.
        self._reads = Gathering(self._read_all, most=MAX_PROVEN_ENTRIES)

    def record(
        self, account_id: str, record_id: str, kind: type[_Record], *, writer: str | None = None
    ) -> _Record | None:
        """Return an identity record, or None where it is proven that there is no valid one.

        Raises:
            ProofError: The node's answer is not proven, or older than is accepted.
            LedgerForkError: The ledger's history was changed since it was last read.
            QueryFailedError: This account may not read it.
            TransportError: The node cannot be reached.
        """
        entry = record_entry(account_id, record_id, kind, writer=writer)
        return self.read([entry])[1].record(account_id, record_id, kind, writer=writer)

    def signatories(self, account_id: str) -> frozenset[str]:
        """Return the public keys of an account.

        Raises:
            ProofError: The node's answer is not proven, or older than is accepted.
            LedgerForkError: The ledger's history was changed since it was last read.
            QueryFailedError: There is no such account, or this account may not read its keys.
            TransportError: The node cannot be reached.
        """
        return self.read([StateEntry(account_id=account_id)])[1].signatories(account_id)

    def read(self, entries: Sequence[StateEntry]) -> tuple[StateProof, ProvenState]:
        """Return the proof of some entries at one height, and what it proves.

        It may prove more: what other threads asked for at the same time.

        Raises:
            ProofError: The node's answer is not proven, or older than is accepted.
            LedgerForkError: The ledger's history was changed since it was last read.
            QueryFailedError: This account may not read one of them.
            TransportError: The node cannot be reached.
        """
        try:
            return self._reads.ask(tuple(entries), patience_s=_PATIENCE_S)
        except TimeoutError:
            raise TransportError("the ledger does not answer what was asked before") from None

    def _read_all(
        self, asked: Sequence[tuple[StateEntry, ...]]
    ) -> list[tuple[StateProof, ProvenState] | BaseException]:
        """Read what several threads ask for, by as few proofs as can be."""
        answers: list[tuple[StateProof, ProvenState] | BaseException] = []
        for group in _fit(asked):
            together = {entry_key(entry): entry for entries in group for entry in entries}
            try:
                answers += [self._prove([*together.values()])] * len(group)
            except QueryFailedError as error:
                # One of them may not be read: whoever asked for that one is told so.
                answers += [error] if len(group) == 1 else map(self._prove_or_fail, group)
        return answers

    def _prove_or_fail(
        self, entries: Sequence[StateEntry]
    ) -> tuple[StateProof, ProvenState] | BaseException:
        try:
            return self._prove(entries)
        except ClientError as error:
            return error

    def _prove(self, entries: Sequence[StateEntry]) -> tuple[StateProof, ProvenState]:
        if self._light_client is not None:
            return self._read_by_header(entries, self._light_client)
        trust = self._get_trust()
        known = self._get_known(trust)
        response = self._client.prove(
            ProofRequest.Payload(entries=entries, known_size=known[1].size if known else 0)
        )
        state, found = verify_state_proof(response.proof, trust)
        if known is not None:
            check_growth(known, found, response.consistency)
        state.check_age(self._now_ms(), self._max_age_ms)
        if known is None or known[1].size < found[1].size:
            self._checkpoints.save(found[0])
            self._known = found
        return response.proof, state

    def _read_by_header(
        self, entries: Sequence[StateEntry], light_client: LightClient
    ) -> tuple[StateProof, ProvenState]:
        # First the header: what is read after it is never older.
        newest = light_client.newest().header
        response, app = self._prove_from(newest, entries)
        header = light_client.find(app.app_hash()).header
        proof = response.proof
        state = verify_committed_proof(proof, app, time_ms=header.time_ns // 1_000_000)
        state.check_age(self._now_ms(), self._max_age_ms)
        return proof, state

    def _prove_from(
        self, newest: Header, entries: Sequence[StateEntry]
    ) -> tuple[ProofResponse, AppState]:
        """Ask for a proof of a state that is not older than a header; a node may lag behind.

        What the node says of that is not trusted: it only tells whether to ask again.
        """
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            response = self._client.prove(ProofRequest.Payload(entries=entries))
            app = read_app_state(response, self._ledger_id)
            is_older = 0 < response.replication.header_height < newest.height
            if not is_older or app.app_hash() == newest.app_hash:
                return response, app
            if time.monotonic() > deadline:
                raise StaleProofError(
                    f"the node proves the state of header {response.replication.header_height}, "
                    f"and {newest.height} is decided: it lags behind"
                )
            time.sleep(_POLL_S)

    def _get_trust(self) -> LedgerTrust:
        """Return whose checkpoints count; the first call may ask for the genesis block."""
        if self._trust is None:
            self._trust = _trust_of(self._client, self._ledger_id)
        return self._trust

    def _get_known(self, trust: LedgerTrust) -> SignedCheckpoint | None:
        """Return the newest checkpoint that was seen, also before the process began."""
        if self._known is None and (note := self._checkpoints.load()) is not None:
            try:
                self._known = (note, trust.verify(note))
            except ProofError as error:
                raise ProofError(
                    f"the checkpoint of the ledger that was kept is of no use: {error}"
                ) from None
        return self._known


def _fit(asked: Sequence[tuple[StateEntry, ...]]) -> list[list[tuple[StateEntry, ...]]]:
    """Return what is asked for in groups that one proof can hold; a question stays whole."""
    groups: list[list[tuple[StateEntry, ...]]] = []
    keys: set[bytes] = set()
    for entries in asked:
        keys |= (own := set(map(entry_key, entries)))
        if groups and len(keys) <= MAX_PROVEN_ENTRIES:
            groups[-1].append(entries)
        else:
            groups.append([entries])
            keys = own
    return groups

"""The ledger as the state machine that CometBFT replicates.

The same blocks of CometBFT, bytes and times, give the same state, results and app hash on every
peer: there is no clock here, no chance, and nothing of the node's own configuration but how long a
batch may wait for signatures, to which the app hash commits (ADR 0056).
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice

from chaincode.batches import Batch
from chaincode.blocks import Verdict
from chaincode.errors import (
    DecodeError,
    InvalidTransactionError,
    PendingFullError,
    UnknownSignatoryError,
)
from chaincode.multisignature import PendingBatches, keep_signatories
from chaincode.protocol.endpoint_pb2 import TxStatus
from chaincode.replication import (
    APP_VERSION,
    VALIDATOR_POWER,
    BatchCode,
    chain_id,
    validator_address,
    validator_key,
)
from chaincode.transition import SIGNATURES_VALIDATION
from chaincode.validators import validator_changes
from chaincode.world_state import get_voters
from node.errors import ConfigError, HaltError, ReplicationError, StorageError
from node.ledger.abci.app_state import app_state, beginning, check_position
from node.ledger.abci.batch_decoder import BatchDecoder
from node.ledger.abci.decision import Decision, Outcome, outcome_of
from node.ledger.block_statuses import final_status, log_block, told, validation_status
from node.ledger.candidate import Candidate
from node.ledger.commit_notices import CommitNotices
from node.ledger.engine import Engine
from node.ledger.quarantine import OF_THE_MACHINE, log_fault
from node.ledger.replication_rows import Position, ReplicationChange
from node.ledger.signature_collector import LIMITS
from node.ledger.state_snapshot import StateSnapshot
from node.ledger.state_store import StateStore
from node.ledger.statuses import Status, StatusBoard


class ReplicatedLedger:
    """One peer's copy. `finalize` and `commit` are called by one thread, the others by any."""

    def __init__(
        self,
        engine: Engine,
        state: StateStore,
        statuses: StatusBoard,
        commits: CommitNotices,
        *,
        expiration_ms: int,
        halt_height: int | None = None,
    ) -> None:
        """Go on where CometBFT was when the node stopped.

        Args:
            engine: The ledger; only this object writes it.
            state: What it leads to.
            statuses: Where is said what became of each transaction.
            commits: Where is said that there is a new block.
            expiration_ms: How long after its oldest creation time a batch expires.
            halt_height: The height of CometBFT behind which these rules decide no more.

        Raises:
            ConfigError: The blocks below were decided by other rules, and this is not the height to
                change them at.
            StorageError: The state is damaged.
        """
        self._halt_height = halt_height
        self._engine = engine
        self._state = state
        self._statuses = statuses
        self._commits = commits
        self.decoder = BatchDecoder()
        self._expiration_ms = expiration_ms
        self._lock = threading.Lock()
        self._decision: Decision | None = None
        self._is_begun = False
        """Whether a block was begun, of which nothing is written."""
        self.foreign = 0
        """How many transactions blocks have rejected for their signatures since the start."""
        self.reload()

    def reload(self) -> None:
        """Take over what the store holds: at the start, and after it was restored.

        Raises:
            ConfigError: Its rules are of another version.
            StorageError: The state is damaged.
        """
        pending = PendingBatches(self._expiration_ms, LIMITS)
        try:
            with self._state.snapshot() as view:
                for entry in view.pending():
                    pending.put_back(entry)
                position = view.position() or beginning(view, pending.digest())
                check_position(view, position, pending)
        except DecodeError as error:
            raise StorageError(f"the state on disk is damaged: {error}") from None
        self._check_rules(position)
        with self._lock:
            self._pending = pending
        self._position = position
        self._decision, self._is_begun = None, False
        for batch in pending:
            self._statuses.publish(told(batch, TxStatus.MST_PENDING))

    def _check_rules(self, position: Position) -> None:
        """Check that the rules may go on from here.

        Raises:
            ConfigError: They may not.
        """
        if position.app_version != APP_VERSION and position.height != self._halt_height:
            raise ConfigError(
                f"this version decides by rules {APP_VERSION}, and the ledger was decided by rules "
                f"{position.app_version} up to height {position.height} of CometBFT: all peers "
                "change at one height, behind which the version before stops them by "
                "`cometbft.halt_height` (docs/operations.md, Upgrade). Start that version"
            )

    @property
    def position(self) -> Position:
        """How far CometBFT has come; of height 0 before its first block."""
        return self._position

    def begin(self, claimed_chain_id: str, first_height: int) -> list[tuple[bytes, int]]:
        """Return key and power of the validators that the chain of CometBFT begins with.

        Args:
            claimed_chain_id: What CometBFT calls the chain.
            first_height: Of its first block: above 1 where the ledger was founded anew.

        Raises:
            ReplicationError: It is the chain of another ledger, or a peer that votes has a key that
                CometBFT cannot sign with.
            StorageError: The state is damaged.
        """
        if self._is_begun:
            # CometBFT was restarted before it committed the first block.
            self.reload()
        with self._state.snapshot() as view:
            expected = chain_id(view.ledger_id() or "")
            voters = get_voters(view)
        if claimed_chain_id != expected:
            raise ReplicationError(
                f"CometBFT's genesis.json is of chain {claimed_chain_id}, the genesis block of the "
                f"ledger makes {expected}"
            )
        try:
            validators = [(validator_key(key), VALIDATOR_POWER) for key in sorted(voters)]
        except DecodeError as error:
            raise ReplicationError(f"the genesis block: {error}") from None
        self._position = replace(self._position, header_height=first_height)
        # From now on what the block file alone has is CometBFT's to give again.
        self._state.commit_replication(ReplicationChange(position=self._position, pending={}))
        return validators

    def voter_of(self, address: bytes) -> str | None:
        """Return the key of the peer that CometBFT calls by an address; None where none votes."""
        with self._state.snapshot() as view:
            voters = get_voters(view)
        return next((key for key in voters if validator_address(key) == address), None)

    def check(self, batch: Batch, *, is_strict: bool = False) -> None:
        """Check what the state says of a batch before it is ordered.

        Args:
            batch: Any well-formed batch.
            is_strict: Refuse it also where strangers alone have signed all of it.

        Raises:
            UnknownSignatoryError: It has no signature that counts.
            PendingFullError: It lacks signatures, and too much waits for them.
        """
        with self._lock, self._state.snapshot() as view:
            if is_strict:
                keep_signatories(batch, view)
            self._pending.join(batch, view)

    def refusal(self, batch: Batch, *, is_strict: bool = False) -> str | None:
        """Return what `check` would say against a batch; None where it would say nothing."""
        with self._lock, self._state.snapshot() as view:
            try:
                if is_strict:
                    keep_signatories(batch, view)
            except UnknownSignatoryError as error:
                return str(error)
            joined = self._join(batch, view)
        return joined if isinstance(joined, str) else None

    def decided(self, batches: Iterable[Batch]) -> frozenset[bytes]:
        """Return those transactions of batches that a block has decided, by their hashes."""
        hashes = [each.hash for batch in batches for each in batch.transactions]
        with self._state.snapshot() as view:
            return view.decided_among(hashes)

    def of_creator(self, account_id: str) -> list[Batch]:
        """Return the batches with a transaction of this creator, in the order of their arrival."""
        with self._lock:
            return self._pending.of_creator(account_id)

    def counts(self) -> tuple[int, int]:
        """Return how many batches wait for signatures, and how many transactions are in them."""
        with self._lock:
            return len(self._pending), self._pending.transaction_count

    def finalize(self, height: int, time_ms: int, datas: Sequence[bytes]) -> Decision:
        """Decide a block of CometBFT; nothing is written.

        Args:
            height: Of CometBFT's block.
            time_ms: Of its header.
            datas: Its transactions.

        Raises:
            HaltError: The block below is the last one for these rules.
            StorageError: The state is damaged.
        """
        if self._is_begun:
            # CometBFT was restarted before it committed the block, and hands it over again.
            self.reload()
        below = self._position
        has_new_rules = below.app_version != APP_VERSION
        if below.height == self._halt_height and not has_new_rules:
            raise HaltError(
                f"height {below.height} of CometBFT is decided, and `cometbft.halt_height` is the "
                "same: install the version whose rules begin there, or take the line out of "
                "node.toml"
            )
        self._is_begun = True
        taken = _Taken()
        decoded = self.decoder.decode_all(datas)
        with self._lock, self._state.newest() as view:
            for batch in self._pending.expire(time_ms):
                taken.touched.add(batch.hash)
                taken.told += told(batch, TxStatus.MST_EXPIRED)
            for each in decoded:
                self._take(each, view, time_ms, taken)
            for _, batch in taken.ready:
                # What came behind the last signature that was asked for waits for nothing.
                self._pending.remove(batch.hash)
        candidate = self._decide(time_ms, taken)
        digest = self._pending.digest() if taken.touched else below.pending_digest
        with self._state.newest() as view:
            validators = validator_changes(view, candidate.changes) if candidate else []
            app_hash = app_state(view, digest, candidate).app_hash()
        position = Position(
            height=height,
            app_hash=app_hash,
            pending_digest=digest,
            header_height=below.header_height if app_hash == below.app_hash else height + 1,
            app_version=APP_VERSION,
        )
        pending = {key: self._pending.entry(key) for key in sorted(taken.touched)}
        self._decision = Decision(
            outcomes=[outcome for outcome in taken.outcomes if outcome is not None],
            validators=validators,
            position=position,
            change=ReplicationChange(position=position, pending=pending),
            candidate=candidate,
            told=taken.told,
            has_new_rules=has_new_rules,
        )
        return self._decision

    def _take(
        self,
        arriving: Batch | InvalidTransactionError,
        view: StateSnapshot,
        time_ms: int,
        taken: "_Taken",
    ) -> None:
        """Say what becomes of one transaction of CometBFT, or have it wait for the block."""
        if isinstance(arriving, InvalidTransactionError):
            taken.outcomes.append(Outcome(code=BatchCode.REFUSED, text=arriving.place))
            return
        if view.decided_among(each.hash for each in arriving.transactions):
            taken.outcomes.append(Outcome(code=BatchCode.REPLAYED, text="decided before"))
            return
        taken.touched.add(arriving.hash)
        joined = self._join(arriving, view)
        if isinstance(joined, str):
            taken.outcomes.append(Outcome(code=BatchCode.REFUSED, text=joined))
            # The gate let it pass; the state has changed since, and the batch may be sent again.
            taken.told += told(arriving, TxStatus.MST_EXPIRED)
            return
        batch = joined
        self._pending.place(batch, time_ms)
        if batch.has_all_signatures:
            taken.told += told(batch, TxStatus.ENOUGH_SIGNATURES_COLLECTED)
            taken.ready.append((len(taken.outcomes), batch))
            taken.outcomes.append(None)
            return
        statuses = told(batch, TxStatus.MST_PENDING)
        taken.outcomes.append(Outcome(code=BatchCode.PENDING, statuses=statuses))
        taken.told += statuses

    def _join(self, arriving: Batch, view: StateSnapshot) -> Batch | str:
        """Return a batch with the signatures that wait, or why it is refused."""
        try:
            return self._pending.join(arriving, view)
        except (UnknownSignatoryError, PendingFullError) as error:
            return str(error)
        except OF_THE_MACHINE:
            raise
        except Exception as fault:  # noqa: BLE001 - one batch must not stop the peers
            log_fault("batch: it is refused", arriving.transactions[0].hash, fault)
            return f"the rules failed: {type(fault).__name__}"

    def _decide(self, time_ms: int, taken: "_Taken") -> Candidate | None:
        """Decide what is ready; return the block, or None where it would be empty."""
        if not taken.ready:
            return None
        candidate = self._engine.finalize(time_ms, [batch for _, batch in taken.ready])
        receipts = iter(candidate.receipts)
        for place, batch in taken.ready:
            taken.outcomes[place] = outcome_of(list(islice(receipts, len(batch.transactions))))
        decided = [each for each in candidate.receipts if each.verdict is not Verdict.REPLAYED]
        if not decided:
            return None
        taken.told += map(validation_status, decided)
        taken.told += map(final_status, decided)
        return candidate

    def commit(self) -> None:
        """Write what `finalize` has decided, then tell of it.

        Raises:
            StorageError: The disk refused: the node must stop.
            ReplicationError: Nothing was decided.
        """
        decision, self._decision = self._decision, None
        if decision is None:
            raise ReplicationError("CometBFT commits a block that it did not have decided")
        if decision.candidate is None:
            self._state.commit_replication(decision.change)
        else:
            self._engine.commit(decision.candidate, decision.change)
        self._position, self._is_begun = decision.position, False
        self._statuses.publish(decision.told)
        if decision.candidate is not None:
            height = decision.candidate.block.block_v1.payload.height
            self.foreign += sum(
                receipt.command_name == SIGNATURES_VALIDATION
                for receipt in decision.candidate.receipts
            )
            self._commits.announce(height)
            log_block(height, decision.candidate.receipts)


class _Taken:
    """What a block's transactions were taken for, while it is decided."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome | None] = []
        """None for a batch that is ready: its receipts will say what became of it."""
        self.ready: list[tuple[int, Batch]] = []
        self.touched: set[bytes] = set()
        """The hashes of batches that may wait now, or not any more."""
        self.told: list[Status] = []

"""ABCI 2.0's requests as calls of the ledger (CometBFT 0.38, spec/abci/abci++_methods.md)."""

from collections.abc import Callable, Mapping
from typing import Final

import structlog
from google.protobuf.timestamp_pb2 import Timestamp

from chaincode.batches import Batch
from chaincode.errors import InvalidTransactionError
from chaincode.protocol.endpoint_pb2 import TxList, TxStatus
from chaincode.protocol.proofs_pb2 import Replication
from chaincode.replication import APP_VERSION, BatchCode
from node.errors import ConfigError, ReplicationError, RulesFaultError
from node.ledger.abci.abci_pb2 import (
    RECHECK,
    ExecTxResult,
    Misbehavior,
    MisbehaviorType,
    PublicKey,
    Request,
    RequestCheckTx,
    RequestFinalizeBlock,
    RequestInitChain,
    RequestPrepareProposal,
    RequestProcessProposal,
    RequestQuery,
    Response,
    ResponseProcessProposal,
    ValidatorUpdate,
)
from node.ledger.abci.batch_decoder import parse_batch
from node.ledger.abci.decision import Decision, Outcome
from node.ledger.abci.pool_gate import PoolGate
from node.ledger.abci.replicated_ledger import ReplicatedLedger
from node.ledger.abci.state_sync import StateSync
from node.ledger.block_statuses import told
from node.ledger.engine import Engine
from node.ledger.quarantine import OF_THE_MACHINE, fault_place
from node.ledger.statuses import Status, StatusBoard

POSITION_PATH: Final = "/replication"
"""The path of the query that tells what the newest app hash is made of."""
_log = structlog.get_logger(__name__)


class Application:
    """Answers CometBFT, which sees to the order of its calls. Any thread may use it."""

    def __init__(
        self,
        ledger: ReplicatedLedger,
        engine: Engine,
        statuses: StatusBoard,
        state_sync: StateSync,
        gate: PoolGate,
    ) -> None:
        self._gate = gate
        self._ledger = ledger
        self._engine = engine
        self._statuses = statuses
        self._state_sync = state_sync
        self._methods: Final[Mapping[str, Callable[[Request], Response]]] = {
            "echo": lambda request: _echo(request.echo.message),
            "flush": lambda _: _flush(),
            "info": lambda _: self._info(),
            "init_chain": lambda request: self._init_chain(request.init_chain),
            "query": lambda request: self._query(request.query),
            "check_tx": lambda request: self._check_tx(request.check_tx),
            "prepare_proposal": lambda request: self._prepare(request.prepare_proposal),
            "process_proposal": lambda request: _process(request.process_proposal),
            "finalize_block": lambda request: self._finalize(request.finalize_block),
            "commit": lambda _: self._commit(),
            "list_snapshots": lambda _: state_sync.list(),
            "offer_snapshot": lambda request: state_sync.offer(request.offer_snapshot),
            "load_snapshot_chunk": lambda request: state_sync.load(request.load_snapshot_chunk),
            "apply_snapshot_chunk": lambda request: state_sync.apply(request.apply_snapshot_chunk),
        }

    def answer(self, request: Request) -> Response:
        """Return the response to a request.

        Raises:
            ReplicationError: The ledger cannot go on with this CometBFT.
            HaltError: It stands at the height behind which it is to stop.
            StorageError: A store is damaged, or the disk refused.
        """
        kind = request.WhichOneof("value")
        method = self._methods.get(kind or "")
        if method is None:
            raise ReplicationError(f"CometBFT asks for {kind or 'what this version does not know'}")
        return method(request)

    def _info(self) -> Response:
        response = Response()
        position = self._ledger.position
        response.info.app_version = APP_VERSION
        response.info.last_block_height = position.height
        response.info.last_block_app_hash = position.app_hash
        return response

    def _init_chain(self, request: RequestInitChain) -> Response:
        response = Response()
        validators = self._ledger.begin(request.chain_id, max(1, request.initial_height))
        response.init_chain.validators.extend(_validator(*each) for each in validators)
        response.init_chain.app_hash = self._ledger.position.app_hash
        return response

    def _query(self, request: RequestQuery) -> Response:
        response = Response()
        if request.path != POSITION_PATH:
            response.query.code = 1
            response.query.log = f"{POSITION_PATH} is answered here; ask Torii for all else"
            return response
        position = self._ledger.position
        response.query.height = position.height
        response.query.value = Replication(
            pending_digest=position.pending_digest, header_height=position.header_height
        ).SerializeToString()
        return response

    def _check_tx(self, request: RequestCheckTx) -> Response:
        """Say whether a batch may be in the pool."""
        response = Response()
        try:
            batch = self._ledger.decoder.decode(request.tx)
        except InvalidTransactionError as error:
            response.check_tx.code = BatchCode.REFUSED
            response.check_tx.log = error.place
            return response
        if self._ledger.decided([batch]):
            response.check_tx.code = BatchCode.REPLAYED
            response.check_tx.log = "decided before"
            return response
        is_asked = request.type != RECHECK or not batch.has_all_signatures
        if is_asked and (refusal := self._gate.refusal(batch)) is not None:
            response.check_tx.code = BatchCode.REFUSED
            response.check_tx.log = refusal
            return response
        if request.type != RECHECK:
            self._tell_taken(batch)
        response.check_tx.SetInParent()
        return response

    def _tell_taken(self, batch: Batch) -> None:
        """Say that a batch was taken in, where it came from another peer."""
        if self._statuses.newest(batch.transactions[0].hash) is None:
            self._statuses.publish(taken_statuses(batch))

    def _prepare(self, request: RequestPrepareProposal) -> Response:
        """Propose what the pool holds, as much as the engine puts into a block.

        What was decided before is proposed too: only a block takes it out of the pools, unless they
        check all again after each block, and a pool that is not empty asks for blocks without end.
        """
        response = Response()
        decoded = self._ledger.decoder.decode_all(request.txs)
        fit = {place: each for place, each in enumerate(decoded) if isinstance(each, Batch)}
        count = len(self._engine.propose(fit.values()))
        room = request.max_tx_bytes
        for place in list(fit)[:count]:
            room -= len(request.txs[place])
            if room < 0:
                break
            response.prepare_proposal.txs.append(request.txs[place])
        response.prepare_proposal.SetInParent()
        return response

    def _finalize(self, request: RequestFinalizeBlock) -> Response:
        for each in request.misbehavior:
            _report(each, self._ledger.voter_of(each.validator.address))
        decision = self._decide(request)
        response = Response()
        response.finalize_block.tx_results.extend(map(_result, decision.outcomes))
        response.finalize_block.validator_updates.extend(
            _validator(*each) for each in decision.validators
        )
        response.finalize_block.app_hash = decision.position.app_hash
        if decision.has_new_rules:
            # From the next header on, whoever has other rules is found out by its first block.
            response.finalize_block.consensus_param_updates.version.app = APP_VERSION
        return response

    def _decide(self, request: RequestFinalizeBlock) -> Decision:
        """Decide a block; a fault of ours, which all peers meet alike, is named as one."""
        try:
            return self._ledger.finalize(request.height, _milliseconds(request.time), request.txs)
        except (ConfigError, *OF_THE_MACHINE):
            raise
        except Exception as fault:
            raise RulesFaultError(
                f"the rules of this version fail on block {request.height} of CometBFT "
                f"({type(fault).__name__}, {fault_place(fault)}): nothing of it is written, and "
                "all peers of this version stop here. Install a version in which that is mended: "
                "CometBFT hands the block over again"
            ) from fault

    def _commit(self) -> Response:
        self._ledger.commit()
        self._state_sync.snapshots.note(self._ledger.position)
        response = Response()
        response.commit.SetInParent()
        return response


def taken_statuses(batch: Batch) -> list[Status]:
    """Return what is told of a batch that was taken in."""
    statuses = [TxStatus.STATELESS_VALIDATION_SUCCESS]
    if batch.has_all_signatures:
        statuses.append(TxStatus.ENOUGH_SIGNATURES_COLLECTED)
    return told(batch, *statuses)


def _echo(message: str) -> Response:
    response = Response()
    response.echo.message = message
    return response


def _flush() -> Response:
    response = Response()
    response.flush.SetInParent()
    return response


def _process(request: RequestProcessProposal) -> Response:
    """Refuse nothing but bytes that are no list of transactions, or too long a one.

    All peers must come to the same word on this, whatever their state: what is wrong with a batch
    that can be read is the block's to say.
    """
    response = Response()
    are_batches = all(isinstance(parse_batch(data), TxList) for data in request.txs)
    response.process_proposal.status = (
        ResponseProcessProposal.ACCEPT if are_batches else ResponseProcessProposal.REJECT
    )
    if not are_batches:
        _log.error(
            "a peer proposes a block that cannot be read",
            height=request.height,
            proposer=request.proposer_address.hex(),
        )
    return response


def _result(outcome: Outcome) -> ExecTxResult:
    return ExecTxResult(
        code=outcome.code, data=outcome.data(), log=outcome.text, codespace="tegata"
    )


def _validator(key: bytes, power: int) -> ValidatorUpdate:
    return ValidatorUpdate(pub_key=PublicKey(ed25519=key), power=power)


def _milliseconds(time: Timestamp) -> int:
    return time.seconds * 1000 + time.nanos // 1_000_000


def _report(misbehavior: Misbehavior, key: str | None) -> None:
    _log.error(
        "a peer has broken the rules of consensus: remove it by RemovePeer, or ask its operator",
        kind=MisbehaviorType.Name(misbehavior.type),
        key=key or "of a peer that votes no more",
        validator=misbehavior.validator.address.hex(),
        height=misbehavior.height,
    )

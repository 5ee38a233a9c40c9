"""The state transition: what a block does to a state."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from google.protobuf.message import Message

from chaincode.batches import Batch
from chaincode.blocks import BlockContext, BlockOutcome, Receipt, Verdict
from chaincode.errors import InvalidBlockError, InvalidTransactionError, RejectedError
from chaincode.evm import Evm
from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.commands_pb2 import Command
from chaincode.rules.commands import apply_command
from chaincode.rules.scope import INTERNAL, NO_PERMISSION, Scope
from chaincode.stateless import validate_commands
from chaincode.transactions import ValidTransaction, transaction_hash
from chaincode.validators import foreign_key_problem
from chaincode.world_state import (
    StateOverlay,
    StateView,
    are_peers_changed,
    get_account,
    get_voters,
)

GENESIS_CREATOR: Final = "genesis"
SIGNATURES_VALIDATION: Final = "signatures validation"
"""What irohad names as the failed command where the signatures do not suffice."""

INTERNAL_FAULT: Final = "internal fault"
"""What stands for the failed command where the rules themselves failed."""

# irohad names every failed command by its message, but this one.
_SHOWN_NAMES: Final[Mapping[str, str]] = {"set_account_quorum": "SetQuorum"}


class _CommandFailedError(Exception):
    """Carries the place of a rejected command out of its transaction."""

    def __init__(self, name: str, index: int, rejection: RejectedError) -> None:
        super().__init__(name)
        self.name = name
        self.index = index
        self.rejection = rejection


_OnFault: TypeAlias = Callable[[ValidTransaction, Exception], None]


def _raise_fault(_transaction: ValidTransaction, fault: Exception) -> None:
    raise fault


def apply_block(
    view: StateView,
    context: BlockContext,
    batches: Iterable[Batch],
    on_fault: _OnFault = _raise_fault,
) -> BlockOutcome:
    """Return what the batches do to `view`, in order, without touching `view`.

    The same arguments give the same outcome on every machine. A transaction that fails changes
    nothing, and makes its batch change nothing where that is atomic. A batch of which a transaction
    was decided before is passed over.

    Args:
        view: The state below.
        context: What else the rules may know.
        batches: In their order.
        on_fault: Told of an error that no rule foresees. Where it returns, the transaction is
            rejected as `INTERNAL_FAULT`; what it raises ends the block.
    """
    state = StateOverlay(view)
    receipts: list[Receipt] = []
    decided: set[bytes] = set()
    for batch in batches:
        hashes = [transaction.hash for transaction in batch.transactions]
        if any(tx_hash in decided or view.has_transaction(tx_hash) for tx_hash in hashes):
            receipts += [Receipt(tx_hash=tx_hash, verdict=Verdict.REPLAYED) for tx_hash in hashes]
            continue
        decided.update(hashes)
        receipts += _apply_batch(state, context, batch, on_fault)
    return BlockOutcome(changes=state.changes, receipts=tuple(receipts))


def apply_genesis(view: StateView, block: Block, evm: Evm | None = None) -> BlockOutcome:
    """Return what the genesis block does to an empty state. Permissions are not asked.

    Raises:
        InvalidBlockError: A command is malformed or fails; the text names it.
    """
    state = StateOverlay(view)
    payload = block.block_v1.payload
    context = BlockContext(height=payload.height, time_ms=payload.created_time, evm=evm)
    receipts = []
    for message in payload.transactions:
        reduced = message.payload.reduced_payload
        creator = reduced.creator_account_id or GENESIS_CREATOR
        tx_hash = transaction_hash(message)
        scope = Scope(state=state, block=context, creator=creator, validated=False, tx_hash=tx_hash)
        commands = reduced.commands
        try:
            validate_commands(commands)
            _apply_commands(scope, commands)
        except InvalidTransactionError as error:
            raise InvalidBlockError(f"genesis block: {error}") from None
        except _CommandFailedError as failure:
            raise InvalidBlockError(
                f"genesis block: command {failure.index}, {failure.name}: "
                f"{failure.rejection.reason}"
            ) from None
        receipts.append(Receipt(tx_hash=tx_hash, verdict=Verdict.COMMITTED))
    return BlockOutcome(changes=state.changes, receipts=tuple(receipts))


def _apply_batch(
    state: StateOverlay, context: BlockContext, batch: Batch, on_fault: _OnFault
) -> list[Receipt]:
    if not batch.is_atomic:
        return [_apply_transaction(state, context, each, on_fault) for each in batch.transactions]
    attempt = state.begin()
    receipts = []
    for transaction in batch.transactions:
        receipt = _apply_transaction(attempt, context, transaction, on_fault)
        if receipt.verdict is Verdict.REJECTED:
            return _fail_batch(batch, receipt)
        receipts.append(receipt)
    state.merge(attempt)
    return receipts


def _fail_batch(batch: Batch, failure: Receipt) -> list[Receipt]:
    """Return the receipts of an atomic batch: the failure, and the others without a code."""
    return [
        failure
        if transaction.hash == failure.tx_hash
        else Receipt(
            tx_hash=transaction.hash,
            verdict=Verdict.REJECTED,
            reason=f"transaction {failure.tx_hash.hex()} failed the batch",
        )
        for transaction in batch.transactions
    ]


def apply_history(view: StateView, block: Block, evm: Evm | None = None) -> BlockOutcome:
    """Return what a block that irohad made does to the state below it.

    irohad has decided it: what it committed is applied as it stands, without asking permissions,
    signatures, or the rules and limits that only we have.

    Raises:
        InvalidBlockError: A command cannot be applied; the text names it.
    """
    state = StateOverlay(view)
    payload = block.block_v1.payload
    context = BlockContext(height=payload.height, time_ms=payload.created_time, evm=evm)
    receipts = []
    for message in payload.transactions:
        tx_hash = transaction_hash(message)
        reduced = message.payload.reduced_payload
        creator = reduced.creator_account_id or GENESIS_CREATOR
        scope = Scope(state=state, block=context, creator=creator, validated=False, tx_hash=tx_hash)
        if any(command.WhichOneof("command") is None for command in reduced.commands):
            raise InvalidBlockError(
                f"block {payload.height}, transaction {tx_hash.hex()}: a command is not set"
            )
        try:
            _apply_commands(scope, reduced.commands)
        except ValueError as error:
            # The rules count on well-formed fields, of which irohad has made sure.
            raise InvalidBlockError(
                f"block {payload.height}, transaction {tx_hash.hex()}: {error}"
            ) from None
        except _CommandFailedError as failure:
            raise InvalidBlockError(
                f"block {payload.height}, transaction {tx_hash.hex()}: command {failure.index}, "
                f"{failure.name}: {failure.rejection.reason}"
            ) from None
        receipts.append(Receipt(tx_hash=tx_hash, verdict=Verdict.COMMITTED))
    return BlockOutcome(changes=state.changes, receipts=tuple(receipts))


def _apply_transaction(
    state: StateOverlay, context: BlockContext, transaction: ValidTransaction, on_fault: _OnFault
) -> Receipt:
    attempt = state.begin()
    scope = Scope(
        state=attempt,
        block=context,
        creator=transaction.creator,
        validated=True,
        tx_hash=transaction.hash,
    )
    try:
        _check_signatories(scope, transaction)
        _apply_commands(scope, transaction.message.payload.reduced_payload.commands)
        _check_voters(scope, transaction)
    except _CommandFailedError as failure:
        return Receipt(
            tx_hash=transaction.hash,
            verdict=Verdict.REJECTED,
            code=failure.rejection.code,
            command_name=failure.name,
            command_index=failure.index,
            reason=failure.rejection.reason,
        )
    except Exception as fault:  # noqa: BLE001 - one transaction must not stop the ledger
        on_fault(transaction, fault)
        return Receipt(
            tx_hash=transaction.hash,
            verdict=Verdict.REJECTED,
            code=INTERNAL,
            command_name=INTERNAL_FAULT,
            reason=f"the rules failed: {type(fault).__name__}",
        )
    state.merge(attempt)
    return Receipt(tx_hash=transaction.hash, verdict=Verdict.COMMITTED)


def _apply_commands(scope: Scope, commands: Sequence[Command]) -> None:
    for index, command in enumerate(commands):
        # Contracts have their address from the place of the command that made them.
        placed = replace(scope, command_index=index) if command.HasField("call_engine") else scope
        try:
            apply_command(placed, command)
        except RejectedError as rejection:
            raise _CommandFailedError(_shown_name(command), index, rejection) from None


def _shown_name(command: Command) -> str:
    name = command.WhichOneof("command") or ""
    body: Message = getattr(command, name)
    return _SHOWN_NAMES.get(name, body.DESCRIPTOR.name)


def _check_voters(scope: Scope, transaction: ValidTransaction) -> None:
    """Check that a transaction leaves such peers that vote as the node's orderer can follow."""
    if not are_peers_changed(scope.state) or (problem := _voter_problem(scope)) is None:
        return
    commands = transaction.message.payload.reduced_payload.commands
    # Those that were there are well, and the last one cannot go, so one has come; a contract may
    # have called for it.
    index = next(
        index
        for index, command in enumerate(commands)
        if command.HasField("call_engine")
        or (command.HasField("add_peer") and not command.add_peer.peer.syncing_peer)
    )
    rejection = RejectedError(INTERNAL, problem)
    raise _CommandFailedError(_shown_name(commands[index]), index, rejection)


def _voter_problem(scope: Scope) -> str | None:
    if scope.block.is_replicated:
        return foreign_key_problem(scope.state)
    voter = scope.block.only_voter
    if voter is None or get_voters(scope.state) == {voter}:
        return None
    return "the node orders alone: the peers that vote cannot be changed"


def _check_signatories(scope: Scope, transaction: ValidTransaction) -> None:
    """Check that the signers are signatories of the creator, and as many as its quorum."""
    account = get_account(scope.state, transaction.creator)
    reason = None
    if account is None:
        reason = f"there is no account {transaction.creator}"
    elif not transaction.signatories <= set(account.signatories):
        reason = f"a signature is by a key that is no signatory of {transaction.creator}"
    elif len(transaction.signatories) < account.quorum:
        reason = f"account {transaction.creator} needs {account.quorum} signatures"
    if reason is not None:
        rejection = RejectedError(NO_PERMISSION, reason)
        raise _CommandFailedError(SIGNATURES_VALIDATION, 0, rejection)

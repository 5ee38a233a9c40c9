"""Calls of contracts."""

from chaincode.errors import EvmFailedError, EvmMissingError, RejectedError
from chaincode.evm import (
    TRANSACTION_GAS,
    EvmCall,
    EvmResult,
    add_engine_receipt,
    get_engine_receipts,
)
from chaincode.protocol.commands_pb2 import CallEngine
from chaincode.protocol.primitive_pb2 import (
    CallResult,
    EngineLog,
    EngineReceipt,
    GrantablePermission,
    RolePermission,
)
from chaincode.rules.scope import INTERNAL, NO_PERMISSION, Scope
from chaincode.rules.settings import ENGINE_RULES
from chaincode.world_state import get_setting


def call_engine(scope: Scope, command: CallEngine) -> None:
    """Apply `CallEngine`.

    Codes: 1 the ledger has no engine, 2 no permission, 3 the engine gave up.

    Raises:
        EvmMissingError: The ledger has an engine that this node has not.
    """
    # READ
    rules = get_setting(scope.state, ENGINE_RULES)
    spent = get_engine_receipts(scope.state, scope.tx_hash).gas_used
    # CHECK
    if rules is None:
        raise RejectedError(INTERNAL, "Engine is not configured.")
    if not scope.may_act_on(
        command.caller,
        RolePermission.can_call_engine,
        GrantablePermission.can_call_engine_on_my_behalf,
    ):
        raise RejectedError(NO_PERMISSION, "Not enough permissions.")
    # WRITE
    call = EvmCall(
        caller=command.caller,
        callee=bytes.fromhex(command.callee) if command.HasField("callee") else None,
        code_or_data=bytes.fromhex(command.input),
        gas=TRANSACTION_GAS - spent,
        tx_hash=scope.tx_hash,
        command_index=scope.command_index,
        height=scope.block.height,
        time_ms=scope.block.time_ms,
    )
    evm = scope.block.evm
    if evm is None or evm.rules != rules:
        raise EvmMissingError(f"this node cannot run contracts by the rules {rules}")
    try:
        result = evm.execute(scope.state, call)
    except EvmFailedError as failure:
        raise RejectedError(3, f"Engine error: {failure}.") from None
    receipt = _build_receipt(scope, command, result)
    add_engine_receipt(scope.state, scope.tx_hash, receipt, result.gas_used)


def _build_receipt(scope: Scope, command: CallEngine, result: EvmResult) -> EngineReceipt:
    """Return the receipt as irohad writes it: its caller is the transaction's creator."""
    receipt = EngineReceipt(
        command_index=scope.command_index,
        caller=scope.creator,
        logs=(
            EngineLog(
                address=log.address.hex(),
                data=log.data.hex(),
                topics=[topic.hex() for topic in log.topics],
            )
            for log in result.logs
        ),
    )
    if command.HasField("callee"):
        call_result = CallResult(callee=command.callee, result_data=result.output.hex())
        receipt.call_result.CopyFrom(call_result)
    else:
        receipt.contract_address = result.address.hex().upper()
    return receipt

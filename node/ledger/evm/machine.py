"""Runs contracts by py-evm's rules of Cancun."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from eth.abc import ComputationAPI
from eth.constants import CREATE_CONTRACT_ADDRESS
from eth.exceptions import Revert, VMError
from eth.vm.forks.cancun.transaction_context import CancunTransactionContext
from eth.vm.message import Message
from eth_typing import Address
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from chaincode.errors import DecodeError, EvmFailedError
from chaincode.evm import EvmCall, EvmLog, EvmResult
from chaincode.world_state import StateOverlay
from node.ledger.evm.service import SERVICE_CONTRACT, decode_texts
from node.ledger.evm.state import LedgerComputation, LedgerState

_ADDRESS_BYTES: Final = 20
_SELECTOR_BYTES: Final = 4
_WORD_BYTES: Final = 32
_MAX_REASON: Final = 200
"""Characters of what a contract says that go into an error."""
_ERROR: Final = keccak(text="Error(string)")[:_SELECTOR_BYTES]


def execute(state: StateOverlay, call: EvmCall) -> EvmResult:
    """Deploy or call a contract, and write what changes to the state.

    Raises:
        EvmFailedError: The call reverted, ran out of gas or cannot be run.
    """
    ledger = LedgerState(state, call)
    message = _build_message(ledger)
    try:
        computation = _run(ledger, message)
    except (VMError, ValidationError) as error:
        what = "deploying" if message.is_create else "calling"
        raise EvmFailedError(
            f"Error {what} smart contract at address {_shown(message.storage_address)}: {error}"
        ) from None
    for address in sorted(computation.get_accounts_for_deletion()):
        ledger.delete_account(address)
    state.merge(ledger.overlay)
    return EvmResult(
        address=message.storage_address,
        output=b"" if message.is_create else computation.output,
        logs=tuple(_read_logs(computation)),
        gas_used=message.gas - computation.get_gas_remaining(),
    )


def _build_message(state: LedgerState) -> Message:
    call = state.call
    sender = Address(keccak(text=call.caller)[-_ADDRESS_BYTES:])
    if call.callee is None:
        # irohad's nonce: the transaction, and the place of the command as 32 bits.
        nonce = call.tx_hash + call.command_index.to_bytes(4)
        address = Address(keccak(nonce)[-_ADDRESS_BYTES:])
        if state.account_exists(address):
            raise EvmFailedError(f"Account already exists at address {_shown(address)}")
        return Message(
            gas=call.gas,
            to=CREATE_CONTRACT_ADDRESS,
            sender=sender,
            value=0,
            data=b"",
            code=call.code_or_data,
            create_address=address,
        )
    callee = Address(call.callee)
    if callee == SERVICE_CONTRACT:
        raise EvmFailedError(
            f"The callee address {_shown(callee)} is reserved for a native contract and cannot be "
            "called directly"
        )
    if not state.account_exists(callee):
        raise EvmFailedError(f"Contract account does not exists at address {_shown(callee)}")
    return Message(
        gas=call.gas,
        to=callee,
        sender=sender,
        value=0,
        data=call.code_or_data,
        code=state.get_code(callee),
    )


def _run(state: LedgerState, message: Message) -> ComputationAPI:
    """Return the computation of a message.

    Raises:
        VMError: It failed; the text says why.
        ValidationError: The library refuses what the message does.
    """
    context = CancunTransactionContext(gas_price=0, origin=message.sender)
    for address in (message.sender, message.storage_address):
        state.mark_address_warm(address)
    apply = (
        LedgerComputation.apply_create_message
        if message.is_create
        else LedgerComputation.apply_message
    )
    computation = apply(state, message, context)
    if computation.is_error and isinstance(computation.error, Revert):
        raise Revert(_revert_reason(computation.output))
    computation.raise_if_error()
    return computation


def _revert_reason(output: bytes) -> str:
    """Return in words what a contract gave when it reverted."""
    reason: str = output[: _MAX_REASON // 2].hex()
    if output[:_SELECTOR_BYTES] == _ERROR:
        with suppress(DecodeError):
            (reason,) = decode_texts(output[_SELECTOR_BYTES:], 1)
    return f"execution reverted: {reason[:_MAX_REASON]}" if reason else "execution reverted"


def _read_logs(computation: ComputationAPI) -> Iterator[EvmLog]:
    for address, topics, data in computation.get_log_entries():
        yield EvmLog(
            address=address,
            topics=tuple(topic.to_bytes(_WORD_BYTES) for topic in topics),
            data=bytes(data),
        )


def _shown(address: bytes) -> str:
    return address.hex().upper()

"""The virtual machine that runs contracts, as the rules see it: what it is asked, what it answers.

The machine itself is outside: it needs a library. All that it remembers is in the world state.
"""

from dataclasses import dataclass
from typing import Final, Protocol

from chaincode.protocol.primitive_pb2 import EngineReceipt
from chaincode.protocol.world_state_pb2 import EngineReceiptsRecord
from chaincode.world_state import ReadableState, StateOverlay, state_key

TRANSACTION_GAS: Final = 10_000_000
"""What all the engine calls of one transaction may burn together. It deploys the largest contract
that there can be, and bounds the work of a transaction to some seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvmCall:
    """A call of a contract, or the deployment of one.

    Attributes:
        caller: The account in whose name the contract runs.
        callee: The contract's address, 20 bytes; None to deploy.
        code_or_data: The code that makes the contract, or what the contract is given.
        gas: What it may burn.
        tx_hash: The transaction of the call, 32 bytes.
        command_index: The place of the call in it.
        height: The height of the block.
        time_ms: The time of the block, milliseconds since 1970, UTC.
    """

    caller: str
    callee: bytes | None
    code_or_data: bytes
    gas: int
    tx_hash: bytes
    command_index: int
    height: int
    time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvmLog:
    """An event that a contract told.

    Attributes:
        address: The contract's, 20 bytes.
        topics: Up to four, of 32 bytes.
        data: The rest.
    """

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class EvmResult:
    """What a call did, beside its changes of the state.

    Attributes:
        address: The contract that was called or made, 20 bytes.
        output: What the contract returned; nothing where it was made.
        logs: In the order in which they were told.
        gas_used: What it burnt.
    """

    address: bytes
    output: bytes
    logs: tuple[EvmLog, ...]
    gas_used: int


class Evm(Protocol):
    """A virtual machine that keeps all that it remembers in the state that it is given."""

    @property
    def rules(self) -> str:
        """The name of the rules that it goes by: equal names, equal results on every machine."""
        ...

    def execute(self, state: StateOverlay, call: EvmCall) -> EvmResult:
        """Deploy or call a contract, and write what changes to the state.

        Raises:
            EvmFailedError: The machine gave up; nothing is changed.
        """
        ...


def get_code(state: ReadableState, address: bytes) -> bytes:
    """Return the code of a contract; nothing where there is none."""
    return state.get(state_key(b"evm_code", address.hex())) or b""


def put_code(state: StateOverlay, address: bytes, code: bytes) -> None:
    """Write the code of a contract."""
    state.put(state_key(b"evm_code", address.hex()), code)


def get_nonce(state: ReadableState, address: bytes) -> int:
    """Return how many contracts a contract has made, plus 1; 0 where it is no contract."""
    return int.from_bytes(state.get(state_key(b"evm_nonce", address.hex())) or b"")


def put_nonce(state: StateOverlay, address: bytes, nonce: int) -> None:
    """Write the nonce of a contract."""
    state.put(state_key(b"evm_nonce", address.hex()), nonce.to_bytes(8))


def get_slot(state: ReadableState, address: bytes, slot: int) -> int:
    """Return a word of a contract's storage; 0 where none was written."""
    return int.from_bytes(state.get(_slot_key(address, slot)) or b"")


def put_slot(state: StateOverlay, address: bytes, slot: int, value: int) -> None:
    """Write a word of a contract's storage; 0 removes the entry."""
    if value:
        state.put(_slot_key(address, slot), value.to_bytes(32))
    else:
        state.delete(_slot_key(address, slot))


def delete_contract(state: StateOverlay, address: bytes) -> None:
    """Remove the code, the nonce and the storage of a contract."""
    state.delete(state_key(b"evm_code", address.hex()))
    state.delete(state_key(b"evm_nonce", address.hex()))
    delete_storage(state, address)


def delete_storage(state: StateOverlay, address: bytes) -> None:
    """Remove the storage of a contract."""
    for key, _ in list(state.scan(state_key(b"evm_slot", address.hex(), ""))):
        state.delete(key)


def get_engine_receipts(state: ReadableState, tx_hash: bytes) -> EngineReceiptsRecord:
    """Return what the engine calls of a transaction did, in order; an empty record where none."""
    value = state.get(state_key(b"engine_receipts", tx_hash.hex()))
    return EngineReceiptsRecord.FromString(value or b"")


def add_engine_receipt(
    state: StateOverlay, tx_hash: bytes, receipt: EngineReceipt, gas_used: int
) -> None:
    """Append what an engine call of a transaction did."""
    record = get_engine_receipts(state, tx_hash)
    record.receipts.append(receipt)
    record.gas_used += gas_used
    state.put(state_key(b"engine_receipts", tx_hash.hex()), record.SerializeToString())


def _slot_key(address: bytes, slot: int) -> bytes:
    return state_key(b"evm_slot", address.hex(), slot.to_bytes(32).hex())

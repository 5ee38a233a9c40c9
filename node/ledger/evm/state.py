"""py-evm's state, kept in an overlay of the ledger's world state instead of a trie."""

from dataclasses import dataclass
from inspect import unwrap
from typing import Final, cast

from eth.abc import ComputationAPI
from eth.constants import BLANK_ROOT_HASH
from eth.db.journal import get_next_checkpoint
from eth.exceptions import OutOfGas
from eth.typing import JournalDBCheckpoint
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.cancun.computation import CancunComputation
from eth.vm.forks.cancun.opcodes import CANCUN_OPCODES
from eth.vm.forks.cancun.state import CancunState
from eth.vm.opcode_values import SELFDESTRUCT
from eth_typing import Address, BlockNumber, Hash32
from eth_utils.crypto import keccak

from chaincode.evm import (
    TRANSACTION_GAS,
    EvmCall,
    delete_contract,
    delete_storage,
    get_code,
    get_nonce,
    get_slot,
    put_code,
    put_nonce,
    put_slot,
)
from chaincode.world_state import JournaledOverlay, StateOverlay
from node.ledger.evm import MEMORY_BYTES
from node.ledger.evm.precompiles import PRECOMPILES
from node.ledger.evm.service import SERVICE_CODE, SERVICE_CONTRACT

_NOTHING: Final = Address(bytes(20))
_MS_PER_S: Final = 1000


@dataclass(frozen=True, slots=True)
class _FinishedCall:
    """What a call needs of one within it that has ended."""

    logs: tuple[tuple[int, bytes, tuple[int, ...], bytes], ...]
    deleted: list[Address]

    def get_raw_log_entries(self) -> tuple[tuple[int, bytes, tuple[int, ...], bytes], ...]:
        return self.logs

    def get_accounts_for_deletion(self) -> list[Address]:
        return self.deleted


class LedgerComputation(CancunComputation):
    """Cancun's, with our precompiled contracts, and bounds of the memory that it takes."""

    # py-evm would warn of this opcode: whether a warning raises must not decide anything.
    opcodes = CANCUN_OPCODES | {SELFDESTRUCT: unwrap(CANCUN_OPCODES[SELFDESTRUCT])}
    _precompiles = PRECOMPILES

    def extend_memory(self, start_position: int, size: int) -> None:
        """Extend the memory of a call, for gas.

        Raises:
            OutOfGas: It cannot pay, or wants more than there is for any gas.
        """
        if size and start_position + size > MEMORY_BYTES:
            raise OutOfGas(f"a call has at most {MEMORY_BYTES} bytes of memory")
        super().extend_memory(start_position, size)

    def add_child_computation(self, child_computation: ComputationAPI) -> None:
        """Take over the result of a call within this one, and forget the rest.

        py-evm keeps all of them to the end, with what they were given: gigabytes, for little gas.
        """
        super().add_child_computation(child_computation)
        finished = _FinishedCall(
            child_computation.get_raw_log_entries(), child_computation.get_accounts_for_deletion()
        )
        del self.children[-1]
        if finished.logs or finished.deleted:
            self.children.append(cast("ComputationAPI", finished))


class LedgerState(CancunState):
    """The state of one call. Accounts have no balance, and what is not a contract has no nonce.

    Attributes:
        call: What the machine was asked.
        before: The state as it was before the call.
        overlay: The state as the call has changed it so far.
    """

    computation_class = LedgerComputation

    def __init__(self, before: StateOverlay, call: EvmCall) -> None:
        self.execution_context = ExecutionContext(
            coinbase=_NOTHING,
            timestamp=call.time_ms // _MS_PER_S,
            block_number=BlockNumber(call.height),
            difficulty=0,
            mix_hash=Hash32(bytes(32)),
            gas_limit=TRANSACTION_GAS,
            prev_hashes=(),
            chain_id=0,
            base_fee_per_gas=0,
            excess_blob_gas=0,
        )
        self.call = call
        self.before = before
        self.overlay = JournaledOverlay(before)
        self._code_hashes: dict[Address, Hash32] = {}
        self._warm: dict[tuple[Address, int | None], None] = {}
        self._marks: dict[JournalDBCheckpoint, tuple[int, int]] = {}

    def get_storage(self, address: Address, slot: int, from_journal: bool = True) -> int:
        """Return a word of storage, or with `from_journal` unset as it was before the call."""
        return get_slot(self.overlay if from_journal else self.before, address, slot)

    def set_storage(self, address: Address, slot: int, value: int) -> None:
        """Write a word of storage."""
        put_slot(self.overlay, address, slot, value)

    def delete_storage(self, address: Address) -> None:
        """Remove all words of a contract."""
        delete_storage(self.overlay, address)

    def delete_account(self, address: Address) -> None:
        """Remove a contract."""
        delete_contract(self.overlay, address)

    def get_balance(self, address: Address) -> int:  # noqa: ARG002
        """Return 0: the ledger has its own assets, and no ether."""
        return 0

    def set_balance(self, address: Address, balance: int) -> None:
        """Do nothing: only 0 can be moved."""

    def get_nonce(self, address: Address) -> int:
        """Return a contract's nonce."""
        return get_nonce(self.overlay, address)

    def set_nonce(self, address: Address, nonce: int) -> None:
        """Write a contract's nonce."""
        put_nonce(self.overlay, address, nonce)

    def increment_nonce(self, address: Address) -> None:
        """Add 1 to a contract's nonce."""
        self.set_nonce(address, self.get_nonce(address) + 1)

    def get_code(self, address: Address) -> bytes:
        """Return a contract's code."""
        return SERVICE_CODE if address == SERVICE_CONTRACT else get_code(self.overlay, address)

    def set_code(self, address: Address, code: bytes) -> None:
        """Write a contract's code."""
        self._code_hashes.clear()
        put_code(self.overlay, address, code)

    def get_code_hash(self, address: Address) -> Hash32:
        """Return the Keccak-256 of a contract's code."""
        # Asking costs next to no gas, and hashing 24,576 bytes takes its time.
        if address not in self._code_hashes:
            self._code_hashes[address] = Hash32(keccak(self.get_code(address)))
        return self._code_hashes[address]

    def has_code_or_nonce(self, address: Address) -> bool:
        """Tell whether there is a contract."""
        return self.get_nonce(address) != 0 or self.get_code(address) != b""

    def account_exists(self, address: Address) -> bool:
        """Tell whether there is a contract."""
        return self.has_code_or_nonce(address)

    def account_is_empty(self, address: Address) -> bool:
        """Tell whether there is no contract."""
        return not self.has_code_or_nonce(address)

    def touch_account(self, address: Address) -> None:
        """Do nothing: there are no empty accounts to clear."""

    def is_storage_warm(self, address: Address, slot: int) -> bool:
        """Tell whether the call has used a word before (EIP-2929)."""
        return (address, slot) in self._warm

    def mark_storage_warm(self, address: Address, slot: int) -> None:
        """Note that the call uses a word."""
        self._warm.setdefault((address, slot))

    def is_address_warm(self, address: Address) -> bool:
        """Tell whether the call has used an address before (EIP-2929)."""
        return (address, None) in self._warm or address in self.computation_class.get_precompiles()

    def mark_address_warm(self, address: Address) -> None:
        """Note that the call uses an address."""
        self._warm.setdefault((address, None))

    def snapshot(self) -> tuple[Hash32, JournalDBCheckpoint]:
        """Return this moment."""
        checkpoint = get_next_checkpoint()
        self._marks[checkpoint] = (self.overlay.mark(), len(self._warm))
        self.transient_storage.record(checkpoint)
        return BLANK_ROOT_HASH, checkpoint

    def revert(self, snapshot: tuple[Hash32, JournalDBCheckpoint]) -> None:
        """Go back to a moment, with all that Iroha's commands have done since."""
        _, checkpoint = snapshot
        mark, warm = self._marks.pop(checkpoint)
        self.overlay.rewind(mark)
        self._code_hashes.clear()
        while len(self._warm) > warm:
            self._warm.popitem()
        self.transient_storage.discard(checkpoint)

    def commit(self, snapshot: tuple[Hash32, JournalDBCheckpoint]) -> None:
        """Forget a moment, and keep what has been done since."""
        _, checkpoint = snapshot
        del self._marks[checkpoint]
        self.transient_storage.commit(checkpoint)

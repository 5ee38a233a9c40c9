"""The contracts that are part of the machine: the first five of Ethereum, and the service contract.

Ethereum's prices are those of compiled code. What costs far more time in Python than its price says
is dearer here, or not offered: a call that it cannot pay would stall every peer.
"""

from collections.abc import Callable
from typing import Final, Protocol, TypeAlias, cast

from Crypto.Hash import RIPEMD160
from eth.abc import ComputationAPI
from eth.constants import GAS_ECRECOVER, GAS_RIPEMD160, GAS_RIPEMD160WORD
from eth.exceptions import Revert, WriteProtection
from eth.precompiles.ecrecover import ecrecover
from eth.vm.forks.cancun.computation import CANCUN_PRECOMPILES
from eth_typing import Address

from chaincode.blocks import BlockContext
from chaincode.errors import ChaincodeError
from chaincode.evm import EvmCall
from chaincode.rules.scope import Scope
from chaincode.world_state import JournaledOverlay
from node.ledger.evm.service import SERVICE_CONTRACT, call_function, find_function

ECRECOVER_GAS: Final = 12_000
SERVICE_GAS: Final = 5_000
SERVICE_GAS_PER_BYTE: Final = 8

_Precompile: TypeAlias = Callable[[ComputationAPI], ComputationAPI]
_WORD_BYTES: Final = 32
_OFFERED: Final = (2, 4, 5)
_NOT_OFFERED: Final = range(6, 11)


class _CallingState(Protocol):
    """What the service contract works on: `state.LedgerState`."""

    call: EvmCall
    overlay: JournaledOverlay


def _address(number: int) -> Address:
    return Address(number.to_bytes(20))


def _recover_key(computation: ComputationAPI) -> ComputationAPI:
    computation.consume_gas(ECRECOVER_GAS - GAS_ECRECOVER, "ECRecover in Python")
    return ecrecover(computation)


def _hash_ripemd160(computation: ComputationAPI) -> ComputationAPI:
    """Hash as Ethereum does. py-evm asks OpenSSL, which often comes without this hash."""
    data = computation.msg.data_as_bytes
    words = -(-len(data) // _WORD_BYTES)
    computation.consume_gas(GAS_RIPEMD160 + words * GAS_RIPEMD160WORD, "RIPEMD160")
    computation.output = RIPEMD160.new(data).digest().rjust(_WORD_BYTES, b"\x00")
    return computation


def _refuse(computation: ComputationAPI) -> ComputationAPI:
    raise Revert(f"precompile {computation.msg.code_address.hex()} is not offered")


def _call_service(computation: ComputationAPI) -> ComputationAPI:
    """Run a command or a query of Iroha in the caller's name; what it refuses is a revert."""

    def charge(size_bytes: int) -> None:
        computation.consume_gas(SERVICE_GAS_PER_BYTE * size_bytes, "service contract")

    state = cast(_CallingState, computation.state)
    data = computation.msg.data_as_bytes
    computation.consume_gas(SERVICE_GAS, "service contract")
    charge(len(data))
    scope = Scope(
        state=state.overlay,
        block=BlockContext(height=state.call.height, time_ms=state.call.time_ms),
        creator=state.call.caller,
        validated=True,
        tx_hash=state.call.tx_hash,
    )
    try:
        function = find_function(data)
        if function.writes and computation.msg.is_static:
            raise WriteProtection("a command of Iroha in a static call")
        computation.output = call_function(function, scope, data, charge)
    except ChaincodeError as error:
        raise Revert(str(error)) from None
    return computation


# A dict, since py-evm asks for one.
PRECOMPILES: Final[dict[Address, _Precompile]] = {
    _address(1): _recover_key,
    _address(3): _hash_ripemd160,
    **{_address(number): CANCUN_PRECOMPILES[_address(number)] for number in _OFFERED},
    **{_address(number): _refuse for number in _NOT_OFFERED},
    SERVICE_CONTRACT: _call_service,
}

"""The service contract on the machine's side: selectors, and texts as Solidity passes them."""

from typing import Final

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_typing import Address
from eth_utils.crypto import keccak

from chaincode.errors import DecodeError
from chaincode.rules.scope import Scope
from chaincode.service_contract import SERVICE_FUNCTIONS, Charge, ServiceFunction

SERVICE_CONTRACT: Final = Address(keccak(text="ServiceContract")[-20:])
"""Where contracts reach Iroha's commands and queries: A6Abc17819738299B3B2c1CE46d55c74f04E290C."""
SERVICE_CODE: Final = b"ServiceContract"
"""What Burrow shows as the code there; Solidity asks whether there is any before it calls."""
_SELECTOR_BYTES: Final = 4


def _selector(name: str, function: ServiceFunction) -> bytes:
    return keccak(text=f"{name}({','.join(_parameters(function))})")[:_SELECTOR_BYTES]


def _parameters(function: ServiceFunction) -> list[str]:
    return ["string"] * function.parameters


_FUNCTIONS: Final = {
    _selector(name, function): function for name, function in SERVICE_FUNCTIONS.items()
}


def find_function(data: bytes) -> ServiceFunction:
    """Return the function that call data names.

    Raises:
        DecodeError: There is none.
    """
    selector = data[:_SELECTOR_BYTES]
    if selector not in _FUNCTIONS:
        raise DecodeError(f"the service contract has no function {selector.hex()}")
    return _FUNCTIONS[selector]


def decode_texts(data: bytes, count: int) -> tuple[str, ...]:
    """Return the texts that Solidity encoded.

    Raises:
        DecodeError: The data are not so many texts.
    """
    try:
        texts: tuple[str, ...] = decode(["string"] * count, data)
    except (DecodingError, UnicodeDecodeError, OverflowError) as error:
        # OverflowError: of a length past 2^63 the library makes no error of its own.
        raise DecodeError(f"not the texts of a function: {type(error).__name__}") from None
    return texts


def call_function(function: ServiceFunction, scope: Scope, data: bytes, charge: Charge) -> bytes:
    """Run a function with the arguments of call data; return its result as Solidity reads it.

    Raises:
        ChaincodeError: The data are not its arguments, or Iroha refuses.
    """
    arguments = decode_texts(data[_SELECTOR_BYTES:], function.parameters)
    result = encode([function.returns], [function.call(scope, arguments, charge)])
    charge(len(result))
    return result

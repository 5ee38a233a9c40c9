"""What runs contracts: py-evm on the ledger's own state (`tegata[evm]`)."""

import importlib
import sys
from collections.abc import Callable
from functools import cache
from typing import Final

from chaincode.evm import Evm, EvmCall, EvmResult
from chaincode.rules.settings import ENGINE_RULES
from chaincode.world_state import ReadableState, StateOverlay, get_setting
from node.errors import ConfigError

CANCUN_RULES: Final = "cancun-1"
"""Cancun as the pinned py-evm has it, our prices and the service contract. Whoever changes what any
call does gives this a new name: ledgers say by which rules they were made."""

MEMORY_BYTES: Final = 256 * 1024
"""How much memory a call may have: it may pass all of it on to calls within it, for no gas."""
RECURSION_LIMIT: Final = 10_000
"""More than the Python frames of 1,024 nested calls, the most that Ethereum allows."""


class LedgerEvm:
    """A `chaincode.evm.Evm` whose library is loaded when it is needed, and not before."""

    rules: Final = CANCUN_RULES

    def execute(self, state: StateOverlay, call: EvmCall) -> EvmResult:
        """Deploy or call a contract, and write what changes to the state.

        Raises:
            EvmFailedError: The machine gave up; nothing is changed.
            ConfigError: The library is not installed.
        """
        return _load()(state, call)


LEDGER_EVM: Final[Evm] = LedgerEvm()


def check_engine(state: ReadableState) -> None:
    """Check that this node can run the contracts of a ledger, and load what that needs.

    Raises:
        ConfigError: It cannot; the text says what to do.
    """
    rules = get_setting(state, ENGINE_RULES)
    if rules is None:
        return
    if rules != CANCUN_RULES:
        raise ConfigError(
            f"the genesis block sets {ENGINE_RULES} to {rules!r}; this node knows {CANCUN_RULES!r}"
        )
    _load()


@cache
def _load() -> Callable[[StateOverlay, EvmCall], EvmResult]:
    try:
        machine = importlib.import_module("node.ledger.evm.machine")
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"this ledger runs contracts, but {error.name} is not installed: install tegata[evm]"
        ) from None
    finally:
        # py-evm and py_ecc set 100,000: the parsers of the process would then overflow the C stack
        # where they ought to raise.
        sys.setrecursionlimit(RECURSION_LIMIT)
    execute: Callable[[StateOverlay, EvmCall], EvmResult] = machine.execute
    return execute

"""Settings of the ledger. Only the genesis block may set one."""

from typing import Final

from chaincode.errors import RejectedError
from chaincode.protocol.commands_pb2 import SetSettingValue
from chaincode.rules.scope import INTERNAL, Scope, reject_no_permission
from chaincode.world_state import ReadableState, get_setting, put_setting

MAX_DESCRIPTION_SIZE: Final = "MaxDescriptionSize"
ENGINE_RULES: Final = "EngineRules"
"""By which rules the ledger runs contracts. A ledger whose genesis does not say it runs none."""


def set_setting_value(scope: Scope, command: SetSettingValue) -> None:
    """Apply `SetSettingValue`. Code: 2 this is not the genesis block."""
    # CHECK
    if scope.validated:
        reject_no_permission("change a setting: only the genesis block does")
    # WRITE
    put_setting(scope.state, command.key, command.value)


def max_description_bytes(state: ReadableState) -> int | None:
    """Return the longest description of a transfer, or None where the genesis did not set it.

    Raises:
        RejectedError: The genesis set something else than a number.
    """
    value = get_setting(state, MAX_DESCRIPTION_SIZE)
    try:
        return None if value is None else int(value)
    except ValueError:
        raise RejectedError(INTERNAL, f"{MAX_DESCRIPTION_SIZE} is not a number") from None

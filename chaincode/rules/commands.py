"""Which rule decides which command, and what stands before every rule."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from chaincode.protocol.commands_pb2 import Command
from chaincode.rules import accounts, assets, details, engine, peers, roles, settings
from chaincode.rules.identity.guard import check_guard
from chaincode.rules.scope import Scope

_Rule: TypeAlias = Callable[[Scope, Any], None]
_RULES: Final[Mapping[str, _Rule]] = {
    "add_asset_quantity": assets.add_asset_quantity,
    "add_peer": peers.add_peer,
    "add_signatory": accounts.add_signatory,
    "append_role": roles.append_role,
    "call_engine": engine.call_engine,
    "compare_and_set_account_detail": details.compare_and_set_account_detail,
    "create_account": accounts.create_account,
    "create_asset": assets.create_asset,
    "create_domain": accounts.create_domain,
    "create_role": roles.create_role,
    "detach_role": roles.detach_role,
    "grant_permission": roles.grant_permission,
    "remove_peer": peers.remove_peer,
    "remove_signatory": accounts.remove_signatory,
    "revoke_permission": roles.revoke_permission,
    "set_account_detail": details.set_account_detail,
    "set_account_quorum": accounts.set_account_quorum,
    "set_setting_value": settings.set_setting_value,
    "subtract_asset_quantity": assets.subtract_asset_quantity,
    "transfer_asset": assets.transfer_asset,
}


def apply_command(scope: Scope, command: Command) -> None:
    """Apply a command of well-checked form, a transaction's or a contract's.

    Raises:
        RejectedError: It may not be applied to this state.
    """
    name = command.WhichOneof("command") or ""
    check_guard(scope, command)
    _RULES[name](scope, getattr(command, name))

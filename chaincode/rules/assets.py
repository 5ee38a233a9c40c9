"""Assets: creating them, and moving exact amounts of them."""

from chaincode.amounts import AMOUNT_END, Amount, parse_amount
from chaincode.errors import RejectedError
from chaincode.ids import asset_domain_of, domain_of
from chaincode.protocol.commands_pb2 import (
    AddAssetQuantity,
    CreateAsset,
    SubtractAssetQuantity,
    TransferAsset,
)
from chaincode.protocol.primitive_pb2 import GrantablePermission, RolePermission
from chaincode.rules.scope import INTERNAL, Scope, reject_no_permission, role_permissions
from chaincode.rules.settings import max_description_bytes
from chaincode.world_state import (
    get_balance,
    get_default_role,
    get_precision,
    put_asset,
    put_balance,
)


def create_asset(scope: Scope, command: CreateAsset) -> None:
    """Apply `CreateAsset`. Codes: 2 no permission, 3 no such domain, 4 it exists."""
    # READ
    asset_id = f"{command.asset_name}#{command.domain_id}"
    # CHECK
    if not scope.has_permission(RolePermission.can_create_asset):
        reject_no_permission("create an asset")
    if get_default_role(scope.state, command.domain_id) is None:
        raise RejectedError(3, f"there is no domain {command.domain_id}")
    if get_precision(scope.state, asset_id) is not None:
        raise RejectedError(4, f"asset {asset_id} exists")
    # WRITE
    put_asset(scope.state, asset_id, command.precision)


def add_asset_quantity(scope: Scope, command: AddAssetQuantity) -> None:
    """Apply `AddAssetQuantity`.

    Codes: 1 no such account, 2 no permission, 3 no such asset or too many decimals, 4 the balance
    would reach 2^256.
    """
    # READ
    amount = parse_amount(command.amount)
    # CHECK
    if not _may_change_supply(
        scope,
        command.asset_id,
        RolePermission.can_add_asset_qty,
        RolePermission.can_add_domain_asset_qty,
    ):
        reject_no_permission(f"add to {command.asset_id}")
    scope.require_account(scope.creator, INTERNAL)
    precision = _require_asset(scope, command.asset_id, amount, 3)
    balance = get_balance(scope.state, scope.creator, command.asset_id) + amount
    if balance.units_at(precision) >= AMOUNT_END:
        raise RejectedError(4, f"the balance of {command.asset_id} would reach 2^256")
    # WRITE
    put_balance(scope.state, scope.creator, command.asset_id, balance)


def subtract_asset_quantity(scope: Scope, command: SubtractAssetQuantity) -> None:
    """Apply `SubtractAssetQuantity`.

    Codes: 2 no permission, 3 no such asset or too many decimals, 4 the balance is less.
    """
    # READ
    amount = parse_amount(command.amount)
    balance = get_balance(scope.state, scope.creator, command.asset_id) - amount
    # CHECK
    if not _may_change_supply(
        scope,
        command.asset_id,
        RolePermission.can_subtract_asset_qty,
        RolePermission.can_subtract_domain_asset_qty,
    ):
        reject_no_permission(f"subtract from {command.asset_id}")
    _require_asset(scope, command.asset_id, amount, 3)
    if balance.units < 0:
        raise RejectedError(4, f"the balance of {command.asset_id} is less than {amount}")
    # WRITE
    put_balance(scope.state, scope.creator, command.asset_id, balance)


def transfer_asset(scope: Scope, command: TransferAsset) -> None:
    """Apply `TransferAsset`.

    Codes: 1 source and destination are one, 2 no permission, 3 no such source account, 4 no such
    destination account, 5 no such asset or too many decimals, 6 the source has less, 7 the
    destination's balance would reach 2^256, 8 the description is longer than the setting allows.
    """
    # READ
    amount = parse_amount(command.amount)
    source, destination = command.src_account_id, command.dest_account_id
    # CHECK
    if source == destination:
        # No client gets here; written twice, the balance would grow out of nothing.
        raise RejectedError(INTERNAL, f"{source} is source and destination")
    scope.require_account(destination, 4)
    if not _may_transfer(scope, source, destination):
        reject_no_permission(f"transfer from {source} to {destination}")
    scope.require_account(source, 3)
    precision = _require_asset(scope, command.asset_id, amount, 5)
    remaining = get_balance(scope.state, source, command.asset_id) - amount
    if remaining.units < 0:
        raise RejectedError(6, f"{source} has less than {amount} of {command.asset_id}")
    received = get_balance(scope.state, destination, command.asset_id) + amount
    if received.units_at(precision) >= AMOUNT_END:
        raise RejectedError(7, f"the balance of {destination} would reach 2^256")
    limit = max_description_bytes(scope.state)
    if limit is not None and len(command.description.encode()) > limit:
        raise RejectedError(8, f"the description is longer than {limit} bytes")
    # WRITE
    put_balance(scope.state, source, command.asset_id, remaining)
    put_balance(scope.state, destination, command.asset_id, received)


def _may_change_supply(
    scope: Scope, asset_id: str, everywhere: RolePermission, own_domain: RolePermission
) -> bool:
    if domain_of(scope.creator) == asset_domain_of(asset_id):
        return scope.has_permission(everywhere, own_domain)
    return scope.has_permission(everywhere)


def _may_transfer(scope: Scope, source: str, destination: str) -> bool:
    if not scope.validated:
        return True
    receives = role_permissions(scope.state, destination)
    if receives.isdisjoint((RolePermission.can_receive, RolePermission.root)):
        return False
    if source == scope.creator:
        return scope.has_permission(RolePermission.can_transfer)
    return scope.may_act_on(source, None, GrantablePermission.can_transfer_my_assets)


def _require_asset(scope: Scope, asset_id: str, amount: Amount, code: int) -> int:
    """Return the precision of an asset that can hold the amount, or reject the command."""
    precision = get_precision(scope.state, asset_id)
    if precision is None:
        raise RejectedError(code, f"there is no asset {asset_id}")
    if amount.decimals > precision:
        raise RejectedError(code, f"{asset_id} has {precision} decimals, {amount} has more")
    return precision

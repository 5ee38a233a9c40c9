"""A ledger of one root, three accounts without permissions and one peer."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from support.memory_ledger import START_MS, MemoryLedger, named_key

from chaincode.blocks import Receipt, Verdict
from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.commands_pb2 import (
    AddAssetQuantity,
    AddPeer,
    Command,
    CreateAsset,
    CreateDomain,
    CreateRole,
    DetachRole,
    RemovePeer,
    SetSettingValue,
    SubtractAssetQuantity,
    TransferAsset,
)
from chaincode.protocol.primitive_pb2 import GrantablePermission, Peer, RolePermission
from chaincode.world_state import get_account
from client_sdk.ledger.commands import append_role, create_account, grant_permission

ROOT, ALICE, BOB, CAROL = "root@d", "alice@d", "bob@d", "carol@e"
NOBODY = "nobody@d"
ALL_GRANTS = [
    number for name, number in RolePermission.items() if name.startswith("can_grant_can_")
]


def key_of(account_id: str) -> str:
    return named_key(account_id).public_key


def create_role(name: str, *permissions: int) -> Command:
    return Command(
        create_role=CreateRole(role_name=name, permissions=[*map(RolePermission.Name, permissions)])
    )


def create_domain(domain_id: str, default_role: str = "nothing") -> Command:
    return Command(create_domain=CreateDomain(domain_id=domain_id, default_role=default_role))


def detach_role(account_id: str, role_name: str) -> Command:
    return Command(detach_role=DetachRole(account_id=account_id, role_name=role_name))


def add_peer(key: str, address: str = "10.0.0.2:10001") -> Command:
    return Command(add_peer=AddPeer(peer=Peer(address=address, peer_key=key)))


def remove_peer(key: str) -> Command:
    return Command(remove_peer=RemovePeer(public_key=key))


def create_asset(asset_id: str, precision: int = 2) -> Command:
    name, _, domain = asset_id.partition("#")
    return Command(create_asset=CreateAsset(asset_name=name, domain_id=domain, precision=precision))


def add_quantity(asset_id: str, amount: str) -> Command:
    return Command(add_asset_quantity=AddAssetQuantity(asset_id=asset_id, amount=amount))


def subtract_quantity(asset_id: str, amount: str) -> Command:
    return Command(subtract_asset_quantity=SubtractAssetQuantity(asset_id=asset_id, amount=amount))


def transfer(
    source: str, destination: str, asset_id: str, amount: str, description: str = ""
) -> Command:
    return Command(
        transfer_asset=TransferAsset(
            src_account_id=source,
            dest_account_id=destination,
            asset_id=asset_id,
            amount=amount,
            description=description,
        )
    )


def set_setting(key: str, value: str) -> Command:
    return Command(set_setting_value=SetSettingValue(key=key, value=value))


def build_genesis_block(*commands: Command) -> Block:
    block = Block()
    payload = block.block_v1.payload
    payload.height = 1
    payload.created_time = START_MS
    payload.prev_block_hash = "00" * 32
    payload.transactions.add().payload.reduced_payload.commands.extend(commands)
    return block


def small_ledger(*more: Command) -> MemoryLedger:
    """Return a ledger whose genesis ends with `more` commands."""
    accounts = (ROOT, ALICE, BOB, CAROL)
    ledger = MemoryLedger(
        build_genesis_block(
            add_peer(key_of("peer"), "10.0.0.1:10001"),
            create_role("nothing"),
            create_role("root", RolePermission.root),
            create_role("granter", *ALL_GRANTS),
            create_domain("d"),
            create_domain("e"),
            *(create_account(account, key_of(account)) for account in accounts),
            append_role(ROOT, "root"),
            *more,
        )
    )
    ledger.keys = {account: named_key(account) for account in accounts}
    return ledger


def committed(receipt: Receipt) -> Receipt:
    assert receipt.verdict is Verdict.COMMITTED, receipt
    return receipt


def give_permissions(ledger: MemoryLedger, account_id: str, *permissions: int) -> None:
    """Let the account hold exactly these role permissions, through a role of its own."""
    name = "held_by_" + account_id.partition("@")[0]
    committed(ledger.submit(ROOT, create_role(name, *permissions), append_role(account_id, name)))


def give_grants(
    ledger: MemoryLedger, account_id: str, grantee: str, permissions: Iterable[GrantablePermission]
) -> None:
    """Let the account grant these to `grantee`."""
    record = get_account(ledger, account_id)
    assert record is not None
    if "granter" not in record.roles:
        committed(ledger.submit(ROOT, append_role(account_id, "granter")))
    for permission in permissions:
        committed(ledger.submit(account_id, grant_permission(grantee, permission)))


def try_as_alice(
    command: Command,
    *,
    held: Iterable[int] = (),
    granted: Iterable[GrantablePermission] = (),
    before: Iterable[Command] = (),
) -> tuple[MemoryLedger, Receipt]:
    """Submit one command as alice.

    Args:
        command: What alice tries.
        held: Alice's role permissions.
        granted: What bob grants to alice.
        before: What root does first.
    """
    ledger = small_ledger()
    give_permissions(ledger, ALICE, *held)
    give_grants(ledger, BOB, ALICE, granted)
    commands = tuple(before)
    if commands:
        committed(ledger.submit(ROOT, *commands))
    return ledger, ledger.submit(ALICE, command)


def case(name: str, command: Command, code: int, **setup: object) -> object:
    """Return a row of a table: what alice tries, and the code that comes of it (0: committed)."""
    return pytest.param(command, code, setup, id=f"{name} -> {code}")


def check_case(command: Command, code: int, setup: Mapping[str, Any]) -> None:
    """Submit the row's command as alice; a rejection must name the command."""
    _, receipt = try_as_alice(command, **setup)
    body = getattr(command, command.WhichOneof("command") or "")
    shown = {"SetAccountQuorum": "SetQuorum"}.get(body.DESCRIPTOR.name, body.DESCRIPTOR.name)
    if code == 0:
        committed(receipt)
    else:
        assert (receipt.verdict, receipt.code) == (Verdict.REJECTED, code), receipt.reason
        assert (receipt.command_name, receipt.command_index) == (shown, 0)
        assert receipt.reason

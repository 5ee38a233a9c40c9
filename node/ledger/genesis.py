"""The genesis block: reading irohad's JSON form, and making one for a Tegata network."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from google.protobuf import json_format

from chaincode.blocks import GENESIS_PREVIOUS_HASH
from chaincode.errors import InvalidTransactionError
from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.commands_pb2 import (
    AddPeer,
    AppendRole,
    Command,
    CreateAccount,
    CreateDomain,
    CreateRole,
)
from chaincode.protocol.primitive_pb2 import Peer, RolePermission
from chaincode.stateless import validate_commands
from node.errors import ConfigError

ADMIN_ACCOUNT: Final = "admin@tegata"
_MAX_TIME_MS: Final = 253_402_300_799_999
"""The end of the year 9999."""

_P = RolePermission
_OWN: Final = (
    _P.can_add_signatory,
    _P.can_get_my_acc_detail,
    _P.can_get_my_account,
    _P.can_get_my_signatories,
    _P.can_get_my_txs,
    _P.can_grant_can_add_my_signatory,
    _P.can_grant_can_remove_my_signatory,
    _P.can_grant_can_set_my_account_detail,
    _P.can_grant_can_set_my_quorum,
    _P.can_remove_signatory,
    _P.can_set_quorum,
)
_READ_RECORDS: Final = (
    _P.can_get_all_acc_detail,
    _P.can_get_all_signatories,
    _P.can_get_blocks,
)
_ADMINISTER: Final = (
    _P.can_add_peer,
    _P.can_append_role,
    _P.can_create_account,
    _P.can_create_domain,
    _P.can_create_role,
    _P.can_detach_role,
    _P.can_get_all_accounts,
    _P.can_get_peers,
    _P.can_get_roles,
    _P.can_remove_peer,
)
ROLES: Final = {
    # A holder acts on nothing but its own account.
    "holder": _OWN,
    "gateway": (*_OWN, *_READ_RECORDS),
    # An issuer makes its holders' accounts: it covers what a holder may do.
    "issuer": (*_OWN, *_READ_RECORDS, _P.can_create_account),
    "registrar": (*_OWN, *_READ_RECORDS),
    # No role holds can_set_detail: nobody writes on another's account without a grant.
    "admin": (*_OWN, *_READ_RECORDS, *_ADMINISTER),
}
DOMAINS: Final = {"holder": "holder", "issuer": "issuer", "gateway": "gateway", "tegata": "holder"}


def build_genesis(
    *, peers: Iterable[Peer], admin_key: str, registry_key: str, created_time_ms: int
) -> Block:
    """Return the genesis block of a Tegata network: its peers, roles, domains and two accounts.

    Args:
        peers: The first peers.
        admin_key: The key of `admin@tegata`, who makes accounts for issuers and gateways.
        registry_key: The first key of `registry@tegata`, who says which issuers count.
        created_time_ms: Milliseconds since 1970, UTC: it makes the ledger's id its own.
    """
    commands = [Command(add_peer=AddPeer(peer=peer)) for peer in peers]
    commands += [
        Command(create_role=CreateRole(role_name=name, permissions=permissions))
        for name, permissions in ROLES.items()
    ]
    commands += [
        Command(create_domain=CreateDomain(domain_id=domain, default_role=role))
        for domain, role in DOMAINS.items()
    ]
    for account_id, key, role in (
        (ADMIN_ACCOUNT, admin_key, "admin"),
        (REGISTRY_ACCOUNT, registry_key, "registrar"),
    ):
        name, _, domain = account_id.partition("@")
        account = CreateAccount(account_name=name, domain_id=domain, public_key=key)
        commands.append(Command(create_account=account))
        append = AppendRole(account_id=account_id, role_name=role)
        commands.append(Command(append_role=append))
    block = Block()
    payload = block.block_v1.payload
    payload.height = 1
    payload.tx_number = 1
    payload.prev_block_hash = GENESIS_PREVIOUS_HASH.hex()
    payload.created_time = created_time_ms
    reduced = payload.transactions.add().payload.reduced_payload
    reduced.commands.extend(commands)
    reduced.quorum = 1
    return block


def save_genesis(block: Block, path: Path) -> None:
    """Write a genesis block in irohad's JSON form."""
    path.write_text(json_format.MessageToJson(block) + "\n", encoding="utf-8")


def load_genesis(path: Path) -> Block:
    """Read a genesis block in irohad's JSON form.

    Raises:
        ConfigError: The file cannot be read, or is no block at height 1.
    """
    try:
        block = json_format.Parse(path.read_text(encoding="utf-8"), Block())
    except (OSError, UnicodeDecodeError, RecursionError, json_format.ParseError) as error:
        raise ConfigError(f"{path}: no genesis block: {error}") from None
    if problem := _genesis_problem(block):
        raise ConfigError(f"{path}: no genesis block: {problem}")
    return block


def _genesis_problem(block: Block) -> str | None:
    payload = block.block_v1.payload
    if payload.height != 1:
        return "its height is not 1"
    if payload.created_time > _MAX_TIME_MS:
        return "its created_time is no number of milliseconds since 1970"
    try:
        for transaction in payload.transactions:
            validate_commands(transaction.payload.reduced_payload.commands)
    except InvalidTransactionError as error:
        return str(error)
    return None

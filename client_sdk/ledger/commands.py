"""Builders of Iroha commands; each returns the `Command` that a transaction carries."""

from chaincode.protocol.commands_pb2 import (
    AddSignatory,
    AppendRole,
    Command,
    CompareAndSetAccountDetail,
    CreateAccount,
    GrantPermission,
    RemoveSignatory,
    RevokePermission,
    SetAccountDetail,
    SetAccountQuorum,
)
from chaincode.protocol.primitive_pb2 import GrantablePermission
from chaincode.records import IdentityRecord, encode_record


def create_account(account_id: str, public_key: str) -> Command:
    """Create `name@domain` with one signatory and the domain's default role."""
    name, _, domain = account_id.partition("@")
    return Command(
        create_account=CreateAccount(account_name=name, domain_id=domain, public_key=public_key)
    )


def append_role(account_id: str, role_name: str) -> Command:
    """Give an account a role."""
    return Command(append_role=AppendRole(account_id=account_id, role_name=role_name))


def set_account_detail(account_id: str, key: str, value: str) -> Command:
    """Write one detail of an account."""
    return Command(set_account_detail=SetAccountDetail(account_id=account_id, key=key, value=value))


def compare_and_set_account_detail(
    account_id: str, key: str, value: str, *, old_value: str | None, check_empty: bool = True
) -> Command:
    """Write one detail only if it holds `old_value`; None expects that it is not yet there."""
    command = CompareAndSetAccountDetail(
        account_id=account_id, key=key, value=value, check_empty=check_empty
    )
    if old_value is not None:
        command.old_value = old_value
    return Command(compare_and_set_account_detail=command)


def set_record(account_id: str, record_id: str, record: IdentityRecord) -> Command:
    """Write an identity record (`tg_...`) to an account.

    Raises:
        DecodeError: A field of the record is not acceptable.
    """
    return set_account_detail(account_id, record.key(record_id), encode_record(record))


def add_signatory(account_id: str, public_key: str) -> Command:
    """Add a key to an account."""
    return Command(add_signatory=AddSignatory(account_id=account_id, public_key=public_key))


def remove_signatory(account_id: str, public_key: str) -> Command:
    """Remove a key from an account."""
    return Command(remove_signatory=RemoveSignatory(account_id=account_id, public_key=public_key))


def set_account_quorum(account_id: str, quorum: int) -> Command:
    """Set how many signatures a transaction of the account needs (1 to 128)."""
    return Command(set_account_quorum=SetAccountQuorum(account_id=account_id, quorum=quorum))


def grant_permission(grantee: str, permission: GrantablePermission) -> Command:
    """Let another account do one thing to the creator's account."""
    return Command(grant_permission=GrantPermission(account_id=grantee, permission=permission))


def revoke_permission(grantee: str, permission: GrantablePermission) -> Command:
    """Take a granted permission back."""
    return Command(revoke_permission=RevokePermission(account_id=grantee, permission=permission))

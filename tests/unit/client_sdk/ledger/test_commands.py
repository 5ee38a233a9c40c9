"""Each builder makes the command that Iroha's message describes."""

import pytest

from chaincode.errors import DecodeError
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
from chaincode.records import GrantRecord, decode_record
from client_sdk.ledger import commands

A, KEY = "a@d", "ab" * 32
MAY = GrantablePermission.can_set_my_account_detail
GRANT = GrantRecord(
    commitment=bytes(32), gateway="g@gateway", expires_at_ms=1, uses=1, state="live"
)


@pytest.mark.parametrize(
    ("built", "expected"),
    [
        (
            commands.create_account(A, KEY),
            Command(create_account=CreateAccount(account_name="a", domain_id="d", public_key=KEY)),
        ),
        (
            commands.append_role(A, "r"),
            Command(append_role=AppendRole(account_id=A, role_name="r")),
        ),
        (
            commands.set_account_detail(A, "k", "v"),
            Command(set_account_detail=SetAccountDetail(account_id=A, key="k", value="v")),
        ),
        (
            commands.add_signatory(A, KEY),
            Command(add_signatory=AddSignatory(account_id=A, public_key=KEY)),
        ),
        (
            commands.remove_signatory(A, KEY),
            Command(remove_signatory=RemoveSignatory(account_id=A, public_key=KEY)),
        ),
        (
            commands.set_account_quorum(A, 2),
            Command(set_account_quorum=SetAccountQuorum(account_id=A, quorum=2)),
        ),
        (
            commands.grant_permission(A, MAY),
            Command(grant_permission=GrantPermission(account_id=A, permission=MAY)),
        ),
        (
            commands.revoke_permission(A, MAY),
            Command(revoke_permission=RevokePermission(account_id=A, permission=MAY)),
        ),
    ],
    ids=lambda value: value.WhichOneof("command"),
)
def test_a_command(built: Command, expected: Command) -> None:
    assert built == expected


@pytest.mark.parametrize("old_value", [None, "", "before"])
@pytest.mark.parametrize("check_empty", [True, False])
def test_a_value_that_is_expected_to_be_absent_is_not_an_empty_one(
    old_value: str | None, check_empty: bool
) -> None:
    built = commands.compare_and_set_account_detail(
        A, "k", "v", old_value=old_value, check_empty=check_empty
    ).compare_and_set_account_detail
    assert built.HasField("old_value") == (old_value is not None)
    assert built.old_value == (old_value or "")
    assert built.check_empty is check_empty
    assert (built.account_id, built.key, built.value) == (A, "k", "v")
    assert isinstance(built, CompareAndSetAccountDetail)


def test_a_record_is_a_detail_under_its_key() -> None:
    detail = commands.set_record(A, "cd" * 16, GRANT).set_account_detail
    assert (detail.account_id, detail.key) == (A, f"tg_grant_{'cd' * 16}")
    assert decode_record(detail.value, GrantRecord) == GRANT


def test_a_record_that_no_ledger_takes() -> None:
    wrong = GrantRecord(commitment=b"", gateway="g@d", expires_at_ms=1, uses=1, state="live")
    with pytest.raises(DecodeError, match="commitment"):
        commands.set_record(A, "cd" * 16, wrong)

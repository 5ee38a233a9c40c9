"""Every command that a guard holds back has a sentence for its holder."""

from dataclasses import replace

import pytest
from support.guarded_account import ESCROW, GUARD, HOLDER, ISSUER, NEW, OTHER

from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import GrantablePermission
from client_sdk.ledger.commands import (
    add_signatory,
    compare_and_set_account_detail,
    grant_permission,
    remove_signatory,
    revoke_permission,
    set_account_detail,
    set_account_quorum,
)
from client_sdk.ledger.guard_commands import set_guard
from client_sdk.ledger.guard_words import describe_command

PERMISSION = GrantablePermission.can_add_my_signatory


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (add_signatory(HOLDER, NEW.public_key), f"add the key {NEW.public_key}"),
        (remove_signatory(HOLDER, NEW.public_key), f"remove the key {NEW.public_key}"),
        (set_account_quorum(HOLDER, 2), "ask for 2 signatures from now on"),
        (grant_permission(OTHER, PERMISSION), f"let {OTHER} do this: can_add_my_signatory"),
        (
            revoke_permission(ESCROW, PERMISSION),
            f"no longer let {ESCROW} do this: can_add_my_signatory",
        ),
        (set_guard(HOLDER, replace(GUARD, state="lifted")), "lift the guard"),
        (
            set_guard(HOLDER, GUARD),
            (
                f"guard the account anew: recovered by {ESCROW}, approved by {ISSUER}, "
                f"after {GUARD.delay_ms} ms"
            ),
        ),
        (set_account_detail(HOLDER, "tg_guard", "broken"), "write a guard that cannot be read"),
        (
            compare_and_set_account_detail(HOLDER, "tg_guard", "x", old_value=None),
            "a command that this wallet does not explain: compare_and_set_account_detail",
        ),
    ],
)
def test_a_command_in_words(command: Command, words: str) -> None:
    assert describe_command(command) == words

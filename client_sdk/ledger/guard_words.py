"""What guard, recovery and changes mean, in sentences for people."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from chaincode.errors import DecodeError
from chaincode.protocol.commands_pb2 import Command, SetAccountDetail
from chaincode.protocol.primitive_pb2 import GrantablePermission
from chaincode.records import decode_record
from chaincode.records.recovery import GuardRecord


def describe_command(command: Command) -> str:
    """Return what a command that the guard holds back does, such as `add the key ed0120...`."""
    name = command.WhichOneof("command") or ""
    describe = _SENTENCES.get(name)
    if describe is None:
        return f"a command that this wallet does not explain: {name}"
    return describe(getattr(command, name))


def _describe_permission(verb: str) -> Callable[[Any], str]:
    return lambda body: (
        f"{verb} {body.account_id} do this: {GrantablePermission.Name(body.permission)}"
    )


def _describe_guard(body: SetAccountDetail) -> str:
    try:
        guard = decode_record(body.value, GuardRecord)
    except DecodeError:
        return "write a guard that cannot be read"
    if guard.state == "lifted":
        return "lift the guard"
    return (
        f"guard the account anew: recovered by {guard.escrow}, approved by {guard.issuer}, "
        f"after {guard.delay_ms} ms"
    )


_SENTENCES: Final[Mapping[str, Callable[[Any], str]]] = {
    "add_signatory": lambda body: f"add the key {body.public_key}",
    "remove_signatory": lambda body: f"remove the key {body.public_key}",
    "set_account_quorum": lambda body: f"ask for {body.quorum} signatures from now on",
    "grant_permission": _describe_permission("let"),
    "revoke_permission": _describe_permission("no longer let"),
    "set_account_detail": _describe_guard,
}

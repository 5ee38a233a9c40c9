"""The commands and queries of Iroha that a contract may call, as irohad offers them to Burrow.

Every argument is a text. A command runs through its own stateless and stateful rules, a query with
its own permissions, both in the name of the scope's creator.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias, cast

from google.protobuf.message import Message

from chaincode.errors import DecodeError
from chaincode.message_rules import query_problem
from chaincode.multisignature import PendingView
from chaincode.protocol.commands_pb2 import Command
from chaincode.protocol.primitive_pb2 import GrantablePermission, Peer, RolePermission
from chaincode.protocol.qry_responses_pb2 import QueryResponse
from chaincode.protocol.queries_pb2 import Query
from chaincode.queries.answer import answer_asker
from chaincode.queries.asker import Asker
from chaincode.queries.view import LedgerView
from chaincode.rules.commands import apply_command
from chaincode.rules.scope import Scope, may_read, reject_no_permission, role_permissions
from chaincode.stateless import validate_commands
from chaincode.world_state import ReadableState, get_balance

Result: TypeAlias = bool | str | list[str]
Charge: TypeAlias = Callable[[int], None]
"""Takes the number of bytes that a function reads or answers; raises where they cannot be paid."""

_IN_ROLES: Final = dict(RolePermission.items())
_GRANTABLE: Final = dict(GrantablePermission.items())
_READ_ASSETS: Final = (
    RolePermission.can_get_my_acc_ast,
    RolePermission.can_get_domain_acc_ast,
    RolePermission.can_get_all_acc_ast,
)
_Call: TypeAlias = Callable[[Scope, Sequence[str], Charge], Result]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFunction:
    """A function of the service contract.

    Attributes:
        parameters: How many texts it takes.
        returns: The type that Solidity gets: `bool`, `string` or `string[]`.
        writes: Whether it is a command.
        call: Runs it. Raises `ChaincodeError` where Iroha refuses.
    """

    parameters: int
    returns: str
    writes: bool
    call: _Call


def _command(name: str, *fields: str) -> ServiceFunction:
    """Return the function that takes the fields of a command, and answers true."""

    def call(scope: Scope, arguments: Sequence[str], _charge: Charge) -> bool:
        command = Command()
        body = getattr(command, name)
        body.SetInParent()
        for field, text in zip(fields, arguments, strict=True):
            _set_field(body, field, text)
        validate_commands([command])
        apply_command(scope, command)
        return True

    return ServiceFunction(parameters=len(fields), returns="bool", writes=True, call=call)


def _set_field(body: Message, field: str, text: str) -> None:
    """Set a field from its text. What cannot be read is refused; irohad takes it for 0."""
    match field:
        case "precision" | "quorum":
            setattr(body, field, _parse_number(text))
        case "permission":
            setattr(body, field, _parse_permission(_GRANTABLE, text))
        case "permissions":
            names = _parse_names(text)
            numbers = [_parse_permission(_IN_ROLES, name) for name in names]
            getattr(body, field).extend(numbers)
        case "check_empty":
            setattr(body, field, _parse_flag(text))
        case "old_value" if text == "":
            pass
        case _:
            setattr(body, field, text)


def _parse_number(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise DecodeError(f"a number of at most nine digits is expected, not {text!r}")
    return int(text)


def _parse_flag(text: str) -> bool:
    # What Go's strconv.ParseBool reads, and nothing for false.
    if text in {"1", "t", "T", "true", "True", "TRUE"}:
        return True
    if text in {"", "0", "f", "F", "false", "False", "FALSE"}:
        return False
    raise DecodeError(f"true or false is expected, not {text!r}")


def _parse_permission(permissions: Mapping[str, int], text: str) -> int:
    if text not in permissions:
        raise DecodeError(f"there is no permission {text!r}")
    return permissions[text]


def _parse_names(text: str) -> list[str]:
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DecodeError("a JSON list of names is expected")
    return names


def _query(
    name: str,
    *fields: str,
    read: Callable[[QueryResponse], Result],
    returns: str = "string",
) -> ServiceFunction:
    """Return the function that takes the fields of a query.

    Args:
        name: The query.
        fields: Its fields.
        read: What of the answer the contract gets.
        returns: Its type in Solidity.
    """

    def call(scope: Scope, arguments: Sequence[str], charge: Charge) -> Result:
        payload = Query.Payload()
        body = getattr(payload, name)
        body.SetInParent()
        for field, text in zip(fields, arguments, strict=True):
            setattr(body, field, text)
        if (problem := query_problem(payload)) is not None:
            raise DecodeError(str(problem))
        view = _MeteredView(scope.state, charge)
        held = role_permissions(view, scope.creator)
        # No query here reads the chain, nor what waits for signatures.
        asker = Asker(cast("LedgerView", view), cast("PendingView", None), scope.creator, held)
        return read(answer_asker(asker, payload))

    return ServiceFunction(parameters=len(fields), returns=returns, writes=False, call=call)


def _get_asset_balance(scope: Scope, arguments: Sequence[str], _charge: Charge) -> str:
    account_id, asset_id = arguments
    held = role_permissions(scope.state, scope.creator)
    if not may_read(held, scope.creator, account_id, _READ_ASSETS):
        reject_no_permission(f"read the assets of {account_id}")
    return str(get_balance(scope.state, account_id, asset_id))


class _MeteredView:
    """The state in the middle of a block, for queries that pay by the byte."""

    def __init__(self, state: ReadableState, charge: Charge) -> None:
        self._state = state
        self._charge = charge

    def get(self, key: bytes) -> bytes | None:
        value = self._state.get(key)
        self._charge(len(value or b""))
        return value

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        for key, value in self._state.scan(prefix, start):
            self._charge(len(key) + len(value))
            yield key, value


def _read_account(response: QueryResponse) -> str:
    account = response.account_response.account
    shown = {"account_id": account.account_id, "domain_id": account.domain_id}
    return _json({**shown, "quorum": account.quorum, "json_data": account.json_data})


def _read_asset(response: QueryResponse) -> str:
    asset = response.asset_response.asset
    shown: dict[str, object] = {"asset_id": asset.asset_id, "domain_id": asset.domain_id}
    # Go leaves out what is 0.
    return _json({**shown, "precision": asset.precision} if asset.precision else shown)


def _read_role(response: QueryResponse) -> str:
    return _json(list(response.role_permissions_response.permissions))


def _read_peers(response: QueryResponse) -> str:
    return _json([_shown_peer(peer) for peer in response.peers_response.peers])


def _shown_peer(peer: Peer) -> dict[str, object]:
    certificate = None
    if peer.HasField("tls_certificate"):
        certificate = {"TlsCertificate": peer.tls_certificate}
    return {"address": peer.address, "peer_key": peer.peer_key, "Certificate": certificate}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


SERVICE_FUNCTIONS: Final[Mapping[str, ServiceFunction]] = MappingProxyType(
    {
        "addAssetQuantity": _command("add_asset_quantity", "asset_id", "amount"),
        "addSignatory": _command("add_signatory", "account_id", "public_key"),
        "appendRole": _command("append_role", "account_id", "role_name"),
        "compareAndSetAccountDetail": _command(
            "compare_and_set_account_detail",
            *("account_id", "key", "value", "old_value", "check_empty"),
        ),
        "createAccount": _command("create_account", "account_name", "domain_id", "public_key"),
        "createAsset": _command("create_asset", "asset_name", "domain_id", "precision"),
        "createDomain": _command("create_domain", "domain_id", "default_role"),
        "createRole": _command("create_role", "role_name", "permissions"),
        "detachRole": _command("detach_role", "account_id", "role_name"),
        "getAccount": _query("get_account", "account_id", read=_read_account),
        "getAccountDetail": _query(
            "get_account_detail",
            read=lambda response: response.account_detail_response.detail,
        ),
        "getAssetBalance": ServiceFunction(
            parameters=2, returns="string", writes=False, call=_get_asset_balance
        ),
        "getAssetInfo": _query("get_asset_info", "asset_id", read=_read_asset),
        "getPeers": _query("get_peers", read=_read_peers),
        "getRolePermissions": _query("get_role_permissions", "role_id", read=_read_role),
        "getRoles": _query(
            "get_roles",
            read=lambda response: list(response.roles_response.roles),
            returns="string[]",
        ),
        "getSignatories": _query(
            "get_signatories",
            "account_id",
            read=lambda response: list(response.signatories_response.keys),
            returns="string[]",
        ),
        "grantPermission": _command("grant_permission", "account_id", "permission"),
        "removeSignatory": _command("remove_signatory", "account_id", "public_key"),
        "revokePermission": _command("revoke_permission", "account_id", "permission"),
        "setAccountDetail": _command("set_account_detail", "account_id", "key", "value"),
        "setAccountQuorum": _command("set_account_quorum", "account_id", "quorum"),
        "subtractAssetQuantity": _command("subtract_asset_quantity", "asset_id", "amount"),
        "transferAsset": _command(
            "transfer_asset",
            *("src_account_id", "dest_account_id", "asset_id", "description", "amount"),
        ),
    }
)
"""By their names in Solidity. Of what irohad offers, a contract cannot change peers, since the
ledger must know before a block who will sign it, nor read blocks and transactions, since a peer
need not have the past to decide the present."""

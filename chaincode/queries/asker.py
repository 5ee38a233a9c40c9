"""Who asks, what it may read, and the refusals that it gets, in irohad's words."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NoReturn, TypeAlias, TypeVar

from google.protobuf.message import Message

from chaincode.errors import QueryCode, QueryRejectedError
from chaincode.multisignature import PendingView
from chaincode.protocol.primitive_pb2 import RolePermission
from chaincode.protocol.qry_responses_pb2 import ErrorResponse
from chaincode.queries.view import LedgerView
from chaincode.rules.scope import may_read, role_permissions
from chaincode.world_state import get_account

MAX_RESPONSE_BYTES: Final = 128 * 1024 * 1024
"""What irohad's gRPC sends at most."""
NO_PERMISSION: Final = 2
_WRONG_SIGNATORY: Final = 3
_PREFIX: Final = "failed to execute query: "

Reach: TypeAlias = tuple[RolePermission, RolePermission, RolePermission]
"""The permissions to read of one's own account, of one's domain's, of everybody's."""
_M = TypeVar("_M", bound=Message)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks.

    Attributes:
        view: The state that is read.
        pending: Knows what waits for signatures.
        account_id: The creator of the query.
        permissions: Its role permissions.
    """

    view: LedgerView
    pending: PendingView
    account_id: str
    permissions: frozenset[int]

    def has(self, *permissions: RolePermission) -> bool:
        """Tell whether the creator has one of these role permissions, or `root`."""
        return not self.permissions.isdisjoint((*permissions, RolePermission.root))

    def require(self, *permissions: RolePermission) -> None:
        """Refuse the query where the creator has none of these role permissions."""
        if not self.has(*permissions):
            refuse(NO_PERMISSION, missing_permissions(permissions))

    def require_read(self, account_id: str, reach: Reach) -> None:
        """Refuse the query where the creator may not read of this account."""
        if not may_read(self.permissions, self.account_id, account_id, reach):
            own, domain, everybody = reach
            refuse(NO_PERMISSION, missing_permissions((own, everybody, domain)))


def identify(view: LedgerView, pending: PendingView, account_id: str, signatory: str) -> Asker:
    """Return the creator of a query that was signed by this key.

    Raises:
        QueryRejectedError: The key is no signatory of it.
    """
    account = get_account(view, account_id)
    if account is None or signatory not in account.signatories:
        raise QueryRejectedError(
            ErrorResponse.STATEFUL_INVALID,
            _WRONG_SIGNATORY,
            "query signatories did not pass validation",
        )
    return Asker(view, pending, account_id, role_permissions(view, account_id))


def missing_permissions(permissions: Iterable[RolePermission]) -> str:
    """Return the sentence that names the permissions of which one is needed."""
    names = "".join(f"{RolePermission.Name(permission)}, " for permission in permissions)
    return f"user must have at least one of the permissions: {names}"


def refuse(code: int, what: str) -> NoReturn:
    """Refuse a query that this creator, or this state, has no answer for."""
    raise QueryRejectedError(ErrorResponse.STATEFUL_INVALID, code, _PREFIX + what)


def refuse_missing(reason: int, what: str) -> NoReturn:
    """Refuse a query about something that is not there; `reason` says what it is."""
    raise QueryRejectedError(reason, 0, what)


def refuse_size(advice: str) -> NoReturn:
    """Refuse an answer that is too large to send; `advice` says what to ask instead."""
    refuse(QueryCode.TOO_LARGE, f"the answer has more than {MAX_RESPONSE_BYTES} bytes; {advice}")


def limit_size(messages: Iterable[_M], advice: str) -> Iterator[_M]:
    """Yield the messages while they fit into one answer; refuse the query when they do not."""
    size = 0
    for message in messages:
        size += message.ByteSize()
        if size > MAX_RESPONSE_BYTES:
            refuse_size(advice)
        yield message

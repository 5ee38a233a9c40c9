"""Answers to queries: permissioned reads of a committed state."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Protocol, TypeAlias

from google.protobuf.message import Message

from chaincode.errors import QueryRejectedError
from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.primitive_pb2 import AccountDetailRecordId, RolePermission
from chaincode.protocol.qry_responses_pb2 import (
    Account,
    AccountDetailResponse,
    AccountResponse,
    BlockResponse,
    ErrorResponse,
    PeersResponse,
    QueryResponse,
    RolePermissionsResponse,
    RolesResponse,
    SignatoriesResponse,
    TransactionsResponse,
)
from chaincode.protocol.queries_pb2 import (
    GetAccount,
    GetAccountDetail,
    GetBlock,
    GetPeers,
    GetRolePermissions,
    GetRoles,
    GetSignatories,
    GetTransactions,
    Query,
)
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.rules.details import READ_DETAIL
from chaincode.rules.scope import may_read, role_permissions
from chaincode.transactions import hash_payload
from chaincode.world_state import (
    StateView,
    detail_key,
    get_account,
    get_peers,
    get_role,
    key_parts,
    state_key,
)

_Reason = ErrorResponse.Reason
_NO_PERMISSION: Final = 2
_WRONG_SIGNATORY: Final = 3
_READ_ACCOUNT: Final = (
    RolePermission.can_get_my_account,
    RolePermission.can_get_domain_accounts,
    RolePermission.can_get_all_accounts,
)
_READ_SIGNATORIES: Final = (
    RolePermission.can_get_my_signatories,
    RolePermission.can_get_domain_signatories,
    RolePermission.can_get_all_signatories,
)


class LedgerView(StateView, Protocol):
    """A committed state together with the chain that led to it."""

    def block_at(self, height: int) -> Block | None:
        """Return the block at a height, or None above the top."""
        ...

    def transactions(self, hashes: Iterable[bytes]) -> Iterator[tuple[bytes, Transaction]]:
        """Yield (hash, transaction) of those that are committed, in any order.

        Each is a message of its own, which does not keep its block in memory.
        """
        ...

    def count(self, prefix: bytes) -> int:
        """Return how many keys begin with `prefix`, without reading their values."""
        ...


@dataclass(frozen=True, slots=True)
class _Asker:
    """Who asks, and what it may.

    Attributes:
        view: The state that is read.
        account_id: The creator of the query.
        permissions: Its role permissions.
    """

    view: LedgerView
    account_id: str
    permissions: frozenset[int]

    def require(self, *permissions: RolePermission) -> None:
        held = self.permissions
        if RolePermission.root not in held and not held.intersection(permissions):
            _reject_permission(permissions)

    def require_read(
        self,
        account_id: str,
        permissions: tuple[RolePermission, RolePermission, RolePermission],
    ) -> None:
        if not may_read(self.permissions, self.account_id, account_id, permissions):
            _reject_permission(permissions)


def answer_query(view: LedgerView, query: Query, signatory: str) -> QueryResponse:
    """Return the answer to a query of well-checked form, an error answer included.

    Args:
        view: The state that is read.
        query: As `stateless.validate_query` accepted it.
        signatory: The key that signed it, lower-case hex.
    """
    payload = query.payload
    name = payload.WhichOneof("query") or ""
    try:
        asker = _identify(view, payload.meta.creator_account_id, signatory)
        response = _ANSWERS.get(name, _not_supported)(asker, getattr(payload, name))
    except QueryRejectedError as rejection:
        response = error_response(rejection.reason, rejection.code, str(rejection))
    response.query_hash = hash_payload(payload).hex()
    return response


def error_response(reason: int, code: int, message: str) -> QueryResponse:
    """Return an error answer; `reason` is a number of `ErrorResponse.Reason`."""
    error = ErrorResponse(
        reason=_Reason.Name(reason),
        message=message,
        error_code=code,
    )
    return QueryResponse(error_response=error)


def _identify(view: LedgerView, account_id: str, signatory: str) -> _Asker:
    account = get_account(view, account_id)
    if account is None or signatory not in account.signatories:
        raise QueryRejectedError(
            _Reason.STATEFUL_INVALID,
            _WRONG_SIGNATORY,
            f"the query is signed by a key that is no signatory of {account_id}",
        )
    return _Asker(view, account_id, role_permissions(view, account_id))


def _reject_permission(permissions: Iterable[RolePermission]) -> None:
    names = ", ".join(RolePermission.Name(permission) for permission in permissions)
    raise QueryRejectedError(
        _Reason.STATEFUL_INVALID,
        _NO_PERMISSION,
        f"user must have at least one of the permissions: {names}",
    )


def _get_account(asker: _Asker, query: GetAccount) -> QueryResponse:
    asker.require_read(query.account_id, _READ_ACCOUNT)
    account = get_account(asker.view, query.account_id)
    if account is None:
        raise QueryRejectedError(_Reason.NO_ACCOUNT, 0, f"there is no account {query.account_id}")
    details = asker.view.scan(_detail_prefix(query.account_id))
    body = Account(
        account_id=query.account_id,
        domain_id=query.account_id.partition("@")[2],
        quorum=account.quorum,
        json_data=_details_json(details),
    )
    return QueryResponse(
        account_response=AccountResponse(account=body, account_roles=account.roles)
    )


def _get_signatories(asker: _Asker, query: GetSignatories) -> QueryResponse:
    asker.require_read(query.account_id, _READ_SIGNATORIES)
    account = get_account(asker.view, query.account_id)
    if account is None:
        raise QueryRejectedError(
            _Reason.NO_SIGNATORIES, 0, f"there is no account {query.account_id}"
        )
    return QueryResponse(signatories_response=SignatoriesResponse(keys=account.signatories))


def _get_account_detail(asker: _Asker, query: GetAccountDetail) -> QueryResponse:
    account_id = query.account_id if query.HasField("account_id") else asker.account_id
    asker.require_read(account_id, READ_DETAIL)
    if get_account(asker.view, account_id) is None:
        raise QueryRejectedError(_Reason.NO_ACCOUNT_DETAIL, 0, f"there is no account {account_id}")
    return QueryResponse(account_detail_response=_detail_page(asker.view, account_id, query))


def _detail_page(
    view: LedgerView, account_id: str, query: GetAccountDetail
) -> AccountDetailResponse:
    """Return one page of details, or all of them where the query has no page size."""
    page = query.pagination_meta
    first = b""
    if page.HasField("first_record_id"):
        first = detail_key(account_id, page.first_record_id.writer, page.first_record_id.key)
    entries: Iterator[tuple[bytes, bytes]]
    if query.HasField("key"):
        named = list(_details_named(view, account_id, query))
        total = len(named)
        entries = (entry for entry in named if entry[0] >= first)
    else:
        prefix = _detail_prefix(account_id)
        if query.HasField("writer"):
            prefix = detail_key(account_id, query.writer, "")
        total = view.count(prefix)
        entries = view.scan(prefix, first)
    size = page.page_size or total
    found = list(islice(entries, size + 1))
    if first and (not found or found[0][0] != first):
        raise QueryRejectedError(_Reason.STATEFUL_INVALID, 4, "there is no such first record")
    response = AccountDetailResponse(detail=_details_json(found[:size]), total_number=total)
    if len(found) > size:
        writer, key = key_parts(found[size][0])[1:]
        response.next_record_id.CopyFrom(AccountDetailRecordId(writer=writer, key=key))
    return response


def _details_named(
    view: LedgerView, account_id: str, query: GetAccountDetail
) -> Iterator[tuple[bytes, bytes]]:
    """Yield the details of one name: of the query's writer, or of each writer, ascending."""
    writers = [query.writer] if query.HasField("writer") else _writers(view, account_id)
    for writer in writers:
        key = detail_key(account_id, writer, query.key)
        value = view.get(key)
        if value is not None:
            yield key, value


def _writers(view: LedgerView, account_id: str) -> Iterator[str]:
    """Yield who wrote details of an account: one read for each, however many details there are."""
    prefix = start = _detail_prefix(account_id)
    while entry := next(view.scan(prefix, start), None):
        writer = key_parts(entry[0])[1]
        yield writer
        # Behind all of this writer's keys, which go on with NUL.
        start = prefix + writer.encode() + b"\x01"


def _get_block(asker: _Asker, query: GetBlock) -> QueryResponse:
    asker.require(RolePermission.can_get_blocks)
    block = asker.view.block_at(query.height)
    if block is None:
        raise QueryRejectedError(
            _Reason.STATEFUL_INVALID, 3, f"there is no block at height {query.height} yet"
        )
    return QueryResponse(block_response=BlockResponse(block=block))


def _get_transactions(asker: _Asker, query: GetTransactions) -> QueryResponse:
    asker.require(RolePermission.can_get_my_txs, RolePermission.can_get_all_txs)
    reads_all = asker.permissions & {RolePermission.can_get_all_txs, RolePermission.root}
    hashes = [bytes.fromhex(tx_hash) for tx_hash in query.tx_hashes]
    count = 0
    shown: dict[bytes, Transaction] = {}
    for tx_hash, transaction in asker.view.transactions(dict.fromkeys(hashes)):
        count += 1
        # As irohad: the transactions of others are left out without a word.
        if reads_all or transaction.payload.reduced_payload.creator_account_id == asker.account_id:
            shown[tx_hash] = transaction
    if count < len(hashes):
        raise QueryRejectedError(
            _Reason.STATEFUL_INVALID, 4, "a transaction is not committed, or is asked for twice"
        )
    transactions = [shown[tx_hash] for tx_hash in hashes if tx_hash in shown]
    return QueryResponse(transactions_response=TransactionsResponse(transactions=transactions))


def _get_roles(asker: _Asker, _query: GetRoles) -> QueryResponse:
    asker.require(RolePermission.can_get_roles)
    roles = [key_parts(key)[0] for key, _ in asker.view.scan(state_key(b"role", ""))]
    return QueryResponse(roles_response=RolesResponse(roles=roles))


def _get_role_permissions(asker: _Asker, query: GetRolePermissions) -> QueryResponse:
    asker.require(RolePermission.can_get_roles)
    permissions = get_role(asker.view, query.role_id)
    if permissions is None:
        raise QueryRejectedError(_Reason.NO_ROLES, 0, f"there is no role {query.role_id}")
    names = [RolePermission.Name(number) for number in sorted(permissions)]
    body = RolePermissionsResponse(permissions=names)
    return QueryResponse(role_permissions_response=body)


def _get_peers(asker: _Asker, _query: GetPeers) -> QueryResponse:
    asker.require(RolePermission.can_get_peers)
    return QueryResponse(peers_response=PeersResponse(peers=get_peers(asker.view)))


def _not_supported(_asker: _Asker, query: Message) -> QueryResponse:
    name = query.DESCRIPTOR.name
    raise QueryRejectedError(_Reason.NOT_SUPPORTED, 0, f"{name} is not supported by this node yet")


_Answer: TypeAlias = Callable[[_Asker, Any], QueryResponse]
_ANSWERS: Final[Mapping[str, _Answer]] = {
    "get_account": _get_account,
    "get_account_detail": _get_account_detail,
    "get_block": _get_block,
    "get_peers": _get_peers,
    "get_role_permissions": _get_role_permissions,
    "get_roles": _get_roles,
    "get_signatories": _get_signatories,
    "get_transactions": _get_transactions,
}


def _detail_prefix(account_id: str) -> bytes:
    return state_key(b"detail", account_id) + b"\x00"


def _details_json(entries: Iterable[tuple[bytes, bytes]]) -> str:
    """Return `{ "writer" : { "key" : "value" } }`, writers and keys ascending.

    irohad puts a value between quotes as it is, so its clients escape quotes themselves. A value
    that is JSON text in that form stays as it is; any other is escaped, where irohad's JSON breaks.
    """
    writers: dict[str, list[str]] = {}
    for key, value in entries:
        _, writer, name = key_parts(key)
        writers.setdefault(writer, []).append(f'"{name}" : {_quoted(value.decode())}')
    bodies = [f'"{writer}" : {{ {", ".join(items)} }}' for writer, items in writers.items()]
    return f"{{ {', '.join(bodies)} }}" if bodies else "{}"


def _quoted(value: str) -> str:
    as_it_is = f'"{value}"'
    try:
        json.loads(as_it_is)
    except ValueError:
        return json.dumps(value, ensure_ascii=False)
    return as_it_is

"""Accounts: who they are and whose keys sign for them."""

from typing import Final

from chaincode.ids import domain_of
from chaincode.protocol.primitive_pb2 import RolePermission
from chaincode.protocol.qry_responses_pb2 import (
    Account,
    AccountResponse,
    ErrorResponse,
    QueryResponse,
    SignatoriesResponse,
)
from chaincode.protocol.queries_pb2 import GetAccount, GetSignatories
from chaincode.queries.asker import Asker, Reach, refuse_missing
from chaincode.queries.details import all_details_json
from chaincode.world_state import get_account

_READ_ACCOUNT: Final[Reach] = (
    RolePermission.can_get_my_account,
    RolePermission.can_get_domain_accounts,
    RolePermission.can_get_all_accounts,
)
READ_SIGNATORIES: Final[Reach] = (
    RolePermission.can_get_my_signatories,
    RolePermission.can_get_domain_signatories,
    RolePermission.can_get_all_signatories,
)


def answer_account(asker: Asker, query: GetAccount) -> QueryResponse:
    """Answer `GetAccount`: all details of the account come along."""
    asker.require_read(query.account_id, _READ_ACCOUNT)
    account = get_account(asker.view, query.account_id)
    if account is None:
        refuse_missing(
            ErrorResponse.NO_ACCOUNT, f"could find account with such id: {query.account_id}"
        )
    body = Account(
        account_id=query.account_id,
        domain_id=domain_of(query.account_id),
        quorum=account.quorum,
        json_data=all_details_json(asker.view, query.account_id),
    )
    return QueryResponse(
        account_response=AccountResponse(account=body, account_roles=account.roles)
    )


def answer_signatories(asker: Asker, query: GetSignatories) -> QueryResponse:
    """Answer `GetSignatories`."""
    asker.require_read(query.account_id, READ_SIGNATORIES)
    account = get_account(asker.view, query.account_id)
    if account is None:
        refuse_missing(
            ErrorResponse.NO_SIGNATORIES,
            f"no signatories found in account with such id: {query.account_id}",
        )
    return QueryResponse(signatories_response=SignatoriesResponse(keys=account.signatories))

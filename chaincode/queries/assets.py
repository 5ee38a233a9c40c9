"""Assets and who has how much of them."""

from itertools import islice
from typing import Final

from chaincode.ids import asset_domain_of
from chaincode.protocol.primitive_pb2 import RolePermission
from chaincode.protocol.qry_responses_pb2 import (
    AccountAsset,
    AccountAssetResponse,
    Asset,
    AssetResponse,
    ErrorResponse,
    QueryResponse,
)
from chaincode.protocol.queries_pb2 import GetAccountAssets, GetAssetInfo
from chaincode.queries.asker import Asker, Reach, limit_size, refuse, refuse_missing
from chaincode.world_state import count_balances, get_precision, scan_balances

_READ_BALANCES: Final[Reach] = (
    RolePermission.can_get_my_acc_ast,
    RolePermission.can_get_domain_acc_ast,
    RolePermission.can_get_all_acc_ast,
)
_ADVICE: Final = "ask with GetAccountAssets and a smaller page_size in its pagination_meta"


def answer_account_assets(asker: Asker, query: GetAccountAssets) -> QueryResponse:
    """Answer `GetAccountAssets`. Codes: 4 the account never had the first asset.

    An account that does not exist has nothing, as in irohad.
    """
    asker.require_read(query.account_id, _READ_BALANCES)
    page = query.pagination_meta
    total = count_balances(asker.view, query.account_id)
    balances = (
        AccountAsset(asset_id=asset_id, account_id=query.account_id, balance=str(balance))
        for asset_id, balance in scan_balances(asker.view, query.account_id, page.first_asset_id)
    )
    found = list(limit_size(islice(balances, page.page_size or total), _ADVICE))
    if page.HasField("first_asset_id") and not (found and found[0].asset_id == page.first_asset_id):
        refuse(4, query.account_id)
    response = AccountAssetResponse(account_assets=found, total_number=total)
    following = next(balances, None)
    if following is not None:
        response.next_asset_id = following.asset_id
    return QueryResponse(account_assets_response=response)


def answer_asset_info(asker: Asker, query: GetAssetInfo) -> QueryResponse:
    """Answer `GetAssetInfo`."""
    asker.require(RolePermission.can_read_assets)
    precision = get_precision(asker.view, query.asset_id)
    if precision is None:
        refuse_missing(
            ErrorResponse.NO_ASSET,
            "no asset with such name in account with such id: "
            f"{{{query.asset_id}, {asker.account_id}}}",
        )
    asset = Asset(
        asset_id=query.asset_id, domain_id=asset_domain_of(query.asset_id), precision=precision
    )
    return QueryResponse(asset_response=AssetResponse(asset=asset))

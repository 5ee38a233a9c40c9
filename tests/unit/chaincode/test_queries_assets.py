"""GetAccountAssets and GetAssetInfo: balances as text, and pages of them."""

import pytest
from support.memory_ledger import MemoryLedger
from support.queries import ask, refusal, with_permissions
from support.small_ledger import (
    ALICE,
    BOB,
    NOBODY,
    ROOT,
    add_quantity,
    committed,
    create_asset,
    subtract_quantity,
)

from chaincode.protocol.primitive_pb2 import RolePermission as P
from chaincode.protocol.qry_responses_pb2 import AccountAssetResponse, Asset
from chaincode.protocol.queries_pb2 import AssetPaginationMeta

# Ascending as bytes: `#` comes before every letter.
BALANCES = [("coin#d", "29.75"), ("coin2#d", "0.00"), ("gold#e", "1.125"), ("unit#d", "7")]


@pytest.fixture
def ledger() -> MemoryLedger:
    """Alice may read all; root has four assets, one of them all spent."""
    ledger = with_permissions(P.can_get_all_acc_ast)
    for asset_id, precision in (("gold#e", 3), ("unit#d", 0), ("coin2#d", 2), ("coin#d", 2)):
        committed(ledger.submit(ROOT, create_asset(asset_id, precision)))
    committed(
        ledger.submit(
            ROOT,
            add_quantity("coin#d", "50"),
            subtract_quantity("coin#d", "20.25"),
            add_quantity("gold#e", "1.125"),
            add_quantity("unit#d", "7."),
            add_quantity("coin2#d", "01.50"),
            subtract_quantity("coin2#d", "1.5"),
        )
    )
    return ledger


def page(ledger: MemoryLedger, account_id: str, **meta: object) -> AccountAssetResponse:
    fields = {"pagination_meta": AssetPaginationMeta(**meta)} if meta else {}  # type: ignore[arg-type]
    response = ask(ledger, "get_account_assets", account_id=account_id, **fields)
    assert response.HasField("account_assets_response"), response
    return response.account_assets_response


def shown(response: AccountAssetResponse) -> list[tuple[str, str]]:
    assert {asset.account_id for asset in response.account_assets} <= {ROOT}
    return [(asset.asset_id, asset.balance) for asset in response.account_assets]


def test_all_balances_without_pages(ledger: MemoryLedger) -> None:
    response = page(ledger, ROOT)
    assert shown(response) == BALANCES
    assert response.total_number == 4
    assert not response.HasField("next_asset_id")


@pytest.mark.parametrize("account_id", [BOB, NOBODY])
def test_an_account_without_assets_and_nobody_have_none(
    ledger: MemoryLedger, account_id: str
) -> None:
    assert page(ledger, account_id) == AccountAssetResponse()
    assert page(ledger, account_id, page_size=2) == AccountAssetResponse()


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 2**32 - 1])
def test_pages_join_to_the_whole(ledger: MemoryLedger, size: int) -> None:
    response = page(ledger, ROOT, page_size=size)
    found = shown(response)
    while response.HasField("next_asset_id"):
        assert len(response.account_assets) == size
        response = page(ledger, ROOT, page_size=size, first_asset_id=response.next_asset_id)
        assert response.total_number == 4
        found += shown(response)
    assert found == BALANCES


@pytest.mark.parametrize(
    ("account_id", "first"), [(ROOT, "nope#d"), (ROOT, "zinc#d"), (BOB, "coin#d")]
)
def test_a_first_asset_that_is_not_there(ledger: MemoryLedger, account_id: str, first: str) -> None:
    meta = AssetPaginationMeta(page_size=2, first_asset_id=first)
    response = ask(ledger, "get_account_assets", account_id=account_id, pagination_meta=meta)
    assert refusal(response) == ("STATEFUL_INVALID", 4, f"failed to execute query: {account_id}")


def test_asset_info() -> None:
    ledger = with_permissions(P.can_read_assets)
    committed(ledger.submit(ROOT, create_asset("fine#e", 255)))
    response = ask(ledger, "get_asset_info", asset_id="fine#e").asset_response
    assert response.asset == Asset(asset_id="fine#e", domain_id="e", precision=255)
    assert refusal(ask(ledger, "get_asset_info", asset_id="nope#d")) == (
        "NO_ASSET",
        0,
        f"no asset with such name in account with such id: {{nope#d, {ALICE}}}",
    )

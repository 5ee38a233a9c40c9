"""What a wallet lets gateways do on its account, and until when."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.grant_world import GrantWorld
from support.presentation_world import GATEWAY, HOLDER

from client_sdk.errors import TransactionFailedError
from client_sdk.ledger.commands import set_account_detail
from client_sdk.wallet.records import StoredGrant

DAY_MS = 86_400_000


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GrantWorld]:
    made = GrantWorld(tmp_path)
    yield made
    made.close()


def show(world: GrantWorld, verifier: str = "city", *, grant_seconds: int = 600) -> StoredGrant:
    with world.verifier(verifier) as asking:
        created = asking.ask(["address"], purpose="Certificate", grant_seconds=grant_seconds)
        world.consent(world.wallet.presentation.read_request(created.link))
        assert asking.result(created.request_id).state == "accepted"
    return world.wallet.grants.made[-1]


def may_write(world: GrantWorld) -> bool:
    """Tell whether the gateway can write whatever it likes to the holder's account."""
    try:
        world.ledger.client(GATEWAY).submit(set_account_detail(HOLDER, "x", "y"))
    except TransactionFailedError:
        return False
    return True


def test_a_gateway_may_write_no_longer_than_a_grant_names_it(world: GrantWorld) -> None:
    first, second = show(world), show(world, "bank")
    world.wallet.grants.revoke(first.grant_id)
    assert may_write(world)
    world.wallet.grants.revoke(second.grant_id)
    assert not may_write(world)
    # A new grant lets it write again.
    show(world)
    assert may_write(world)


def test_a_grant_that_has_expired_lets_nobody_write(world: GrantWorld) -> None:
    show(world)
    later = show(world, "bank", grant_seconds=3 * 86_400)
    world.wait(DAY_MS)
    world.wallet.grants.revoke(later.grant_id)
    assert not may_write(world)


def test_a_permission_that_was_lost_already_keeps_nothing_from_being_revoked(
    world: GrantWorld,
) -> None:
    grant = show(world)
    world.wallet.grants.revoke(grant.grant_id)
    with pytest.raises(TransactionFailedError):
        world.wallet.grants.revoke(grant.grant_id)
    assert world.wallet.grants.state(grant.grant_id).state == "revoked"
    assert world.wallet._session.contents.receipt_writers == ()

"""What is done in the background goes on where it broke off."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from support.grant_world import GrantWorld

from client_sdk.errors import RequestError
from client_sdk.wallet import Wallet
from node.wallet.errands import Revoke, Share
from node.wallet.jobs import Job, Jobs
from node.wallet.keeper import WalletKeeper

DEADLINE_S = 30


class LentWallet:
    """A keeper whose wallet is always open."""

    def __init__(self, wallet: Wallet) -> None:
        self._wallet = wallet

    @contextmanager
    def use(self) -> Iterator[Wallet]:
        yield self._wallet


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GrantWorld]:
    made = GrantWorld(tmp_path)
    yield made
    made.close()


def share(world: GrantWorld, link: str) -> Share:
    return Share(
        keeper=cast(WalletKeeper, LentWallet(world.wallet)),
        pending=world.wallet.presentation.read_request(link),
        beyond_registration=True,
        done=lambda _redirect: "/done",
    )


def wait_until(job: Job, state: str) -> None:
    while job.state != state:
        assert not job.is_over(within_s=0.01) or job.state == state, job


def test_an_answer_whose_receipt_stands_was_taken_though_nobody_said_so(world: GrantWorld) -> None:
    with world.verifier() as city:
        created = city.ask(["address"], purpose="Certificate of residence")
        work = share(world, created.link)
        world.wallet_line.is_cut = True
        job = Jobs().start("Showing", work, back="/")
        wait_until(job, "waiting")
        world.wallet_line.is_cut = False
        assert job.is_over(within_s=DEADLINE_S)
        assert (job.state, job.target) == ("done", "/done")
        assert city.result(created.request_id).state == "accepted"
    assert len(world.wallet.grants.made) == 1


def test_an_answer_that_was_refused_at_once_is_told_as_refused(
    world: GrantWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world.verifier() as city:
        created = city.ask(["address"], purpose="Certificate of residence")
        first, second = share(world, created.link), share(world, created.link)
        jobs = Jobs()
        assert jobs.start("Showing", first, back="/").is_over(within_s=DEADLINE_S)
        job = jobs.start("Showing", second, back="/")
        assert job.is_over(within_s=DEADLINE_S)
        assert job.state == "failed"
        assert isinstance(job.problem, RequestError)


def test_a_grant_that_is_revoked_already_is_no_error(world: GrantWorld) -> None:
    with world.verifier() as city:
        created = city.ask(["address"], purpose="Certificate of residence")
        world.consent(world.wallet.presentation.read_request(created.link))
    grant = world.wallet.grants.made[-1].grant_id
    keeper: Any = LentWallet(world.wallet)
    for _ in range(2):
        job = Jobs().start("Revoking", Revoke(keeper=keeper, grant_id=grant), back="/")
        assert job.is_over(within_s=DEADLINE_S)
        assert job.state == "done"
    assert world.wallet.grants.state(grant).state == "revoked"

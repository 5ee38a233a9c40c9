"""The consent page: an answer is given once."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support.grant_world import GrantWorld
from support.logins import token_of

from client_sdk.wallet import Wallet
from client_sdk.wallet.consent import PendingRequest
from node.wallet.app import create_app
from node.wallet.consent_form import apply_choices, digest_of
from node.wallet.desk import Desk, Suggestions
from node.wallet.devices import Devices
from node.wallet.keeper import WalletKeeper

ORIGIN = "http://wallet.localhost:1"
DEADLINE_S = 30


class LentKeeper(WalletKeeper):
    """Lends a wallet that is always open."""

    def __init__(self, path: Path, wallet: Wallet) -> None:
        super().__init__(path)
        self._wallet = wallet

    @contextmanager
    def use(self) -> Iterator[Wallet]:
        yield self._wallet

    def touch(self) -> None:
        pass


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GrantWorld]:
    made = GrantWorld(tmp_path)
    yield made
    made.close()


@pytest.fixture
def desk(world: GrantWorld, tmp_path: Path) -> Desk:
    keeper = LentKeeper(tmp_path / "lent", world.wallet)
    return Desk(keeper, Devices(tmp_path / "devices"), suggestions=Suggestions())


def paired_browser(app: Flask, desk: Desk) -> FlaskClient:
    browser = app.test_client()
    code = desk.devices.new_code()
    form = {"code": code, "csrf_token": token_of(browser.get(f"/pair?code={code}", ORIGIN))}
    assert browser.post("/pair", ORIGIN, data=form).status_code == 303
    return browser


@pytest.mark.parametrize("decision", ["share", "decline"])
def test_who_answers_twice_at_the_same_moment_answers_once(
    world: GrantWorld, desk: Desk, decision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(desk, origin=ORIGIN)
    first, second = paired_browser(app, desk), paired_browser(app, desk)
    with world.verifier() as city:
        created = city.ask(["address"], purpose="Certificate of residence")
        pending = world.wallet.presentation.read_request(created.link)
        key = desk.requests.add(pending)
        path = f"/requests/{key}"
        token = {browser: token_of(browser.get(path, ORIGIN)) for browser in (first, second)}

        def answer(browser: FlaskClient) -> int:
            form = {"decision": decision, "listed": digest_of(pending), "beyond": "yes"}
            form["csrf_token"] = token[browser]
            return browser.post(path, ORIGIN, data=form).status_code

        def apply_late(asked: PendingRequest, form: Mapping[str, str]) -> PendingRequest:
            """Both have found the request when the other one is answered."""
            monkeypatch.setattr("node.wallet.consent_pages.apply_choices", apply_choices)
            assert answer(second) == 303
            return apply_choices(asked, form)

        monkeypatch.setattr("node.wallet.consent_pages.apply_choices", apply_late)
        assert answer(first) == 409
        for job in desk.jobs.under_way():
            assert job.is_over(within_s=DEADLINE_S)
        assert len(world.wallet.grants.made) == (decision == "share")

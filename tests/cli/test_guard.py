"""The commands of guard and recovery against running services."""

import json
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from support.command_line import run_inside
from support.moments import let_pass

from client_sdk.errors import GuardRefusedError, ServiceRefusedError
from client_sdk.issuer.client import IssuerClient
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.guard_commands import open_recovery
from client_sdk.sealing.vault import CHEAPEST
from client_sdk.wallet import Wallet
from node.cli.demo.town import Town
from node.cli.network import Network

pytestmark = pytest.mark.xdist_group("town")

ISSUER = "aoba_city@issuer"
ENV = {"TEGATA_PASSPHRASE": "a passphrase for this test"}
FIRST, SECOND = "1" * 32, "2" * 32
NEW = AccountKey(b"n" * 32)


class Desk:
    """A resident's wallet, and an escrow account that a test speaks for."""

    def __init__(self, town: Town, folder: Path) -> None:
        self.town = town
        self.wallet = folder / "wallet"
        self.escrow = f"agents_{token_hex(4)}@holder"
        key = AccountKey.generate()
        with Network(town.ledger_folder) as network:
            network.create_account(self.escrow, key.public_key)
        passphrase = ENV["TEGATA_PASSPHRASE"]
        with (
            IssuerClient(town.issuer_url, town.operator_token) as city,
            Wallet.create(self.wallet, passphrase, profile=CHEAPEST) as made,
        ):
            made.register(town.issuer_url, city.enrol(), torii=town.torii)
            self.account, self.key = made.account.account_id, made.public_key
        self.agents = LedgerClient(town.torii, self.escrow, key)

    def holder(self, verb: str, *words: str, refused: bool = False) -> Any:
        result = run_inside("wallet", verb, str(self.wallet), *words, "--json", env=ENV)
        if refused:
            assert result.exit_code != 0
            return result.exception
        assert result.exit_code == 0, (result.exception, result.output)
        return json.loads(result.stdout)

    def issuer(self, verb: str, *words: str) -> Any:
        options = ("--issuer", self.town.issuer_url, "--json")
        env = {"TEGATA_OPERATOR_TOKEN": self.town.operator_token}
        result = run_inside("issuer", verb, *words, *options, env=env)
        return result.exception or json.loads(result.stdout)

    def guard(self, delay_hours: str = "72") -> Any:
        options = ("--escrow", self.escrow, "--issuer", ISSUER, "--delay-hours", delay_hours)
        return self.holder("guard", *options)

    def open(self, record_id: str) -> None:
        keys = {"new_key": NEW.public_key, "lost_key": self.key}
        self.agents.submit(open_recovery(self.account, record_id, **keys))

    def approve(self, record_id: str, new_key: str = NEW.public_key) -> Any:
        keys = ("--new-key", new_key, "--lost-key", self.key)
        return self.issuer("approve-recovery", self.account, record_id, *keys)


@pytest.fixture
def desk(town: Town, tmp_path: Path) -> Desk:
    return Desk(town, tmp_path)


def test_a_guard_is_set_and_shown(desk: Desk) -> None:
    bare = desk.holder("recoveries")
    assert "none stands" in bare["guard"]
    assert desk.guard()["delay_hours"] == 72
    shown = desk.holder("recoveries")
    assert (shown["guard"], shown["escrow"], shown["issuer"]) == ("stands", desk.escrow, ISSUER)
    assert (shown["delay_hours"], shown["keys"], shown["recovery"]) == (72, [desk.key], None)


def test_a_recovery_is_shown_and_vetoed(desk: Desk) -> None:
    desk.guard()
    desk.open(FIRST)
    shown = desk.holder("recoveries")
    assert (shown["recovery"], shown["state"]) == (FIRST, "open")
    assert (shown["new_key"], shown["lost_key"]) == (NEW.public_key, desk.key)
    assert FIRST in shown["next"]
    assert desk.holder("veto", FIRST) == {"recovery": FIRST, "state": "vetoed"}
    assert desk.holder("recoveries")["state"] == "vetoed"
    desk.open(SECOND)
    assert "counter" in desk.holder("recoveries")["next"]
    assert isinstance(desk.holder("veto", SECOND, refused=True), GuardRefusedError)


def test_the_counter_approves_a_recovery(desk: Desk) -> None:
    desk.guard()
    desk.open(FIRST)
    refused = desk.approve(FIRST, new_key="ab" * 32)
    assert isinstance(refused, ServiceRefusedError)
    assert "other keys" in str(refused)
    approved = desk.approve(FIRST)
    assert NEW.public_key in approved["approved"]
    refused = desk.holder("veto", FIRST, refused=True)
    assert "approved in person" in str(refused)


def test_a_guard_is_lifted_in_two_steps(desk: Desk) -> None:
    desk.guard(delay_hours="0.0002")
    assert desk.holder("changes") == []
    announced = desk.holder("lift-guard")
    assert announced["guard"] == "will be lifted"
    (change,) = desk.holder("changes")
    assert change["change"] == "lift the guard"
    assert change["state"] in {"waits", "ready"}
    with Wallet.open(desk.wallet, ENV["TEGATA_PASSPHRASE"]) as holder:
        (waiting,) = holder.guard.state().changes
    let_pass(waiting.window.matures_at_ms)
    assert desk.holder("changes")[0]["state"] == "ready"
    assert desk.holder("lift-guard") == {"guard": "lifted"}
    assert "none stands" in desk.holder("recoveries")["guard"]


def test_a_holder_leaves_agents_who_collude_by_way_of_the_counter(desk: Desk) -> None:
    desk.guard()
    desk.open(FIRST)
    desk.holder("veto", FIRST)
    desk.open(SECOND)
    command = desk.holder("lift-guard")["change_to_approve"]
    assert desk.holder("recoveries")["recovery"] == SECOND
    approved = desk.issuer("approve-change", desk.account, command)
    assert approved == {"account": desk.account, "approved": "lift the guard"}
    desk.holder("lift-guard")
    assert desk.holder("recoveries")["recovery"] is None
    (change,) = desk.holder("changes")
    assert (change["change"], change["state"]) == ("lift the guard", "waits")

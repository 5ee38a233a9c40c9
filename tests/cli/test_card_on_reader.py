"""A My Number card on this machine's reader: it signs, and is read at the counter."""

import base64
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self

import pytest
import structlog
from click.testing import Result
from support.card_world import CardWorld
from support.command_line import run_inside
from support.issuer_world import OPERATOR_TOKEN, IssuerWorld
from support.resident_wallet import make_wallet_at, served_issuer
from support.virtual_card import (
    ADDRESS,
    NAME,
    NUMBER_B,
    PASSWORD,
    PIN,
    PORTRAIT,
    Authority,
    VirtualCard,
)

from client_sdk.wallet import Wallet

PASSPHRASE = "pass"


class Town:
    """A city that takes cards, a resident's wallet, and her card on the reader."""

    def __init__(self, world: IssuerWorld, card: VirtualCard, folder: Path) -> None:
        self.world, self.card = world, card
        self.url, self.wallet = world.config.public_url, folder / "wallet"
        make_wallet_at(world, self.wallet, passphrase=PASSPHRASE)

    def receive(self, link: str, *more: str, **secrets: str) -> Result:
        environment = {"TEGATA_PASSPHRASE": PASSPHRASE, **secrets}
        return run_inside("wallet", "receive", str(self.wallet), link, *more, env=environment)

    def offer(self, command: str, *more: str, **secrets: str) -> Result:
        options = ("--issuer", self.url, "--token", OPERATOR_TOKEN, "--no-qr", "--json")
        return run_inside("issuer", command, *options, *more, env=secrets)

    def attributes(self) -> Any:
        with Wallet.open(self.wallet, PASSPHRASE) as holder:
            (credential,) = holder.credentials
            return holder.attributes(credential.record_id)


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    authority = Authority()
    with served_issuer(
        lambda url: CardWorld(tmp_path, authority, self_service="on", public_url=url)
    ) as world:
        made = Town(world, VirtualCard(authority), tmp_path)

        class Reader:
            """Stands for pyscard, which needs a reader's driver to build."""

            def transmit(self, command: bytes) -> bytes:
                return made.card.transmit(command)

            def __enter__(self) -> Self:
                return self

            def __exit__(
                self,
                exc_type: type[BaseException] | None,
                exc: BaseException | None,
                traceback: TracebackType | None,
            ) -> None:
                pass

        pcsc = ModuleType("client_sdk.card.pcsc")
        vars(pcsc)["PcscTransport"] = Reader
        monkeypatch.setitem(sys.modules, "client_sdk.card.pcsc", pcsc)
        monkeypatch.setattr(time, "time_ns", lambda: made.world.clock() * 1_000_000)
        # The service's log would stand in the command's output.
        with structlog.testing.capture_logs():
            yield made


def test_card_alone_gets_its_holders_credential(town: Town) -> None:
    done = town.receive(town.url, "--card", TEGATA_CARD_PASSWORD=PASSWORD)
    assert done.exit_code == 0, done.output
    assert "reader" in done.stderr
    assert town.attributes()["address"] == ADDRESS


def test_offer_to_a_card_is_taken_by_it(town: Town) -> None:
    made = town.offer("offer-to-card", "--card-portrait", TEGATA_CARD_NUMBER_B=NUMBER_B)
    assert made.exit_code == 0, made.output
    offer = json.loads(made.stdout)
    done = town.receive(
        offer["offer"],
        "--card",
        "--tx-code",
        offer["tx_code"],
        TEGATA_CARD_PASSWORD=PASSWORD,
    )
    assert done.exit_code == 0, done.output
    shown = town.attributes()
    assert shown["name"] == NAME
    assert base64.b64decode(shown["portrait"].partition(",")[2]) == PORTRAIT


def test_counter_reads_the_card(town: Town) -> None:
    typed = ("--municipality", "仙台市")
    made = town.offer("offer", "--card", *typed, TEGATA_CARD_PIN=PIN)
    assert made.exit_code == 0, made.output
    offer = json.loads(made.stdout)
    done = town.receive(offer["offer"], "--tx-code", offer["tx_code"])
    assert done.exit_code == 0, done.output
    assert town.attributes()["birth_date"] == "1980-01-31"


def test_wrong_password_leaves_everything_as_it_was(town: Town) -> None:
    done = town.receive(town.url, "--card", TEGATA_CARD_PASSWORD="ABC999")
    assert done.exit_code != 0
    assert "ABC999" not in str(done.exception) + done.output
    with Wallet.open(town.wallet, PASSPHRASE) as holder:
        assert holder.credentials == ()


@pytest.mark.parametrize(
    ("command", "options", "words"),
    [
        ("offer", ("--municipality", "仙台市"), "--card"),
        ("offer", ("--municipality", "仙台市", "--card", "--name", "x"), "leave them out"),
        ("offer-to-card", ("--portrait", "FILE", "--card-portrait"), "either"),
    ],
    ids=["nothing", "both", "two portraits"],
)
def test_command_says_what_does_not_go_together(
    town: Town, command: str, options: tuple[str, ...], words: str
) -> None:
    picture = town.wallet.parent / "face.jpg"
    picture.write_bytes(b"")
    given = [str(picture) if option == "FILE" else option for option in options]
    done = town.offer(command, *given)
    assert done.exit_code == 2
    assert words in done.output


def test_without_the_extra_the_command_says_what_to_install(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "client_sdk.card.pcsc", None)
    done = town.receive(town.url, "--card")
    assert done.exit_code == 1
    assert "tegata[card]" in done.output


def test_another_issuer_sees_no_card_without_an_offer(town: Town) -> None:
    done = town.receive("https://stranger.example", "--card", TEGATA_CARD_PASSWORD=PASSWORD)
    assert done.exit_code == 2
    assert "wallet's own" in done.output

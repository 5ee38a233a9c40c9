"""A certified verifier asks for more than it registered: the holder is told, and decides."""

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from support.command_line import run_inside
from support.resident_wallet import resident_wallet
from support.verifier_stand import VerifierStand

from client_sdk.credentials.resident import RESIDENT_CREDENTIAL_TYPE, ResidentAttributes
from client_sdk.errors import OverAskingError
from client_sdk.openid4vp.access_certificate import certify_verifier, load_identity
from client_sdk.openid4vp.verifier_registration import (
    RegisteredCredential,
    Registration,
    sign_registration,
)
from client_sdk.purposes import find_term
from client_sdk.wallet import Wallet
from node.cli.demo.town import Town

pytestmark = pytest.mark.xdist_group("town")

PASSPHRASE = "a passphrase for this test"
RESIDENT = ResidentAttributes(
    name="青葉 花子",
    address="青葉市緑町1-2-3",
    municipality="青葉市",
    birth_date=date(1980, 12, 24),
    sex="2",
)


@pytest.fixture(scope="module")
def file(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wallet with a credential, which trusts the town's access authority."""
    path = tmp_path_factory.mktemp("hanako") / "wallet"
    with resident_wallet(path, town, RESIDENT, passphrase=PASSPHRASE):
        return path


class Shop(VerifierStand):
    """A sake shop that the town's access authority certified and registered to see birth dates."""

    def __init__(self, town: Town, ledger: str) -> None:
        super().__init__(ledger=ledger)
        gateway = town.folder / "gateway"
        authority = load_identity(
            chain_pem=(gateway / "access_authority.crt").read_bytes(),
            key_pem=(gateway / "keys" / "access_authority.key").read_bytes(),
        )
        self.identity = certify_verifier(
            authority,
            name="Sake Shop Yamada",
            url="https://sake.example",
            host="sake.example",
            now=datetime.now(UTC),
            days=1,
        )
        now_s = int(time.time())
        registration = Registration(
            client_id=self.identity.client_id,
            name=self.identity.name,
            purpose=find_term("AgeVerification"),
            words="年齢確認",
            credentials=(
                RegisteredCredential(types=(RESIDENT_CREDENTIAL_TYPE,), paths=(("birth_date",),)),
            ),
            issued_at=now_s,
            expires_at=now_s + 3600,
        )
        self.registration = sign_registration(registration, authority)

    def ask_for(self, *attributes: str, shows_registration: bool = True) -> str:
        """Return the link of a request to verify an age."""
        tokens = (self.registration,) if shows_registration else ()
        offer = self.offer(*attributes, purpose_term=find_term("AgeVerification"))
        return self.ask(*attributes, offer=offer, registrations=tokens)


@pytest.fixture
def shop(town: Town, file: Path) -> Iterator[Shop]:
    with Wallet.open(file, PASSPHRASE) as wallet:
        ledger = wallet.account.ledger_id
    with Shop(town, ledger) as stand:
        yield stand


def test_what_is_registered_is_shown_without_a_word(file: Path, shop: Shop) -> None:
    with Wallet.open(file, PASSPHRASE) as wallet:
        pending = wallet.presentation.read_request(shop.ask_for("birth_date"))
        assert pending.is_verified
        assert pending.exceeding == ()
        wallet.presentation.answer(pending)
    assert len(shop.answers) == 1


@pytest.mark.parametrize("shows_registration", [True, False])
def test_nothing_more_is_sent_or_granted_before_the_holder_says_so(
    file: Path, shop: Shop, shows_registration: bool
) -> None:
    with Wallet.open(file, PASSPHRASE) as wallet:
        before = wallet.grants.made
        link = shop.ask_for("birth_date", "address", shows_registration=shows_registration)
        pending = wallet.presentation.read_request(link)
        expected = ["address"] if shows_registration else ["birth_date", "address"]
        assert [claim.path[0] for claim in pending.exceeding] == expected
        with pytest.raises(OverAskingError, match=r"not registered to ask for: .*address"):
            wallet.presentation.answer(pending)
        assert wallet.grants.made == before
        assert shop.answers == []
        wallet.presentation.answer(pending, beyond_registration=True)
    assert len(shop.answers) == 1


def test_the_command_line_warns_and_asks_twice(file: Path, shop: Shop) -> None:
    env = {"TEGATA_PASSPHRASE": PASSPHRASE}
    link = shop.ask_for("birth_date", "address")
    for options, typed in ((("--yes",), ""), ((), "y\nn\n")):
        refused = run_inside("wallet", "present", file, link, *options, env=env, typed=typed)
        assert isinstance(refused.exception, OverAskingError)
        assert "登録の範囲を超えています" in refused.output
        assert "address" in refused.output
    assert shop.answers == []
    shared = run_inside("wallet", "present", file, link, env=env, typed="y\ny\n")
    assert shared.exit_code == 0, shared.output
    assert len(shop.answers) == 1
    again = shop.ask_for("birth_date", "address")
    options = ("--yes", "--beyond-registration")
    assert run_inside("wallet", "present", file, again, *options, env=env).exit_code == 0

"""The phone is lost, and the account comes back: real processes, and a window of seconds.

The escrow account has one ordinary key here, as one agent would: a signature of several agents
(FROST) is an ordinary one too.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex
from typing import Self

import pytest
from support.moments import let_pass
from support.story_town import canary_resident

from chaincode.protocol.transaction_pb2 import Transaction
from client_sdk.errors import (
    GuardRefusedError,
    HolderBindingError,
    RequestError,
    TransactionFailedError,
)
from client_sdk.http.client import HttpAnswer, HttpClient
from client_sdk.issuer.client import IssuerClient
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.guard_state import GuardState, read_guard_state
from client_sdk.sealing.vault import CHEAPEST, Vault
from client_sdk.verifier.gateway_client import GatewayClient, RequestResult
from client_sdk.wallet import Wallet, WalletSession
from client_sdk.wallet.contents import WalletContents
from node.cli.demo.town import Town
from node.cli.network import Network
from node.config import load_config
from node.issuer.config import IssuerConfig

pytestmark = pytest.mark.xdist_group("town")

PASSPHRASE = "a passphrase for this test"
ISSUER = "aoba_city@issuer"
DELAY_MS = 5_000
"""Long enough that what comes before the end of the window does so on a busy machine too."""


class SoleAgent:
    """Acts for an escrow account with its one key, and reads the ledger as the city's issuer."""

    def __init__(self, town: Town) -> None:
        self.account = f"agents_{token_hex(4)}@holder"
        self._key = AccountKey.generate()
        with Network(town.ledger_folder) as network:
            network.create_account(self.account, self._key.public_key)
        self._escrow = LedgerClient(town.torii, self.account, self._key)
        config = load_config(town.folder / "issuer" / "issuer.toml", IssuerConfig)
        reader_key = AccountKey.load(config.ledger.private_key_file)
        self._reader = LedgerClient(town.torii, ISSUER, reader_key)

    def guard_state(self, account_id: str) -> GuardState:
        return read_guard_state(self._reader, account_id, now_ms=now_ms())

    def sign_transaction(self, transaction: Transaction) -> None:
        self._escrow.sign_transaction(transaction)

    def close(self) -> None:
        self._escrow.close()
        self._reader.close()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class Loss:
    """A resident whose phone is in a thief's hands, and who has bought another one.

    Attributes:
        old: The lost phone, unlocked.
        new: The new one: it holds what the backup held, and a key of its own.
    """

    town: Town
    agent: SoleAgent
    city: IssuerClient
    office: GatewayClient
    old_path: Path
    old: Wallet
    new: Wallet

    def show_address(self, wallet: Wallet) -> RequestResult:
        request = self.office.ask(["address"], purpose="Certificate of residence")
        wallet.presentation.answer(wallet.presentation.read_request(request.link))
        return self.office.wait(request.request_id)

    def wait_for_the_window(self) -> None:
        """Let the guard's delay pass, as the people of this story must."""
        recovery = self.agent.guard_state(self.old.account.account_id).recovery
        assert recovery is not None
        let_pass(recovery.window.matures_at_ms)


@pytest.fixture(scope="module")
def agent(town: Town) -> Iterator[SoleAgent]:
    agent = SoleAgent(town)
    yield agent
    agent.close()


@pytest.fixture
def loss(town: Town, agent: SoleAgent, tmp_path: Path) -> Iterator[Loss]:
    with ExitStack() as stack:
        city = stack.enter_context(IssuerClient(town.issuer_url, town.operator_token))
        office = stack.enter_context(GatewayClient(town.gateway_url, town.api_key))
        old = stack.enter_context(
            Wallet.create(
                tmp_path / "old", PASSPHRASE, trust_anchors=town.trust_anchors, profile=CHEAPEST
            )
        )
        old.register(town.issuer_url, city.enrol(), torii=town.torii)
        offer = city.offer(canary_resident())
        old.issuance.receive(offer.link, tx_code=offer.tx_code)
        old.guard.stand(escrow=agent.account, issuer=ISSUER, delay_ms=DELAY_MS)
        new = stack.enter_context(restored(tmp_path / "old", tmp_path / "new"))
        yield Loss(
            town=town,
            agent=agent,
            city=city,
            office=office,
            old_path=tmp_path / "old",
            old=old,
            new=new,
        )


def restored(old: Path, new: Path) -> Wallet:
    """Return the wallet that a backup gives: everything, and a new key in the lost one's place."""
    contents = WalletContents.from_fields(Vault.open(old, PASSPHRASE).contents)
    contents = replace(contents, seed=AccountKey.generate().seed)
    return Wallet(
        WalletSession(Vault.create(new, PASSPHRASE, contents.to_fields(), profile=CHEAPEST))
    )


def test_the_phone_is_lost_and_the_account_comes_back(loss: Loss) -> None:
    (before,) = loss.new.credentials
    with pytest.raises(HolderBindingError, match="not bound to the wallet's key"):
        loss.show_address(loss.new)

    opened = loss.new.recovery.open(loss.agent)
    with pytest.raises(GuardRefusedError, match="delay has not passed"):
        loss.new.recovery.finish(loss.agent)
    assert opened.lost_key == loss.old.public_key
    # The owner sees it on every device that is left, the thief on hers; while it is open nobody
    # shows anything.
    seen = loss.old.guard.state().recovery
    assert seen == opened
    with pytest.raises(TransactionFailedError):
        loss.show_address(loss.old)

    loss.wait_for_the_window()
    loss.new.recovery.finish(loss.agent)
    assert loss.new.guard.state().signatories == {loss.new.public_key}

    # The credential is bound to the lost key still.
    with pytest.raises(HolderBindingError):
        loss.show_address(loss.new)
    (renewal,) = loss.new.recovery.renew_credentials()
    assert renewal.credential is not None, renewal.problem
    (credential,) = loss.new.credentials
    assert credential == renewal.credential
    assert credential.record_id != before.record_id
    assert loss.new.attributes(credential.record_id)["address"] == canary_resident().address
    assert loss.new.recovery.renew_credentials() == ()

    shown = loss.show_address(loss.new)
    assert shown.attributes == {"address": canary_resident().address}

    # The old phone is refused by the ledger, and its copy of the credential is revoked.
    with pytest.raises(TransactionFailedError, match="signatures validation"):
        loss.show_address(loss.old)
    listed = {issued.record_id: issued.state for issued in loss.city.credentials()}
    assert listed[before.record_id] == "revoked"
    assert listed[credential.record_id] == "active"


def test_a_thief_with_the_phone_vetoes_once_and_gains_a_window(loss: Loss) -> None:
    first = loss.new.recovery.open(loss.agent)
    loss.old.guard.veto(first.record_id)
    with pytest.raises(GuardRefusedError, match="it is over"):
        loss.new.recovery.finish(loss.agent)
    second = loss.new.recovery.open(loss.agent)
    with pytest.raises(GuardRefusedError, match="counter"):
        loss.old.guard.veto(second.record_id)
    loss.wait_for_the_window()
    loss.new.recovery.finish(loss.agent)
    assert loss.new.guard.state().signatories == {loss.new.public_key}


def test_a_thief_cannot_veto_what_the_counter_approved(loss: Loss) -> None:
    opened = loss.new.recovery.open(loss.agent)
    approved = loss.city.approve_recovery(
        loss.old.account.account_id,
        opened.record_id,
        new_key=opened.new_key,
        lost_key=opened.lost_key,
    )
    assert opened.new_key in approved
    with pytest.raises(GuardRefusedError, match="approved in person"):
        loss.old.guard.veto(opened.record_id)
    loss.wait_for_the_window()
    loss.new.recovery.finish(loss.agent)


def test_a_thief_changes_nothing_before_the_owner_comes(loss: Loss) -> None:
    """She announces at once; the owner opens a recovery before the window has passed."""
    lift = loss.old.guard.lift_command()
    loss.old.guard.announce(lift)
    with pytest.raises(GuardRefusedError, match="delay has not passed"):
        loss.old.guard.lift()
    loss.new.recovery.open(loss.agent)
    with pytest.raises(GuardRefusedError, match="recovery or an approved change"):
        loss.old.guard.lift()
    loss.wait_for_the_window()
    with pytest.raises(GuardRefusedError, match="recovery or an approved change"):
        loss.old.guard.lift()
    loss.new.recovery.finish(loss.agent)
    assert loss.new.guard.state().guard is not None


def test_a_presentation_of_an_account_under_recovery_is_refused(loss: Loss) -> None:
    """The grant was made in time; the gateway looks at the account when it gets the answer."""
    request = loss.office.ask(["address"], purpose="Certificate of residence")
    with (
        StartedInTime(loss) as line,
        Wallet.open(loss.old_path, PASSPHRASE, http=line) as old,
    ):
        pending = old.presentation.read_request(request.link)
        with pytest.raises(RequestError):
            old.presentation.answer(pending)
    check = loss.office.result(request.request_id).refusal
    assert check is not None
    assert check.name == "recovery"
    assert "being recovered" in check.detail


class StartedInTime(HttpClient):
    """A line on which a recovery is opened after the grant was made, before the answer arrives."""

    def __init__(self, loss: Loss) -> None:
        super().__init__()
        self._loss = loss

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def post_form(
        self, url: str, form: Mapping[str, str], *, accept: str = "application/json"
    ) -> HttpAnswer:
        if accept == "application/json":
            self._loss.new.recovery.open(self._loss.agent)
        return super().post_form(url, form, accept=accept)

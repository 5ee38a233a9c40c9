"""The story: a resident shows the address, and nothing else, to one ward office."""

import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from client_sdk.credentials.resident import ResidentAttributes
from client_sdk.errors import ClientError
from client_sdk.escrow.recovery import recover
from client_sdk.gateway_client import CreatedRequest, GatewayClient, RequestResult
from client_sdk.http_client import HttpClient
from client_sdk.issuer_client import IssuerClient
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from client_sdk.ledger.commands import add_signatory
from client_sdk.wallet import Wallet
from node.cli.demo.agents import ESCROW_ACCOUNT, THRESHOLD, EscrowAgents
from node.cli.demo.ledger_view import read_entries
from node.cli.demo.stage import Stage
from node.cli.demo.thief import (
    StolenAnswer,
    TappedLine,
    change_value,
    sign_as_stranger,
    steal_answer,
)
from node.cli.demo.town import Town
from node.ledger.genesis import ADMIN_ACCOUNT

PURPOSE: Final = "Certificate of residence"
WINDOW_MS: Final = 2_000


def example_resident() -> ResidentAttributes:
    """Return the person of the story; nobody of this name and address exists."""
    return ResidentAttributes(
        name="手形 花子",
        address="青葉県青葉市緑町三丁目14番15号",
        municipality="青葉市",
        birth_date=date(1990, 4, 1),
        sex="2",
        portrait=(files("node.cli.demo") / "portrait.jpg").read_bytes(),
    )


class Story:
    """One run of the story in a town. Use it as a context."""

    def __init__(
        self,
        town: Town,
        stage: Stage,
        resident: ResidentAttributes,
        *,
        wallet_file: Path,
        passphrase: str,
    ) -> None:
        """Prepare a telling.

        Args:
            town: Where it happens.
            stage: Where it is shown.
            resident: The person.
            wallet_file: The wallet that the person will make.
            passphrase: What the person will open it with.
        """
        self._town = town
        self._stage = stage
        self._resident = resident
        self._wallet_file = wallet_file
        self._passphrase = passphrase
        self._city = IssuerClient(town.issuer_url, town.operator_token)
        self._ward_office = GatewayClient(town.gateway_url, town.api_key)
        admin_key = AccountKey.load(town.ledger_folder / "keys" / f"{ADMIN_ACCOUNT}.priv")
        self._ledger = LedgerClient(town.torii, ADMIN_ACCOUNT, admin_key)
        self._thief = HttpClient()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for client in (self._city, self._ward_office, self._ledger, self._thief):
            client.close()

    def tell(self) -> None:
        """Tell the whole story."""
        self.genesis()
        with Wallet.create(
            self._wallet_file, self._passphrase, trust_anchors=self._town.trust_anchors
        ) as wallet:
            self.enrol(wallet)
            self.issue(wallet)
            self.show_address(wallet)
            self.attack()
            with EscrowAgents(self._town) as agents, self.lose_phone(wallet, agents) as found:
                self.revoke(found)
        self._stage.end()

    def genesis(self) -> None:
        """Chapter 1: what stands at the beginning."""
        self._stage.chapter("Genesis")
        self._stage.tell(
            "ledger",
            "One process, one genesis block. It knows roles and domains, and no person.",
            address=self._town.torii,
            ledger=self._ledger.ledger_id(),
        )
        self._stage.tell(
            "city", "The city's issuer is on the registry.", service=self._town.issuer_url
        )
        self._stage.tell(
            "ward office",
            "The ward office has a certificate and an API key at the gateway.",
            gateway=self._town.gateway_url,
        )

    def enrol(self, wallet: Wallet) -> None:
        """Chapter 2: a wallet, and an account under a random name."""
        self._stage.chapter("A wallet")
        self._stage.tell(
            "resident",
            "A new wallet makes its key; nobody else ever holds it.",
            public_key=wallet.public_key,
        )
        code = self._city.enrol()
        account = wallet.register(self._town.issuer_url, code, torii=self._town.torii)
        self._stage.tell(
            "resident", "Its ledger account has a random name.", account=account.account_id
        )

    def issue(self, wallet: Wallet) -> None:
        """Chapter 3: the city issues a credential, and anchors its salted hash."""
        self._stage.chapter("A credential")
        offer = self._city.offer(self._resident)
        self._stage.tell(
            "city",
            "At the counter, after looking at the card: an offer, and its code on paper.",
            offer=f"{offer.link[:72]}...",
        )
        credential = wallet.receive(offer.link, tx_code=offer.tx_code)
        self._stage.tell(
            "resident",
            "The wallet proves its key and receives an SD-JWT VC (RFC 9901).",
            attributes=", ".join(wallet.attributes(credential.record_id)),
            anchored_as=f"tg_cred_{credential.record_id}",
        )

    def show_address(self, wallet: Wallet) -> None:
        """Chapters 4 and 5: the ward office asks for the address; the resident consents."""
        self._stage.chapter("The ward office asks for the address, and nothing else")
        request = self._ask()
        pending = wallet.read_request(request.link)
        self._stage.consent(pending)
        answer = wallet.present(pending)
        self._stage.tell(
            "resident",
            "Consents: the grant is on the ledger, and one disclosure is sent.",
            grant=f"tg_grant_{answer.grant_id}",
        )
        self._stage.chapter("What the verifier saw, and what the ledger stores")
        result = self._ward_office.wait(request.request_id)
        self._stage.side_by_side(result, read_entries(self._ledger, above=1))
        self._stage.searched("the ledger's files and all logs", self.search_for_values())

    def attack(self) -> None:
        """Chapter 6: a changed disclosure, a replay, and a stranger's wallet."""
        self._stage.chapter("Three attacks")
        first = self._ask()
        stolen = self._steal(first)
        genuine = stolen.presentation
        forged = change_value(genuine, "1-1 Castle Road")
        result = self._send(first, replace(stolen, presentation=forged))
        self._stage.refusal("A disclosure that was changed", result)
        second = self._ask()
        result = self._send(second, replace(self._steal(second), presentation=genuine))
        self._stage.refusal("An answer that was sent before, to another request", result)
        third = self._ask()
        stolen = self._steal(third)
        strange = sign_as_stranger(stolen.presentation)
        result = self._send(third, replace(stolen, presentation=strange))
        self._stage.refusal("A stranger's wallet with a stolen credential", result)

    def lose_phone(self, wallet: Wallet, agents: EscrowAgents) -> Wallet:
        """Chapter 7: the phone is lost, and the account comes back on a new one."""
        self._stage.chapter("The phone is lost")
        password = secrets.token_urlsafe(12) + "Aa1"
        card = wallet.escrow.protect(agents.urls, password, threshold=THRESHOLD)
        wallet.escrow.bind_account()
        wallet.guard.stand(
            escrow=ESCROW_ACCOUNT, issuer=wallet.account.registered_by, delay_ms=WINDOW_MS
        )
        self._stage.tell(
            "resident",
            f"Beforehand: a sealed backup with three agents, any {THRESHOLD} of them are enough, "
            "and a guard on the account's keys.",
            recovery_card=f"handle {card.handle}, and a secret on paper",
            window=f"{WINDOW_MS // 1000} s here, three days in life",
        )
        recovered = recover(card, password, http=self._thief)
        self._wallet_file = self._wallet_file.with_suffix(".new_phone")
        found = Wallet.recover(self._wallet_file, self._passphrase, recovered)
        opened = found.recovery.open(found.escrow.signing_agents(recovered.success_key))
        self._stage.tell(
            "resident",
            "Card and password on a new phone: everything is back, with a new key. The agents sign "
            "that it is to take the lost one's place.",
            opened_as=f"tg_recover_{opened.record_id}",
        )
        hers = add_signatory(wallet.account.account_id, AccountKey.generate().public_key)
        self._say_refusal("adds a key of hers", lambda: wallet.guard.carry_out(hers))
        _wait_until(opened.window.matures_at_ms)
        found.recovery.finish(found.escrow.signing_agents())
        self._stage.tell("ledger", "The window has passed: the new key is in, the lost one out.")
        for renewal in found.recovery.renew_credentials():
            self._stage.tell(
                "city",
                "Revokes the credential of the lost phone, and issues it to the new one.",
                revoked=f"tg_cred_{renewal.replaced}",
            )
        request = self._ask()
        found.present(found.read_request(request.link))
        self._stage.result(self._ward_office.wait(request.request_id))
        request = self._ask()
        self._say_refusal(
            "shows the address", lambda: wallet.present(wallet.read_request(request.link))
        )
        return found

    def _say_refusal(self, what: str, attempt: Callable[[], object]) -> None:
        """Let the thief try something with the lost phone, and say what becomes of it."""
        try:
            attempt()
        except ClientError as error:
            self._stage.tell("thief", f"Has the lost phone, and {what}.", refused=str(error))
        else:
            self._stage.tell("thief", f"Has the lost phone, and {what}: NOT REFUSED")

    def revoke(self, wallet: Wallet) -> None:
        """Chapter 8: the resident revokes a grant; the city revokes the credential."""
        self._stage.chapter("Revocation")
        request = self._ask()
        answer = self._steal(request)
        grant = wallet.grants[-1].grant_id
        wallet.revoke_grant(grant)
        self._stage.tell("resident", "Consented, and takes it back before it arrives.", grant=grant)
        self._stage.refusal("The answer under the revoked grant", self._send(request, answer))
        (credential,) = wallet.credentials
        self._city.change_state(credential.record_id, "revoke")
        self._stage.tell(
            "city", "Revokes the credential.", credential=f"tg_cred_{credential.record_id}"
        )
        request = self._ask()
        result = self._send(request, self._steal(request))
        self._stage.refusal("The revoked credential", result)

    def search_for_values(self) -> dict[str, bool]:
        """Search the ledger's files and all logs for what the credential says."""
        town = self._town
        paths = [path for path in town.ledger_folder.rglob("*") if path.is_file()] + town.logs
        haystack = b"".join(path.read_bytes() for path in paths)
        needles = {
            "name": self._resident.name,
            "address": self._resident.address,
            "municipality": self._resident.municipality,
            "birth date": self._resident.birth_date.isoformat(),
        }
        return {name: needle.encode() in haystack for name, needle in needles.items()}

    def _ask(self) -> CreatedRequest:
        return self._ward_office.ask(["address"], purpose=PURPOSE)

    def _steal(self, request: CreatedRequest) -> StolenAnswer:
        """Let the wallet answer, but keep the answer instead of sending it."""
        line = TappedLine()
        with Wallet.open(self._wallet_file, self._passphrase, http=line) as wallet:
            return steal_answer(wallet, line, request.link)

    def _send(self, request: CreatedRequest, answer: StolenAnswer) -> RequestResult:
        """Send a response to a request, and read what the verifier sees of it."""
        response_uri = f"{self._town.gateway_url}/oid4vp/responses/{request.request_id}"
        self._thief.post_form(response_uri, answer.form())
        return self._ward_office.wait(request.request_id)


def _wait_until(time_ms: int) -> None:
    while (left_ms := time_ms - time.time_ns() // 1_000_000) >= 0:
        time.sleep((left_ms + 1) / 1000)

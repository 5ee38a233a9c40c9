"""Who plays: the resident, the city, the ward office and a thief, with what each of them holds."""

from collections.abc import Callable
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Final, Self

from client_sdk.credentials.resident import ResidentAttributes
from client_sdk.errors import ClientError
from client_sdk.http.client import HttpClient
from client_sdk.issuer.client import IssuerClient
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from client_sdk.verifier.gateway_client import (
    CreatedRequest,
    FaceTestDemand,
    GatewayClient,
    RequestResult,
)
from client_sdk.wallet import Wallet
from node.cli.demo.stage import Stage
from node.cli.demo.thief import (
    StolenAnswer,
    TappedLine,
    steal_answer,
)
from node.cli.demo.town import Town
from node.ledger.genesis import ADMIN_ACCOUNT

PURPOSE: Final = "Certificate of residence"


def example_resident(portrait: bytes | None = None) -> ResidentAttributes:
    """Return the person of the story; nobody of this name and address exists.

    Args:
        portrait: The portrait, JPEG; a drawing where it is left out.
    """
    drawing = files("node.cli.demo") / "portrait.jpg"
    return ResidentAttributes(
        name="手形 花子",
        address="青葉県青葉市緑町三丁目14番15号",
        municipality="青葉市",
        birth_date=date(1990, 4, 1),
        sex="2",
        portrait=drawing.read_bytes() if portrait is None else portrait,
    )


class Cast:
    """The people of one telling, and their connections. Use it as a context."""

    def __init__(
        self,
        town: Town,
        stage: Stage,
        resident: ResidentAttributes,
        *,
        wallet_file: Path,
        passphrase: str,
    ) -> None:
        """Bring them together.

        Args:
            town: Where it happens.
            stage: Where it is shown.
            resident: The person.
            wallet_file: The wallet that the person will make.
            passphrase: What the person will open it with.
        """
        self.town = town
        self.stage = stage
        self.resident = resident
        self.wallet_file = wallet_file
        self.passphrase = passphrase
        self.city = IssuerClient(town.issuer_url, town.operator_token)
        self.ward_office = GatewayClient(town.gateway_url, town.api_key)
        self.shop = GatewayClient(town.gateway_url, town.shop_api_key)
        admin_key = AccountKey.load(town.ledger_folder / "keys" / f"{ADMIN_ACCOUNT}.priv")
        self.ledger = LedgerClient(town.torii, ADMIN_ACCOUNT, admin_key)
        self.thief = HttpClient()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in (self.city, self.ward_office, self.shop, self.ledger, self.thief):
            client.close()

    def ask(self, *, face: FaceTestDemand | None = None) -> CreatedRequest:
        """Let the ward office ask for the address."""
        return self.ward_office.ask(["address"], purpose=PURPOSE, face=face)

    def steal(self, request: CreatedRequest) -> StolenAnswer:
        """Let the wallet answer, but keep the answer instead of sending it."""
        line = TappedLine()
        with Wallet.open(self.wallet_file, self.passphrase, http=line) as wallet:
            return steal_answer(wallet, line, request.link)

    def send(self, request: CreatedRequest, answer: StolenAnswer) -> RequestResult:
        """Send a response to a request, and read what the verifier sees of it."""
        response_uri = f"{self.town.gateway_url}/oid4vp/responses/{request.request_id}"
        self.thief.post_form(response_uri, answer.form())
        return self.ward_office.wait(request.request_id)

    def say_refusal(self, what: str, attempt: Callable[[], object]) -> None:
        """Let the thief try something with the lost phone, and say what becomes of it."""
        try:
            attempt()
        except ClientError as error:
            self.stage.tell("thief", f"Has the lost phone, and {what}.", refused=str(error))
        else:
            self.stage.tell("thief", f"Has the lost phone, and {what}: NOT REFUSED")

    def search_for_values(self) -> dict[str, bool]:
        """Search the ledger's files and all logs for what the credential says."""
        town = self.town
        paths = [path for path in town.ledger_folder.rglob("*") if path.is_file()] + town.logs
        haystack = b"".join(path.read_bytes() for path in paths)
        needles = {
            "name": self.resident.name,
            "address": self.resident.address,
            "municipality": self.resident.municipality,
            "birth date": self.resident.birth_date.isoformat(),
        }
        return {name: needle.encode() in haystack for name, needle in needles.items()}

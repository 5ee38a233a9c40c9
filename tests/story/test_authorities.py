"""Three authorities share an issuer's key: real processes, a real wallet, an ordinary signature."""

from collections.abc import Iterator, Sequence
from datetime import date

import pytest
from jwcrypto.jwk import JWK
from sd_jwt.verifier import SDJWTVerifier
from support.resident_wallet import resident_wallet

from client_sdk.credentials.resident import ResidentAttributes
from client_sdk.errors import TransportError
from client_sdk.issuer.authority_client import group_jwk
from client_sdk.issuer.client import IssuerClient
from client_sdk.verifier.gateway_client import GatewayClient
from client_sdk.wallet import Wallet
from node.cli.demo.free_ports import free_addresses
from node.cli.demo.town import ISSUER_ACCOUNT, ServiceProcess, Town, run
from node.cli.network import Network
from node.threshold.share_file import load_group

pytestmark = pytest.mark.xdist_group("authorities")

NAMES = ("aoba", "izumi", "taihaku")
RESIDENT = ResidentAttributes(
    name="手形 太郎",
    address="青葉市緑町 1-2-3",
    municipality="青葉市",
    birth_date=date(1980, 12, 24),
    sex="1",
)


class TownOfAuthorities(Town):
    """A town whose issuer's key is shared by three authorities, of which two sign."""

    def _issuer_options(self) -> Sequence[str]:
        self.make_key()
        with Network(self.ledger_folder) as network:
            ledger_id = network.ledger_id
        options = ["--group-key", str(self.folder / NAMES[0] / "group.json")]
        self.authorities: dict[str, ServiceProcess] = {}
        for name, listen in zip(NAMES, free_addresses(3), strict=True):
            folder = str(self.folder / name)
            made = run(
                *("authority", "init", folder, "--listen", listen, "--ledger-id", ledger_id),
                *("--issuer-url", self.issuer_url, "--issuer-account", ISSUER_ACCOUNT),
            )
            self.authorities[name] = self._serve("authority", "start", folder)
            token_file = self.folder / f"{name}.token"
            token_file.write_text(made["issuer_token"])
            options += ["--authority", made["identifier"], f"http://{listen}", str(token_file)]
        return options

    def make_key(self) -> None:
        """Do what the three operators do, each in its own shell."""
        told = [self.keygen(name) for name in NAMES]
        fingerprint = told[-1]["fingerprint"]
        while True:
            told = [self.keygen(name, "--fingerprint", fingerprint) for name in NAMES]
            if all("public_key" in each for each in told):
                assert len({each["public_key"] for each in told}) == 1
                return

    def keygen(self, name: str, *options: str) -> dict[str, str]:
        return run(
            *("issuer", "keygen", str(self.folder / name), "--threshold", "2", "--parties", "3"),
            *("--board", str(self.folder / "board"), "--name", name, *options),
        )


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TownOfAuthorities]:
    with TownOfAuthorities(tmp_path_factory.mktemp("authorities")) as town:
        yield town


@pytest.fixture(scope="module")
def city(town: TownOfAuthorities) -> Iterator[IssuerClient]:
    with IssuerClient(town.issuer_url, town.operator_token) as client:
        yield client


@pytest.fixture(scope="module")
def wallet(town: TownOfAuthorities, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wallet]:
    with resident_wallet(tmp_path_factory.mktemp("wallet") / "wallet", town) as wallet:
        yield wallet


def receive(wallet: Wallet, city: IssuerClient) -> str:
    offer = city.offer(RESIDENT)
    return wallet.issuance.receive(offer.link, tx_code=offer.tx_code).text


def test_the_signature_is_an_ordinary_one(
    town: TownOfAuthorities, city: IssuerClient, wallet: Wallet
) -> None:
    credential = receive(wallet, city)
    key = JWK(**group_jwk(load_group(town.folder / "aoba" / "group.json")))
    theirs = SDJWTVerifier(credential, lambda _issuer, _header=None: key)
    assert theirs.get_verified_payload()["address"] == RESIDENT.address

    with GatewayClient(town.gateway_url, town.api_key) as ward_office:
        request = ward_office.ask(["address"], purpose="Certificate of residence")
        wallet.presentation.answer(wallet.presentation.read_request(request.link))
        result = ward_office.wait(request.request_id)
    assert result.attributes == {"address": RESIDENT.address}
    assert all(check.passed for check in result.checks)


def test_one_authority_may_be_down_and_two_may_not(
    town: TownOfAuthorities, city: IssuerClient, wallet: Wallet
) -> None:
    town.authorities["izumi"].stop()
    assert receive(wallet, city)
    town.authorities["aoba"].stop()
    offer = city.offer(RESIDENT)
    with pytest.raises(TransportError, match="HTTP 503"):
        wallet.issuance.receive(offer.link, tx_code=offer.tx_code)
    log = (town.folder / "issuer.log").read_text()
    assert "authorities_unavailable" in log
    assert "2 signers are needed; signer" in log


def test_no_authority_has_the_issuers_key(town: TownOfAuthorities) -> None:
    assert not (town.folder / "issuer" / "keys" / "signing.jwk").exists()
    shares = {(town.folder / name / "share.json").read_text() for name in NAMES}
    assert len(shares) == 3

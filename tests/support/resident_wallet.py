"""Wallets with an account: in a town whose services are processes, or at an issuer in memory."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from support.issuer_world import ISSUER, IssuerWorld
from support.odd_issuer import served

from client_sdk.credentials.resident import ResidentAttributes
from client_sdk.issuer.client import IssuerClient
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import create_account
from client_sdk.sealing.vault import CHEAPEST, Vault
from client_sdk.wallet import Wallet
from client_sdk.wallet.contents import WalletContents
from client_sdk.wallet.records import LedgerAccount

HOLDER: Final = "h4f2@holder"
PASSPHRASE: Final = "a passphrase for this test"


class City(Protocol):
    """What a wallet needs to know of a town: `node.cli.demo.town.Town` has it."""

    issuer_url: str
    operator_token: str
    torii: str

    @property
    def trust_anchors(self) -> str: ...


@contextmanager
def resident_wallet(
    path: Path,
    city: City,
    *residents: ResidentAttributes,
    passphrase: str = PASSPHRASE,
    **node: Any,
) -> Iterator[Wallet]:
    """Make a wallet with an account and a credential for each of some attributes.

    Args:
        path: Its file.
        city: Where it has them from.
        residents: Whom the city's credentials are of.
        passphrase: Opens it again.
        node: Another ledger node than the city's, as `Wallet.register` takes it.
    """
    with (
        IssuerClient(city.issuer_url, city.operator_token) as counter,
        Wallet.create(
            path, passphrase, trust_anchors=city.trust_anchors, profile=CHEAPEST
        ) as wallet,
    ):
        wallet.register(city.issuer_url, counter.enrol(), **{"torii": city.torii, **node})
        for resident in residents:
            offer = counter.offer(resident)
            wallet.issuance.receive(offer.link, tx_code=offer.tx_code)
        yield wallet


@contextmanager
def served_issuer(make: Callable[[str], IssuerWorld]) -> Iterator[IssuerWorld]:
    """Serve an issuer in memory over HTTP; `make` is told its address."""
    worlds: list[IssuerWorld] = []

    def app(environ: dict[str, Any], start: Any) -> Any:
        return worlds[0].app(environ, start)

    with served(app) as url:
        worlds.append(make(url))
        yield worlds[0]
    worlds[0].store.close()


def make_wallet_at(world: IssuerWorld, path: Path, *, passphrase: str = "pass") -> None:
    """Make the file of a wallet with the account `HOLDER`, which an issuer in memory made."""
    key = AccountKey.generate()
    world.ledger.submit("admin@tegata", create_account(HOLDER, key.public_key))
    account = LedgerAccount(
        account_id=HOLDER,
        ledger_id=world.ledger_id,
        torii="memory.invalid:1",
        registered_by=ISSUER,
        issuer_url=world.config.public_url,
    )
    contents = WalletContents(seed=key.seed, trust_anchors="", account=account)
    Vault.create(path, passphrase, contents.to_fields(), profile=CHEAPEST).close()

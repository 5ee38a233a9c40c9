"""An issuer that wallets are vouched for at, and a resident's wallet: over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from support.authorizing import answer_page
from support.issuer_world import ISSUER, IssuerWorld
from support.memory_ledger import START_MS
from support.odd_issuer import served
from support.wallet_provider import Authority

from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import create_account
from client_sdk.sealing.vault import CHEAPEST, Vault
from client_sdk.wallet import Wallet, WalletSession
from client_sdk.wallet.contents import WalletContents
from client_sdk.wallet.provider_key import ProviderKey
from client_sdk.wallet.records import LedgerAccount
from node.issuer.config import KeyAttestations

HOLDER: Final = "h4f2@holder"
AUTHORITY: Final = Authority(START_MS)
DEMAND: Final = KeyAttestations(key_storage=("iso_18045_high", "iso_18045_moderate"))


class HolderAtPage:
    """The holder at the issuer's page, who types what she was given."""

    redirect_uri = "http://127.0.0.1:49152/callback"

    def __init__(self, **typed: str) -> None:
        self.typed = typed
        self.client_id = ""

    def visit(self, url: str) -> str:
        self.client_id = dict(parse_qsl(urlsplit(url).query))["client_id"]
        return answer_page(url, **self.typed)


def provider(world: IssuerWorld, **changes: Any) -> ProviderKey:
    identity = AUTHORITY.certify()
    fields: dict[str, Any] = {
        "signing_key": identity.signing_key,
        "chain": identity.chain,
        "client_id": "https://wallet.example",
        "key_storage": ("iso_18045_moderate",),
        "now_s": lambda: world.clock() // 1000,
        **changes,
    }
    return ProviderKey(**fields)


class Town:
    """An issuer, and a resident's wallet file."""

    def __init__(self, world: IssuerWorld, folder: Path) -> None:
        self.world = world
        self.path, key = folder / "wallet", AccountKey.generate()
        world.ledger.submit("admin@tegata", create_account(HOLDER, key.public_key))
        account = LedgerAccount(
            account_id=HOLDER,
            ledger_id=world.ledger_id,
            torii="memory.invalid:1",
            registered_by=ISSUER,
            issuer_url=world.config.public_url,
        )
        contents = WalletContents(seed=key.seed, trust_anchors="", account=account)
        Vault.create(self.path, "pass", contents.to_fields(), profile=CHEAPEST).close()

    def open(self, made_by: ProviderKey | None, **more: Any) -> Wallet:
        vault = Vault.open(self.path, "pass")
        return Wallet(WalletSession(vault, provider=made_by, now_ms=self.world.clock, **more))


@contextmanager
def town_of(folder: Path, **settings: Any) -> Iterator[Town]:
    worlds: list[IssuerWorld] = []

    def app(environ: dict[str, Any], start: Any) -> Any:
        return worlds[0].app(environ, start)

    (folder / "providers.pem").write_bytes(AUTHORITY.pem)
    with served(app) as url:
        worlds.append(
            IssuerWorld(
                folder,
                public_url=url,
                wallet_providers_file=folder / "providers.pem",
                **settings,
            )
        )
        yield Town(worlds[0], folder)
    worlds[0].store.close()

"""An issuer that wallets are vouched for at, and a resident's wallet: over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from support.authorizing import answer_page
from support.issuer_world import IssuerWorld
from support.memory_ledger import START_MS
from support.resident_wallet import make_wallet_at, served_issuer
from support.wallet_provider import Authority

from client_sdk.sealing.vault import Vault
from client_sdk.wallet import Wallet, WalletSession
from client_sdk.wallet.provider_key import ProviderKey
from node.issuer.config import KeyAttestations

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
        self.path = folder / "wallet"
        make_wallet_at(world, self.path)

    def open(self, made_by: ProviderKey | None, **more: Any) -> Wallet:
        vault = Vault.open(self.path, "pass")
        return Wallet(WalletSession(vault, provider=made_by, now_ms=self.world.clock, **more))


@contextmanager
def town_of(folder: Path, **settings: Any) -> Iterator[Town]:
    providers = folder / "providers.pem"
    providers.write_bytes(AUTHORITY.pem)
    with served_issuer(
        lambda url: IssuerWorld(folder, public_url=url, wallet_providers_file=providers, **settings)
    ) as world:
        yield Town(world, folder)

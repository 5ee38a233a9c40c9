"""The SDK: what runs at the holder's, the issuer's and the verifier's side."""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from client_sdk.issuer import Issuer as Issuer
    from client_sdk.issuer.client import IssuerClient as IssuerClient
    from client_sdk.verifier import Verifier as Verifier
    from client_sdk.verifier.gateway_client import GatewayClient as GatewayClient
    from client_sdk.verifier.standing_client import StandingClient as StandingClient
    from client_sdk.wallet import Wallet as Wallet

_MODULES: Final = {
    "GatewayClient": "client_sdk.verifier.gateway_client",
    "Issuer": "client_sdk.issuer",
    "IssuerClient": "client_sdk.issuer.client",
    "StandingClient": "client_sdk.verifier.standing_client",
    "Verifier": "client_sdk.verifier",
    "Wallet": "client_sdk.wallet",
}


def __getattr__(name: str) -> object:
    # A wallet need not load what an issuer needs, nor a node any of them.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)

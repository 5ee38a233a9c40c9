"""Who vouches for a wallet and for its keys (OpenID4VCI 1.0 appendices D and E, HAIP 1.0)."""

from collections.abc import Sequence
from typing import Protocol

from client_sdk.credentials.jose import Key
from client_sdk.openid4vci.client_attestation import WalletAttestation


class WalletProvider(Protocol):
    """A provider as its wallets reach it. How is between the two: no specification says it."""

    def attest_wallet(self) -> WalletAttestation:
        """Return an attestation of a new key, for one issuer: it is shown to no other."""

    def attest_keys(self, keys: Sequence[Key], nonce: str | None) -> str:
        """Return a key attestation of these keys, with an issuer's nonce."""

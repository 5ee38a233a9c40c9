"""Who vouches for a wallet and for its keys (OpenID4VCI 1.0 appendices D and E, HAIP 1.0)."""

from collections.abc import Sequence
from typing import Protocol

from client_sdk.credentials.jose import Key
from client_sdk.openid4vci.client_attestation import WalletAttestation


class WalletProvider(Protocol):
    """A provider as its wallets reach it. How is between the two: no specification says it."""

    def attest_wallet(self, key: Key) -> WalletAttestation:
        """Return an attestation of a key of the wallet's, for one issuer: no other is shown it.

        Args:
            key: The private key: a new one, or that of a refresh token.
        """

    def attest_keys(self, keys: Sequence[Key], nonce: str | None) -> str:
        """Return a key attestation of these keys, with an issuer's nonce."""

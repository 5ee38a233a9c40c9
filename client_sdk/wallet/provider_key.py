"""A wallet provider whose key is at hand: it vouches for wallets on machines of its own."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from cryptography import x509

from client_sdk.credentials.jose import ES256, Key, algorithm_of
from client_sdk.errors import KeyFormatError
from client_sdk.openid4vci.client_attestation import WalletAttestation, sign_wallet_attestation
from client_sdk.openid4vci.key_attestation import sign_key_attestation
from client_sdk.openid4vp.access_certificate import load_identity

CHAIN_FILE: Final = "provider.crt"
KEY_FILE: Final = "provider.key"
_WALLET_LIFETIME_S: Final = 3600
_KEY_LIFETIME_S: Final = 365 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderKey:
    """A provider as its own wallets have it: a `openid4vci.wallet_provider.WalletProvider`.

    Attributes:
        signing_key: The private key, on P-256.
        chain: Its certificates, its own first, without the trust anchor.
        client_id: The same for all wallets of the provider.
        key_storage: What it says of where keys are kept (section D.2); nothing for nothing.
        user_authentication: What it says of how holders unlock them.
        now_s: The clock: seconds since 1970-01-01 UTC.
    """

    signing_key: Key = field(repr=False)
    chain: tuple[x509.Certificate, ...]
    client_id: str
    key_storage: tuple[str, ...] = ()
    user_authentication: tuple[str, ...] = ()
    now_s: Callable[[], int] = field(default=lambda: int(time.time()), repr=False)

    @classmethod
    def load(cls, folder: Path, *, client_id: str) -> Self:
        """Read `provider.crt` and `provider.key` (PEM) of a folder.

        Raises:
            KeyFormatError: They cannot be read, or are no certificate and its key on P-256.
        """
        try:
            identity = load_identity(
                chain_pem=(folder / CHAIN_FILE).read_bytes(),
                key_pem=(folder / KEY_FILE).read_bytes(),
            )
        except OSError as error:
            raise KeyFormatError(f"{error.filename}: cannot be read: {error.strerror}") from None
        if algorithm_of(identity.signing_key) != ES256:
            raise KeyFormatError(f"{folder / KEY_FILE}: a key on P-256 is expected")
        # HAIP 1.0: the anchor is not sent, and does not sign.
        chain = tuple(link for link in identity.chain if link.issuer != link.subject)
        if chain[:1] != identity.chain[:1]:
            raise KeyFormatError(f"{folder / CHAIN_FILE}: the certificate is self-signed")
        return cls(signing_key=identity.signing_key, chain=chain, client_id=client_id)

    def attest_wallet(self, key: Key) -> WalletAttestation:
        """Return an attestation of a key of the wallet's, for one issuer."""
        attestation = sign_wallet_attestation(
            provider_key=self.signing_key,
            chain=self.chain,
            client_id=self.client_id,
            instance_key=key,
            now_s=self.now_s(),
            lifetime_s=_WALLET_LIFETIME_S,
        )
        return WalletAttestation(attestation=attestation, key=key)

    def attest_keys(self, keys: Sequence[Key], nonce: str | None) -> str:
        """Return a key attestation of these keys, with an issuer's nonce."""
        return sign_key_attestation(
            keys,
            provider_key=self.signing_key,
            chain=self.chain,
            nonce=nonce,
            now_s=self.now_s(),
            lifetime_s=_KEY_LIFETIME_S,
            key_storage=self.key_storage,
            user_authentication=self.user_authentication,
        )

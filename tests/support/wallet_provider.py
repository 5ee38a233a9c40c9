"""A provider of wallets, and the authority that vouches for it."""

from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from client_sdk.credentials.jose import ES256, Key, generate_key
from client_sdk.openid4vci.client_attestation import WalletAttestation, sign_wallet_attestation
from client_sdk.openid4vp.access_certificate import (
    AccessIdentity,
    certify_verifier,
    create_access_authority,
)


class Authority:
    """An authority that certifies keys."""

    def __init__(self, now_ms: int) -> None:
        self.now = datetime.fromtimestamp(now_ms / 1000, tz=UTC)
        self._authority = create_access_authority(name="Test authority", now=self.now)

    @property
    def certificate(self) -> x509.Certificate:
        return self._authority.chain[0]

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def identity(self) -> AccessIdentity:
        """The authority's own key with its self-signed certificate."""
        return self._authority

    def certify(self, name: str = "Wallet provider") -> AccessIdentity:
        url, host = "https://provider.example", "provider.example"
        return certify_verifier(
            self._authority, name=name, url=url, host=host, now=self.now, days=365
        )


class WalletProvider:
    """A provider: it attests the keys of its wallets."""

    def __init__(self, authority: Authority, *, client_id: str = "https://wallet.example") -> None:
        self.identity = authority.certify()
        self.client_id = client_id
        self.now_s = int(authority.now.timestamp())

    def attest(
        self,
        instance_key: Key | None = None,
        *,
        client_id: str | None = None,
        signed_by: Key | None = None,
        chain: Sequence[x509.Certificate] | None = None,
        lifetime_s: int = 86_400,
    ) -> WalletAttestation:
        key = instance_key or generate_key(ES256)
        attestation = sign_wallet_attestation(
            provider_key=signed_by or self.identity.signing_key,
            chain=self.identity.chain if chain is None else chain,
            client_id=self.client_id if client_id is None else client_id,
            instance_key=key,
            now_s=self.now_s,
            lifetime_s=lifetime_s,
        )
        return WalletAttestation(attestation=attestation, key=key)

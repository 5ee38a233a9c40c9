"""What the parts of a wallet share: its file, the account's key, the ledger, HTTP and a clock."""

import time
from collections.abc import Callable

from cryptography import x509

from client_sdk.credentials.jose import ES256, Key, generate_key, key_from_seed
from client_sdk.errors import NotRegisteredError
from client_sdk.http.client import HttpClient
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from client_sdk.openid4vci.issuer_channel import WalletProofs
from client_sdk.openid4vci.signed_metadata import MetadataTrust
from client_sdk.openid4vci.wallet_provider import WalletProvider
from client_sdk.sealing.vault import Vault
from client_sdk.wallet.contents import WalletContents
from client_sdk.wallet.records import LedgerAccount
from client_sdk.wallet.wallet_file import WalletFile


class WalletSession:
    """An open wallet: its file and its connections, shared by its parts."""

    def __init__(
        self,
        vault: Vault,
        *,
        http: HttpClient | None = None,
        timeout_s: float = 15,
        haip: bool = False,
        part: str | None = None,
        provider: WalletProvider | None = None,
        issuer_anchors: tuple[x509.Certificate, ...] = (),
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """Take over an open vault that holds a wallet.

        Args:
            vault: The wallet's file.
            http: How issuers, verifiers and agents are reached.
            timeout_s: How long one call may wait, in seconds.
            haip: Whether it answers only requests of the OpenID4VC High Assurance Interoperability
                Profile 1.0.
            part: The verifier whose part of the wallet is meant; None for the wallet itself.
            provider: Who vouches for the wallet and its keys to issuers that demand it; None where
                nobody does.
            issuer_anchors: The authorities of which one must have signed what an issuer publishes
                of itself (OpenID4VCI 1.0 section 12.2.3); none where its web server's word is
                enough.
            now_ms: The clock: milliseconds since 1970, UTC.

        Raises:
            VaultFormatError: The vault holds something else than a wallet.
        """
        self.file = WalletFile(vault, part=part)
        self.key = AccountKey(self.contents.seed)
        self.http = http or HttpClient(timeout_s=timeout_s)
        self.haip = haip
        self.is_part = part is not None
        self.provider = provider
        self.now_ms = now_ms
        self._vault = vault
        self._given_http = http
        self._issuer_anchors = issuer_anchors
        self._timeout_s = timeout_s
        self._ledger: LedgerClient | None = None

    @property
    def contents(self) -> WalletContents:
        """What the wallet holds now."""
        return self.file.contents

    def update(self, change: Callable[[WalletContents], WalletContents]) -> None:
        """Change what the wallet holds, and save it."""
        self.file.update(change)

    @property
    def account(self) -> LedgerAccount:
        """The wallet's account on the ledger.

        Raises:
            NotRegisteredError: It has none yet.
        """
        account = self.contents.account
        if account is None:
            raise NotRegisteredError("the wallet has no account yet; register it first")
        return account

    @property
    def metadata_trust(self) -> MetadataTrust | None:
        """Who must vouch now for what an issuer publishes of itself; None for nobody."""
        if not self._issuer_anchors:
            return None
        return MetadataTrust(anchors=self._issuer_anchors, now_s=self.now_ms() // 1000)

    def new_proofs(self, key: Key | None = None) -> WalletProofs:
        """Return what the wallet proves itself by to an issuer.

        Args:
            key: The key that a refresh token is bound to; by default a new one, since two issuers
                must not know the wallet again by it. The wallet's provider attests the same key: an
                issuer binds refresh tokens to it as well.
        """
        key = key or generate_key(ES256)
        return WalletProofs(
            now_s=self.now_ms() // 1000,
            dpop_key=key,
            attestation=None if self.provider is None else self.provider.attest_wallet(key),
            trust=self.metadata_trust,
        )

    @property
    def holder_key(self) -> Key:
        """The account's key as the JOSE key that credentials are bound to (ADR 0013)."""
        return key_from_seed(self.key.seed)

    @property
    def ledger(self) -> LedgerClient:
        """A connection to the account's node, made at the first use.

        Raises:
            NotRegisteredError: The wallet has no account yet.
        """
        if self._ledger is None:
            self._ledger = self.connect(self.account)
        return self._ledger

    def connect(self, account: LedgerAccount) -> LedgerClient:
        """Return a new connection to an account's node; its caller closes it."""
        return LedgerClient(
            account.torii,
            account.account_id,
            self.key,
            timeout_s=self._timeout_s,
            root_certificates=account.tls_roots,
        )

    def disconnect(self) -> None:
        """Close the connection to the account's node; the next use makes one anew."""
        ledger, self._ledger = self._ledger, None
        if ledger is not None:
            ledger.close()

    def open_part(self, verifier: str) -> "WalletSession":
        """Return the part of the wallet that one verifier meets, opened like the wallet itself.

        It has connections of its own: who sees one of the wallet's must not see the part's on it.
        """
        return WalletSession(
            self._vault,
            http=self._given_http,
            timeout_s=self._timeout_s,
            haip=self.haip,
            part=verifier,
            provider=self.provider,
            issuer_anchors=self._issuer_anchors,
            now_ms=self.now_ms,
        )

    def close(self) -> None:
        """Close the connections."""
        self.disconnect()
        self.http.close()

"""The holder's wallet: keeps credentials, shows what the holder consents to, revokes grants."""

from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509

from chaincode.encoding import JsonObject
from client_sdk.errors import UnknownCredentialError
from client_sdk.escrow.recovery import RecoveredBackup
from client_sdk.formats import attributes_of
from client_sdk.http.client import HttpClient
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.proofs import ProvenState
from client_sdk.openid4vci.wallet_provider import WalletProvider
from client_sdk.openid4vp.access_certificate import load_certificates
from client_sdk.sealing.vault import INTERACTIVE, KdfProfile, Vault
from client_sdk.tracing import traced
from client_sdk.wallet.account_guard import AccountGuard
from client_sdk.wallet.contents import WalletContents
from client_sdk.wallet.escrow import WalletEscrow, restore_vault
from client_sdk.wallet.grants import WalletGrants
from client_sdk.wallet.history import HistoryEntry, read_history
from client_sdk.wallet.issuance import WalletIssuance
from client_sdk.wallet.ledger_watch import HeaderSources, check_ledger
from client_sdk.wallet.parts import WalletParts
from client_sdk.wallet.presentation import WalletPresentation
from client_sdk.wallet.records import LedgerAccount, StoredCredential
from client_sdk.wallet.recovery import WalletRecovery
from client_sdk.wallet.registration import register, use_node
from client_sdk.wallet.session import WalletSession


class Wallet:
    """A holder's account, credentials and grants, sealed in one file.

    What it does stands by subject: `issuance` gets credentials, `presentation` shows them, `grants`
    are revoked, `escrow` and `recovery` help after a loss, `guard` watches over the account. Use it
    as a context, or call `close`.
    """

    def __init__(self, session: WalletSession) -> None:
        """Take over an open wallet; `create` and `open` are the usual ways.

        Args:
            session: The wallet, or the part of it that one verifier meets.
        """
        self._session = session
        self._parts = WalletParts(session)

    @classmethod
    def create(
        cls,
        path: Path,
        passphrase: str,
        *,
        trust_anchors: str = "",
        profile: KdfProfile = INTERACTIVE,
    ) -> Self:
        """Make a new wallet with a new key.

        Args:
            path: The file to make; it must not exist.
            passphrase: What opens it.
            trust_anchors: Certificates of the authorities that vouch for verifiers, as PEM text.
            profile: How dear guessing the passphrase is.

        Raises:
            VaultError: The file exists or cannot be written.
            KeyFormatError: `trust_anchors` is no PEM text of certificates.
        """
        if trust_anchors:
            load_certificates(trust_anchors.encode())
        contents = WalletContents(seed=AccountKey.generate().seed, trust_anchors=trust_anchors)
        vault = Vault.create(path, passphrase, contents.to_fields(), profile=profile)
        return cls(WalletSession(vault))

    @classmethod
    def open(
        cls,
        path: Path,
        passphrase: str,
        *,
        http: HttpClient | None = None,
        haip: bool = False,
        provider: WalletProvider | None = None,
        issuer_anchors: tuple[x509.Certificate, ...] = (),
    ) -> Self:
        """Open a wallet.

        Args:
            path: The file.
            passphrase: What opens it.
            http: As for `WalletSession`, and so the others.
            haip: Whether only requests by HAIP 1.0 are answered.
            provider: Who vouches for the wallet and its keys.
            issuer_anchors: Who must vouch for what an issuer publishes of itself.

        Raises:
            WrongPassphraseError: The passphrase does not open it.
            VaultFormatError: The file is no wallet.
        """
        vault = Vault.open(path, passphrase)
        return cls(
            WalletSession(
                vault, http=http, haip=haip, provider=provider, issuer_anchors=issuer_anchors
            )
        )

    @classmethod
    def recover(
        cls,
        path: Path,
        passphrase: str,
        recovered: RecoveredBackup,
        *,
        profile: KdfProfile = INTERACTIVE,
    ) -> Self:
        """Make a new wallet, with a new key, from a backup that came back.

        Its credentials are bound to the lost key: they can be read, and are shown again once the
        issuer has issued them anew.

        Args:
            path: The file to make; it must not exist.
            passphrase: What opens it from now on.
            recovered: What `client_sdk.escrow.recovery.recover` got back with card and password.
            profile: How dear guessing the passphrase is.

        Raises:
            VaultError: The file exists or cannot be written.
            VaultFormatError: The backup holds no wallet.
        """
        return cls(WalletSession(restore_vault(path, passphrase, recovered, profile=profile)))

    @property
    def public_key(self) -> str:
        """The account's public key, in the form that Iroha writes."""
        return self._session.key.public_key

    @property
    def is_registered(self) -> bool:
        """Whether the wallet has an account on a ledger."""
        return self._session.contents.account is not None

    @property
    def is_protected(self) -> bool:
        """Whether escrow agents have a backup of it."""
        return self._session.contents.protection is not None

    @property
    def account(self) -> LedgerAccount:
        """The wallet's account on the ledger.

        Raises:
            NotRegisteredError: It has none yet.
        """
        return self._session.account

    @traced("wallet.register")
    def register(
        self,
        issuer_url: str,
        enrolment_code: str,
        *,
        torii: str,
        root_certificates: bytes | None = None,
    ) -> LedgerAccount:
        """Have an account made under a random name.

        Args:
            issuer_url: The service that makes accounts.
            enrolment_code: The code that it gave to the holder, good for one account.
            torii: `host:port` of the ledger node that the wallet is to use.
            root_certificates: The certificates, PEM, that the node's own must lead to: it is spoken
                to over TLS then, else in plain. The wallet keeps them.

        Raises:
            KeyFormatError: `root_certificates` is no PEM text of certificates.
            OfferError: The wallet has an account, the service refused, or the node does not know
                the new account. The same code can be used again.
            TransportError: The service or the node cannot be reached; try again, with the same
                code.
        """
        return register(
            self._session,
            issuer_url,
            enrolment_code,
            torii=torii,
            root_certificates=root_certificates,
        )

    def use_node(self, *, torii: str, root_certificates: bytes | None = None) -> None:
        """Use another node of the same ledger from now on, or the same one over TLS.

        Parts that use the node of the wallet go with it.

        Args:
            torii: As for `register`, and so the other.
            root_certificates: The certificates.

        Raises:
            NotRegisteredError: The wallet has no account yet.
            KeyFormatError: `root_certificates` is no PEM text of certificates.
            OfferError: That node does not know the account; nothing was changed.
            TransportError: It cannot be reached; nothing was changed.
        """
        left = self.account.torii
        moving = [
            session
            for session in self._parts
            if session.contents.account is not None and session.account.torii == left
        ]
        use_node(moving, torii=torii, root_certificates=root_certificates)

    @property
    def credentials(self) -> tuple[StoredCredential, ...]:
        """The credentials, oldest first."""
        return tuple(self._session.contents.credentials.values())

    @property
    def one_time_left(self) -> int:
        """How many one-time credentials can still be shown."""
        now_ms = self._session.now_ms()
        return sum(
            one.is_one_time and not one.is_used and one.expires_at_ms > now_ms
            for one in self.credentials
        )

    def attributes(self, record_id: str) -> JsonObject:
        """Return what a credential says of the holder, by attribute.

        Raises:
            UnknownCredentialError: The wallet holds no such credential.
        """
        credential = self._session.contents.credentials.get(record_id)
        if credential is None:
            raise UnknownCredentialError(f"the wallet holds no credential {record_id}")
        return attributes_of(credential.read())

    @property
    def issuance(self) -> WalletIssuance:
        """How credentials come into the wallet."""
        return WalletIssuance(self._session)

    @property
    def presentation(self) -> WalletPresentation:
        """How verifiers' requests are read and answered."""
        return WalletPresentation(self._parts)

    @property
    def grants(self) -> WalletGrants:
        """The grants that were made with what was shown."""
        return WalletGrants(self._parts)

    @property
    def escrow(self) -> WalletEscrow:
        """The wallet's backups at escrow agents."""
        return WalletEscrow(self._session)

    @property
    def recovery(self) -> WalletRecovery:
        """The recovery of the wallet's account after a loss."""
        return WalletRecovery(self._session)

    @property
    def guard(self) -> AccountGuard:
        """The guard of the wallet's account: set it, watch it, veto, announce changes.

        Raises:
            NotRegisteredError: The wallet has no account yet.
        """
        return AccountGuard(self._session.ledger, now_ms=self._session.now_ms)

    def history(self) -> tuple[HistoryEntry, ...]:
        """Return who saw what, when, why and under which grant, oldest first.

        It is read from the receipts on the ledger and from what the wallet noted itself; where the
        two do not agree the entry says so.

        Raises:
            NotRegisteredError: The wallet has no account yet.
            TransportError: The ledger cannot be reached.
        """
        return read_history(self._parts)

    def check_ledger(self, headers: HeaderSources | None = None) -> ProvenState:
        """Return a proof of the account and of the newest grants, as the ledger has them now.

        The ledger's signed checkpoint, or of a replicated one the header that its peers decided, is
        kept: a history that was changed since is found out.

        Args:
            headers: Where to read the headers of a replicated ledger; without it one peer's word
                counts.

        Raises:
            NotRegisteredError: The wallet has no account yet.
            LedgerForkError: The ledger's history was changed since the wallet last looked.
            ProofError: The node's answer is not proven, or not current.
            QueryFailedError: The ledger does not know the wallet's key any more.
            TransportError: The node cannot be reached, or proves nothing: an irohad does not.
        """
        return check_ledger(self._session, headers)

    @property
    def separated(self) -> tuple[str, ...]:
        """The client identifiers of the verifiers that meet a part of the wallet alone."""
        return self._parts.verifiers

    def meets_part(self, verifier: str) -> bool:
        """Return whether a verifier meets a part of the wallet alone.

        Args:
            verifier: As for `part_for`.
        """
        return self._parts.meeting(verifier) is not self._session

    def part_of(self, verifier: str) -> "Wallet | None":
        """Return the part that is made for a verifier, whether it meets it yet or not.

        Args:
            verifier: As for `part_for`.
        """
        session = self._parts.made_for(verifier)
        return None if session is None else Wallet(session)

    def part_for(self, verifier: str) -> "Wallet":
        """Return the part of the wallet that one verifier alone meets; it is made where none is.

        It has an account, a key, credentials, grants and a history of its own, so that this
        verifier and others share nothing by which they could know the holder again. Register it,
        and receive a credential with it, as with a new wallet. Once it holds one the wallet answers
        this verifier with it, by itself.

        Args:
            verifier: The verifier's client identifier, with its prefix.
        """
        return Wallet(self._parts.separate(verifier))

    def close(self) -> None:
        """Close the connections."""
        self._parts.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

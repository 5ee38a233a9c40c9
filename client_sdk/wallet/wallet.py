"""The holder's wallet: keeps credentials, shows what the holder consents to, revokes grants."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Self

from cryptography import x509

from chaincode.encoding import JsonObject
from chaincode.records import GrantRecord
from client_sdk.didcomm.out_of_band import is_invitation
from client_sdk.errors import (
    EscrowError,
    RequestError,
    UnknownCredentialError,
    UnknownGrantError,
)
from client_sdk.escrow.recovery import RecoveredBackup
from client_sdk.face.demand import FaceTester
from client_sdk.formats import attributes_of
from client_sdk.http_client import HttpClient
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import set_record
from client_sdk.ledger.proofs import ProvenState
from client_sdk.openid4vci.authorization_client import Browser
from client_sdk.openid4vci.token_client import CardProver
from client_sdk.openid4vci.wallet_provider import WalletProvider
from client_sdk.openid4vp.access_certificate import load_certificates
from client_sdk.openid4vp.client import send_refusal
from client_sdk.openid4vp.client_identifier import same_verifier
from client_sdk.openid4vp.consent_record import ConsentRecord
from client_sdk.tracing import traced
from client_sdk.vault import INTERACTIVE, KdfProfile, Vault
from client_sdk.waci.issue_credential import WaciReceiver
from client_sdk.wallet.acceptance import check_offerer, check_received
from client_sdk.wallet.account_guard import AccountGuard
from client_sdk.wallet.consent import PendingRequest
from client_sdk.wallet.escrow import WalletEscrow, restore_vault
from client_sdk.wallet.granting import verify_own_consent, withdraw_permissions
from client_sdk.wallet.history import HistoryEntry, read_history
from client_sdk.wallet.issuance_records import StoredIssuance
from client_sdk.wallet.ledger_watch import HeaderSources, check_ledger
from client_sdk.wallet.offer_review import ReviewedOffer, review_offer
from client_sdk.wallet.presenting import Answer, PreparedAnswer, Presenting, fetch_verified
from client_sdk.wallet.receiving import Receiving
from client_sdk.wallet.recovery import WalletRecovery
from client_sdk.wallet.refresh_records import StoredRefresh
from client_sdk.wallet.registering import register
from client_sdk.wallet.session import WalletSession
from client_sdk.wallet.wallet_records import (
    LedgerAccount,
    StoredCredential,
    StoredGrant,
    WalletContents,
)


class Wallet:
    """A holder's account, credentials and grants, sealed in one file.

    Use it as a context, or call `close`.
    """

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
        """Take over an open vault; `create` and `open` are the usual ways.

        Args:
            vault: Holds the contents that `create` makes.
            http: How issuers and verifiers are reached.
            timeout_s: How long one call may wait, in seconds.
            haip: Whether it answers only requests of the OpenID4VC High Assurance Interoperability
                Profile 1.0.
            part: The verifier whose part is meant, as `part_for` opens it.
            provider: Who vouches for the wallet and its keys to issuers that demand it; None where
                nobody does.
            issuer_anchors: The authorities of which one must have signed what an issuer publishes
                of itself (OpenID4VCI 1.0 section 12.2.3); none where its web server's word is
                enough.
            now_ms: The clock: milliseconds since 1970, UTC.

        Raises:
            VaultFormatError: The vault holds something else than a wallet.
        """
        self._session = WalletSession(
            vault,
            http=http,
            timeout_s=timeout_s,
            now_ms=now_ms,
            part=part,
            provider=provider,
            issuer_anchors=issuer_anchors,
        )
        self._haip = haip
        self._is_part = part is not None

        def open_part(verifier: str) -> Wallet:
            # With connections of its own: who sees one of them must not see the other on it.
            return Wallet(
                vault,
                http=http,
                timeout_s=timeout_s,
                haip=haip,
                part=verifier,
                provider=provider,
                issuer_anchors=issuer_anchors,
                now_ms=now_ms,
            )

        self._open_part = open_part
        self._parts: dict[str, Wallet] = {}

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
        return cls(Vault.create(path, passphrase, contents.to_fields(), profile=profile))

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
            http: How issuers and verifiers are reached.
            haip: As for the constructor.
            provider: As for the constructor.
            issuer_anchors: As for the constructor.

        Raises:
            WrongPassphraseError: The passphrase does not open it.
            VaultFormatError: The file is no wallet.
        """
        return cls(
            Vault.open(path, passphrase),
            http=http,
            haip=haip,
            provider=provider,
            issuer_anchors=issuer_anchors,
        )

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

    @property
    def credentials(self) -> tuple[StoredCredential, ...]:
        """The credentials, oldest first."""
        return tuple(self._session.contents.credentials.values())

    @property
    def grants(self) -> tuple[StoredGrant, ...]:
        """The grants that were made, oldest first. `grant_state` tells which are live."""
        contents = self._session.contents
        made = [contents, *contents.parts.values()]
        grants = [grant for one in made for grant in one.grants.values()]
        return tuple(sorted(grants, key=lambda grant: grant.granted_at_ms))

    @property
    def separated(self) -> tuple[str, ...]:
        """The client identifiers of the verifiers that meet a part of the wallet alone."""
        return tuple(self._session.contents.parts)

    def part_for(self, verifier: str) -> "Wallet":
        """Return the part of the wallet that one verifier alone meets; it is made where none is.

        It has an account, a key, credentials, grants and a history of its own, so that this
        verifier and others share nothing by which they could know the holder again. Register it,
        and receive a credential with it, as with a new wallet. From then on the wallet answers this
        verifier with it, by itself.

        Args:
            verifier: The verifier's client identifier, with its prefix.
        """
        if self._is_part:
            return self
        verifier = self._find_part(verifier) or same_verifier(verifier)
        if verifier not in self._session.contents.parts:
            part = WalletContents(
                seed=AccountKey.generate().seed,
                trust_anchors=self._session.contents.trust_anchors,
            )
            self._session.update(lambda contents: contents.with_part(verifier, part))
        if verifier not in self._parts:
            self._parts[verifier] = self._open_part(verifier)
        return self._parts[verifier]

    @traced("wallet.register")
    def register(self, issuer_url: str, enrolment_code: str, *, torii: str) -> LedgerAccount:
        """Have an account made under a random name.

        Args:
            issuer_url: The service that makes accounts.
            enrolment_code: The code that it gave to the holder, good for one account.
            torii: `host:port` of the ledger node that the wallet is to use.

        Raises:
            OfferError: The wallet has an account, the service refused, or the node does not know
                the new account. The same code can be used again.
            TransportError: The service or the node cannot be reached; try again, with the same
                code.
        """
        return register(self._session, issuer_url, enrolment_code, torii=torii)

    def read_offer(self, link: str) -> ReviewedOffer:
        """Return who offers what, before anything is accepted.

        Args:
            link: As for `receive`.

        Raises:
            NotRegisteredError: The wallet has no account that the credential could name.
            OfferError: The offer cannot be used.
            TransportError: The issuer cannot be reached.
        """
        return review_offer(self._session, link)

    @property
    def issuances(self) -> tuple[StoredIssuance, ...]:
        """The offers that were accepted and whose credentials are not here yet."""
        return tuple(self._session.contents.issuances.values())

    @traced("wallet.receive")
    def receive(
        self,
        offer_link: str,
        *,
        tx_code: str | None = None,
        trusted_issuer: str | None = None,
        credential_format: str | None = None,
        card: CardProver | None = None,
        browser: Browser | None = None,
    ) -> StoredCredential:
        """Fetch the credential that an issuer offers, check it, and keep it.

        Where it breaks off after the issuer took the offer, the same call, or `resume`, goes on:
        the wallet keeps what it needs.

        Args:
            offer_link: `openid-credential-offer://...`, or an invitation of WACI-DIDComm, as
                scanned or pasted.
            tx_code: The transaction code that the issuer gave separately, where it gave one.
            trusted_issuer: The account of the issuer that the holder wants it from; by default the
                one that made the wallet's account.
            credential_format: The format that is wanted; by default the first that is offered.
            card: Lets the holder's My Number card sign, where the issuer wants to see it.
            browser: The holder's: the issuer's page is opened where the offer allows for it.

        Raises:
            NotRegisteredError: The wallet has no account that the credential could name.
            IssuanceDeferredError: The issuer issues later: `resume` then.
            OfferError: The offer cannot be used, the issuer refused, or the credential is of
                another issuer, ledger or account, or of a record that the wallet holds already.
            CardError: The card does not sign.
            VerificationError: The credential is not signed by the issuer, or not for this wallet.
            TransportError: The issuer cannot be reached.
        """
        if is_invitation(offer_link):
            return self._backed_up(
                self._receive_by_waci(
                    offer_link,
                    tx_code=tx_code,
                    trusted_issuer=trusted_issuer,
                    credential_format=credential_format,
                )
            )
        credential = Receiving(self._session).receive(
            offer_link,
            tx_code=tx_code,
            trusted_issuer=trusted_issuer,
            credential_format=credential_format,
            card=card,
            browser=browser,
        )
        return self._backed_up(credential)

    def receive_at(
        self,
        issuer_url: str,
        *,
        browser: Browser,
        trusted_issuer: str | None = None,
        credential_format: str | None = None,
    ) -> StoredCredential:
        """Have a credential of an issuer without an offer: the holder authenticates at its page.

        Args:
            issuer_url: The issuer's identifier.
            browser: The holder's.
            trusted_issuer: As for `receive`, and so the others.
            credential_format: The format that is wanted.

        Raises:
            ClientError: As `receive`.
        """
        return self._backed_up(
            Receiving(self._session).receive_at(
                issuer_url,
                browser,
                trusted_issuer=trusted_issuer,
                credential_format=credential_format,
            )
        )

    def receive_by_card(self, card: CardProver) -> StoredCredential:
        """Have a credential from the service that made the account, by a My Number card alone.

        Args:
            card: Lets the holder's card sign for the issuer.

        Raises:
            ClientError: As `receive`.
        """
        return self._backed_up(Receiving(self._session).receive_by_card(card))

    def resume(self, issuance_id: str) -> StoredCredential:
        """Go on with one of `issuances`; of one-time credentials the first is returned.

        Raises:
            ClientError: As `receive`.
        """
        return self._backed_up(Receiving(self._session).resume(issuance_id)[0])

    def _receive_by_waci(
        self,
        invitation: str,
        *,
        tx_code: str | None,
        trusted_issuer: str | None,
        credential_format: str | None,
    ) -> StoredCredential:
        account, session = self.account, self._session
        receiver = WaciReceiver(
            holder_key=session.holder_key,
            account=account.account_id,
            http=session.http,
            now_ms=session.now_ms,
            check_offerer=partial(check_offerer, account=account, trusted_issuer=trusted_issuer),
        )
        received = receiver.receive(
            invitation, tx_code=tx_code, credential_format=credential_format
        )
        credential = check_received(received, account=account, trusted_issuer=trusted_issuer)
        session.update(lambda contents: contents.with_credential(credential))
        return credential

    def _backed_up(self, credential: StoredCredential) -> StoredCredential:
        # The credential is here, whatever becomes of the backup; `back_up` says what is wrong.
        with suppress(EscrowError):
            self.escrow.back_up()
        return credential

    @traced("wallet.receive_one_time")
    def receive_one_time(
        self,
        offer_link: str,
        *,
        tx_code: str | None = None,
        count: int | None = None,
        trusted_issuer: str | None = None,
        credential_format: str | None = None,
    ) -> tuple[StoredCredential, ...]:
        """Fetch credentials that are each shown once, so that verifiers cannot link them.

        Each is bound to a key of its own and names no account. They are no part of a backup. Where
        it breaks off, it is gone on with as `receive`.

        Args:
            offer_link: As for `receive`, and so the others.
            tx_code: The transaction code.
            count: How many; by default as many as the issuer gives at once.
            trusted_issuer: The account of the issuer that the holder wants them from.
            credential_format: The format that is wanted.

        Raises:
            NotRegisteredError: The wallet has no account that grants could be made with.
            OfferError: The offer cannot be used, the issuer refused, or gives fewer at once.
            VerificationError: A credential is not signed by the issuer, or not for this wallet.
            TransportError: The issuer cannot be reached.
        """
        return Receiving(self._session).receive_one_time(
            offer_link,
            tx_code=tx_code,
            count=count,
            trusted_issuer=trusted_issuer,
            credential_format=credential_format,
        )

    @property
    def refreshes(self) -> tuple[StoredRefresh, ...]:
        """What more credentials are had by without a new offer: refresh tokens of issuers."""
        return tuple(self._session.contents.refreshes.values())

    def refresh(self, refresh_id: str, *, count: int | None = None) -> tuple[StoredCredential, ...]:
        """Fetch the same credentials again (RFC 6749 section 6): more, or with a later end.

        Where it breaks off, it is gone on with by `resume`. A refresh token that the issuer takes
        no more is forgotten. Refresh tokens are no part of a backup.

        Args:
            refresh_id: One of `refreshes`.
            count: How many one-time credentials; by default, and at most, as many as the issuer
                gives at once.

        Raises:
            IssuanceDeferredError: The issuer issues later, or tests the holder's face first.
            OfferError: There is no such refresh token, or the issuer refused.
            VerificationError: A credential is not signed by the issuer, or not for this wallet.
            TransportError: The issuer cannot be reached.
        """
        credentials = Receiving(self._session).refresh(refresh_id, count=count)
        self._backed_up(credentials[0])
        return credentials

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
        return attributes_of(self._credential(record_id).read())

    @traced("wallet.read_request")
    def read_request(self, link: str) -> PendingRequest:
        """Fetch and verify a verifier's request, and find what would answer it. Nothing is shown.

        Args:
            link: `openid4vp://...`, or an invitation of WACI-DIDComm, as scanned or pasted.

        Raises:
            RequestError: The request breaks a rule, or no credential answers it.
            ExpiredError: It is not valid at this time.
            TransportError: It cannot be fetched.
        """
        request, verifier = fetch_verified(self._session, link, haip=self._haip)
        part = self._part(request.request.client_id)
        return replace(part.presenting.find_answer(request), waci=verifier)

    @traced("wallet.present")
    def present(
        self,
        pending: PendingRequest,
        *,
        beyond_registration: bool = False,
        face_tester: FaceTester | None = None,
    ) -> Answer:
        """Answer a request: the holder has consented to exactly what it lists.

        The grant is written to the ledger first; only then are the attributes sent. Where the
        verifier asks for a standing grant, what is shown is sealed to the verifier and left at its
        gateway, which can read none of it.

        Args:
            pending: What the holder was shown.
            beyond_registration: That the holder consents, although the verifier asks for more than
                it is registered for (`pending.exceeding`).
            face_tester: Has the holder's face tested, where the verifier demands it
                (`pending.face`). The portrait of the credential goes to the face service.

        Raises:
            FaceTestRefusedError: The face test was not passed; nothing was sent.
            OverAskingError: It does, and the holder has not consented to that; nothing was sent.
            TransactionFailedError: The ledger refused the grant; nothing was sent.
            RequestError: A one-time credential was shown meanwhile, and nothing was sent; or the
                verifier refused the answer. The grant stays then: revoke it or ask anew.
            TransportError: Ledger or verifier cannot be reached.
        """
        return self.send_answer(
            self.prepare_answer(
                pending, beyond_registration=beyond_registration, face_tester=face_tester
            )
        )

    def prepare_answer(
        self,
        pending: PendingRequest,
        *,
        beyond_registration: bool = False,
        face_tester: FaceTester | None = None,
    ) -> PreparedAnswer:
        """Return the answer that `present` would send; nothing is written or sent yet.

        Args:
            pending: As for `present`.
            beyond_registration: As for `present`.
            face_tester: As for `present`.

        Raises:
            OverAskingError: As `present`.
            FaceTestRefusedError: As `present`.
            RequestError: A one-time credential was shown meanwhile.
            NotRegisteredError: A grant is asked for, and there is no account.
        """
        presenting = self._part(pending.request.request.client_id).presenting
        return presenting.prepare(
            pending, beyond_registration=beyond_registration, face_tester=face_tester
        )

    def send_answer(self, prepared: PreparedAnswer) -> Answer:
        """Grant and send what was prepared; where it broke off, the same call goes on.

        Raises:
            TransactionFailedError: The ledger refused the grant; nothing was sent.
            RequestError: The verifier refused the answer. The grant stays then: revoke it.
            TransportError: Ledger or verifier cannot be reached: send the same again.
        """
        return self._part(prepared.verifier).presenting.send(prepared)

    def refuse(self, error: RequestError) -> None:
        """Tell a verifier that its request is not answered, and by which code; nothing is shown.

        Of `access_denied` it learns that the wallet has not what it asked for: the holder decides.

        Args:
            error: What `read_request` raised.

        Raises:
            RequestError: The verifier does not take the answer.
            TransportError: The verifier cannot be reached.
        """
        send_refusal(error, http=self._session.http)

    def decline(self, pending: PendingRequest) -> None:
        """Tell the verifier that the holder does not consent. Nothing is shown.

        Raises:
            RequestError: The verifier does not take the answer.
            TransportError: The verifier cannot be reached.
        """
        self._part(pending.request.request.client_id).presenting.decline(pending)

    def grant_state(self, grant_id: str) -> GrantRecord:
        """Return a grant as the ledger holds it now.

        Raises:
            UnknownGrantError: The wallet made no such grant, or the ledger does not hold it.
            TransportError: The ledger cannot be reached.
        """
        maker = self._maker_of(grant_id)
        if maker is not self:
            return maker.grant_state(grant_id)
        record = self._session.ledger.record(self.account.account_id, grant_id, GrantRecord)
        if record is None:
            raise UnknownGrantError(f"the ledger holds no grant {grant_id}")
        return record

    @traced("wallet.revoke_grant")
    def revoke_grant(self, grant_id: str) -> None:
        """Revoke a grant for good: from the next block on nothing is shown under it.

        Raises:
            UnknownGrantError: The wallet made no such grant.
            TransactionFailedError: The ledger refused, as it does where it is revoked already.
            TransportError: The ledger cannot be reached.
        """
        maker = self._maker_of(grant_id)
        if maker is not self:
            maker.revoke_grant(grant_id)
            return
        revoked = replace(self.grant_state(grant_id), state="revoked")
        self._session.ledger.submit(set_record(self.account.account_id, grant_id, revoked))
        withdraw_permissions(self._session)

    def consent_record(self, grant_id: str) -> ConsentRecord:
        """Return the signed record of the consent to a grant (ISO/IEC TS 27560:2023), verified.

        The verifier has the same record. Its own half, the signed request, stands in the grant
        (`request_object`).

        Raises:
            UnknownGrantError: The wallet made no such grant.
            ConsentError: The record is not of this grant's terms.
        """
        maker = self._maker_of(grant_id)
        if maker is not self:
            return maker.consent_record(grant_id)
        return verify_own_consent(self._session.contents.grants[grant_id])

    def history(self) -> tuple[HistoryEntry, ...]:
        """Return who saw what, when, why and under which grant, oldest first.

        It is read from the receipts on the ledger and from what the wallet noted itself; where the
        two do not agree the entry says so.

        Raises:
            NotRegisteredError: The wallet has no account yet.
            TransportError: The ledger cannot be reached.
        """
        entries = [*read_history(self._session)]
        for part in map(self.part_for, self.separated):
            if part.is_registered:
                entries += part.history()
        return tuple(sorted(entries, key=lambda entry: entry.at_ms or 0))

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
        return cls(restore_vault(path, passphrase, recovered, profile=profile))

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
    def escrow(self) -> WalletEscrow:
        """The wallet's backups at escrow agents."""
        return WalletEscrow(self._session)

    @property
    def presenting(self) -> Presenting:
        """The answers of the wallet itself, or of the part that this is."""
        return Presenting(self._session)

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

    def close(self) -> None:
        """Close the connections."""
        for part in self._parts.values():
            part.close()
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _part(self, verifier: str) -> "Wallet":
        return self.part_for(verifier) if self._find_part(verifier) else self

    def _find_part(self, verifier: str) -> str | None:
        """Return the name of a verifier's part, whichever way its identifier is spelled."""
        same = same_verifier(verifier)
        return next((name for name in self.separated if same_verifier(name) == same), None)

    def _maker_of(self, grant_id: str) -> "Wallet":
        """Return the wallet or the part that made a grant."""
        if grant_id in self._session.contents.grants:
            return self
        for verifier, part in self._session.contents.parts.items():
            if grant_id in part.grants:
                return self.part_for(verifier)
        raise UnknownGrantError(f"the wallet made no grant {grant_id}")

    def _credential(self, record_id: str) -> StoredCredential:
        credential = self._session.contents.credentials.get(record_id)
        if credential is None:
            raise UnknownCredentialError(f"the wallet holds no credential {record_id}")
        return credential

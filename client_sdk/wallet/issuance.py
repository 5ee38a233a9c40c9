"""How a wallet comes by credentials (OpenID4VCI 1.0), whoever begins: an issuer or its holder."""

import hashlib
from contextlib import suppress
from dataclasses import replace
from functools import partial

from client_sdk.didcomm.out_of_band import is_invitation
from client_sdk.errors import EscrowError, IssuerRefusedError, OfferError
from client_sdk.ledger.account_key import AccountKey
from client_sdk.openid4vci.authorization_client import Browser, authorize
from client_sdk.openid4vci.credential_offer import CredentialOffer
from client_sdk.openid4vci.issuer_answers import fetch_metadata
from client_sdk.openid4vci.token_client import (
    AcceptedOffer,
    CardProver,
    fetch_offer,
    redeem_card,
    redeem_offer,
    redeem_refresh_token,
)
from client_sdk.tracing import traced
from client_sdk.waci.issue_credential import WaciReceiver
from client_sdk.wallet.acceptance import check_offerer, check_received
from client_sdk.wallet.accepted_offers import AcceptedOffers
from client_sdk.wallet.escrow import WalletEscrow
from client_sdk.wallet.offer_review import ReviewedOffer, review_offer
from client_sdk.wallet.records import StoredCredential, StoredIssuance, StoredRefresh
from client_sdk.wallet.session import WalletSession


class WalletIssuance:
    """The credentials that a wallet gets. What it has got is backed up at once, where it can be."""

    def __init__(self, session: WalletSession) -> None:
        """Work on an open wallet."""
        self._session = session
        self._accepted = AcceptedOffers(session)

    @property
    def pending(self) -> tuple[StoredIssuance, ...]:
        """The offers that were accepted and whose credentials are not here yet."""
        return self._accepted.all

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
                self._receive_by_waci(offer_link, tx_code, trusted_issuer, credential_format)
            )
        issuance_id = _id_of(offer_link)
        if not self._accepted.is_accepted(issuance_id, trusted_issuer=trusted_issuer):
            offer = self._fetch_offer(offer_link, trusted_issuer)
            if browser is not None and offer.authorization_code is not None:
                accepted = authorize(
                    offer,
                    browser=browser,
                    credential_format=credential_format,
                    proofs=self._session.new_proofs(),
                    http=self._session.http,
                )
            else:
                accepted = self._redeem(offer, tx_code, credential_format, card)
            self._accepted.add(accepted, issuance_id=issuance_id, trusted_issuer=trusted_issuer)
        return self.resume(issuance_id)

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
        check_offerer(issuer_url, account=self._session.account, trusted_issuer=trusted_issuer)
        accepted = authorize(
            issuer_url,
            browser=browser,
            credential_format=credential_format,
            proofs=self._session.new_proofs(),
            http=self._session.http,
        )
        return self._take_up(accepted, trusted_issuer)

    def receive_by_card(self, card: CardProver) -> StoredCredential:
        """Have a credential from the service that made the account, by a My Number card alone.

        Args:
            card: Lets the holder's card sign for the issuer.

        Raises:
            ClientError: As `receive`.
        """
        issuer_url = self._session.account.issuer_url
        accepted = redeem_card(
            issuer_url, card, proofs=self._session.new_proofs(), http=self._session.http
        )
        return self._take_up(accepted)

    @traced("wallet.receive_one_time")
    def receive_one_time(
        self,
        offer_link: str,
        *,
        tx_code: str | None = None,
        count: int | None = None,
        trusted_issuer: str | None = None,
        credential_format: str | None = None,
        card: CardProver | None = None,
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
            card: Lets the holder's My Number card sign.

        Raises:
            NotRegisteredError: The wallet has no account that grants could be made with.
            CardError: The card does not sign.
            OfferError: The offer cannot be used, the issuer refused, or gives fewer at once.
            VerificationError: A credential is not signed by the issuer, or not for this wallet.
            TransportError: The issuer cannot be reached.
        """
        issuance_id = _id_of(offer_link)
        if not self._accepted.is_accepted(issuance_id, trusted_issuer=trusted_issuer):
            offer = self._fetch_offer(offer_link, trusted_issuer)
            most = fetch_metadata(
                offer.credential_issuer,
                http=self._session.http,
                trust=self._session.metadata_trust,
            ).batch_size
            if not 1 <= (count := count or most) <= most:
                raise OfferError(f"this issuer gives 1 to {most} credentials at once")
            self._accepted.add(
                self._redeem(offer, tx_code, credential_format, card),
                issuance_id=issuance_id,
                trusted_issuer=trusted_issuer,
                seeds=tuple(AccountKey.generate().seed for _ in range(count)),
            )
        return self._accepted.resume(issuance_id)

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
        session = self._session
        kept = session.contents.refreshes.get(refresh_id)
        if kept is None:
            raise OfferError(f"the wallet has no refresh token {refresh_id}")
        try:
            accepted = redeem_refresh_token(
                kept.token,
                issuer_url=kept.issuer_url,
                server_url=kept.server_url,
                configuration_id=kept.configuration_id,
                proofs=session.new_proofs(kept.dpop_key),
                http=session.http,
            )
        except IssuerRefusedError as error:
            if error.code == "invalid_grant":
                session.update(lambda contents: contents.without_refresh(refresh_id))
            raise
        seeds: tuple[bytes, ...] = ()
        if kept.is_one_time:
            wanted = min(count or accepted.metadata.batch_size, accepted.metadata.batch_size)
            seeds = tuple(AccountKey.generate().seed for _ in range(wanted))
        issuance = StoredIssuance.of(
            replace(accepted, refresh_token=None),
            issuance_id=_id_of(accepted.token),
            trusted_issuer=kept.trusted_issuer,
            seeds=seeds,
        )
        following = replace(kept, token=accepted.refresh_token or kept.token)
        # At once: a token that was exchanged is good no more.
        session.update(lambda contents: contents.with_refresh(following).with_issuance(issuance))
        credentials = self._accepted.resume(issuance.issuance_id)
        self._backed_up(credentials[0])
        return credentials

    def resume(self, issuance_id: str) -> StoredCredential:
        """Go on with one of `pending`; of one-time credentials the first is returned.

        Raises:
            ClientError: As `receive`.
        """
        return self._backed_up(self._accepted.resume(issuance_id)[0])

    def _receive_by_waci(
        self,
        invitation: str,
        tx_code: str | None,
        trusted_issuer: str | None,
        credential_format: str | None,
    ) -> StoredCredential:
        session = self._session
        account = session.account
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
            WalletEscrow(self._session).back_up()
        return credential

    def _fetch_offer(self, offer_link: str, trusted_issuer: str | None) -> CredentialOffer:
        account = self._session.account
        offer = fetch_offer(offer_link, http=self._session.http)
        check_offerer(offer.credential_issuer, account=account, trusted_issuer=trusted_issuer)
        return offer

    def _redeem(
        self,
        offer: CredentialOffer,
        tx_code: str | None,
        credential_format: str | None,
        card: CardProver | None,
    ) -> AcceptedOffer:
        return redeem_offer(
            offer,
            tx_code=tx_code,
            credential_format=credential_format,
            card=card,
            proofs=self._session.new_proofs(),
            http=self._session.http,
        )

    def _take_up(
        self, accepted: AcceptedOffer, trusted_issuer: str | None = None
    ) -> StoredCredential:
        """Keep what was accepted without an offer's link, and go on with it."""
        issuance_id = _id_of(accepted.token)
        self._accepted.add(accepted, issuance_id=issuance_id, trusted_issuer=trusted_issuer)
        return self.resume(issuance_id)


def _id_of(link: str) -> str:
    return hashlib.sha256(link.encode("utf-8", "surrogatepass")).hexdigest()

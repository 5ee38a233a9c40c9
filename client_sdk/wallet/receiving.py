"""How a wallet comes by credentials: it keeps what it needs to go on, whatever breaks off."""

import hashlib
from contextlib import suppress
from dataclasses import replace
from typing import Final

from client_sdk.credentials.jose import Key, key_from_seed
from client_sdk.errors import (
    ClientError,
    IssuanceDeferredError,
    IssuerRefusedError,
    OfferError,
)
from client_sdk.ledger.account_key import AccountKey
from client_sdk.openid4vci.authorization_client import Browser, authorize
from client_sdk.openid4vci.client import (
    IssuedCredentials,
    collect_credentials,
    notify_issuer,
    request_credentials,
)
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
from client_sdk.wallet.acceptance import check_offerer, check_received
from client_sdk.wallet.issuance_records import StoredIssuance
from client_sdk.wallet.refresh_records import StoredRefresh
from client_sdk.wallet.session import WalletSession
from client_sdk.wallet.wallet_records import StoredCredential, WalletContents

_OVER: Final = ("invalid_token", "credential_request_denied")
"""What an issuer says that will not change: the offer is used up."""


class Receiving:
    """The credentials that a wallet is on its way to."""

    def __init__(self, session: WalletSession) -> None:
        """Work on an open wallet."""
        self._session = session

    def receive(
        self,
        offer_link: str,
        *,
        tx_code: str | None,
        trusted_issuer: str | None,
        credential_format: str | None,
        card: CardProver | None,
        browser: Browser | None,
    ) -> StoredCredential:
        """Fetch what an offer holds; an offer that was accepted before is gone on with.

        Raises:
            ClientError: As `Wallet.receive`.
        """
        issuance_id = _id_of(offer_link)
        if not self._is_on_its_way(issuance_id, trusted_issuer):
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
            self._keep(
                StoredIssuance.of(accepted, issuance_id=issuance_id, trusted_issuer=trusted_issuer)
            )
        return self.resume(issuance_id)[0]

    def receive_one_time(
        self,
        offer_link: str,
        *,
        tx_code: str | None,
        count: int | None,
        trusted_issuer: str | None,
        credential_format: str | None,
    ) -> tuple[StoredCredential, ...]:
        """Fetch credentials that each have a key of their own; as `receive` otherwise.

        Raises:
            ClientError: As `Wallet.receive_one_time`.
        """
        issuance_id = _id_of(offer_link)
        if not self._is_on_its_way(issuance_id, trusted_issuer):
            offer = self._fetch_offer(offer_link, trusted_issuer)
            most = fetch_metadata(
                offer.credential_issuer,
                http=self._session.http,
                trust=self._session.metadata_trust,
            ).batch_size
            if not 1 <= (count := count or most) <= most:
                raise OfferError(f"this issuer gives 1 to {most} credentials at once")
            accepted = self._redeem(offer, tx_code, credential_format, None)
            self._keep(
                StoredIssuance.of(
                    accepted,
                    issuance_id=issuance_id,
                    trusted_issuer=trusted_issuer,
                    seeds=tuple(AccountKey.generate().seed for _ in range(count)),
                )
            )
        return self.resume(issuance_id)

    def receive_by_card(self, card: CardProver) -> StoredCredential:
        """Ask the service that made the account for a credential, by a My Number card alone.

        Raises:
            ClientError: As `Wallet.receive`.
        """
        issuer_url = self._session.account.issuer_url
        accepted = redeem_card(
            issuer_url, card, proofs=self._session.new_proofs(), http=self._session.http
        )
        return self._take_up(accepted)

    def receive_at(
        self,
        issuer_url: str,
        browser: Browser,
        *,
        trusted_issuer: str | None,
        credential_format: str | None,
    ) -> StoredCredential:
        """Ask an issuer for a credential without an offer: the holder authenticates at its page.

        Raises:
            ClientError: As `Wallet.receive`.
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

    def refresh(self, refresh_id: str, *, count: int | None) -> tuple[StoredCredential, ...]:
        """Ask an issuer for the same credentials again.

        Raises:
            ClientError: As `Wallet.refresh`.
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
        return self.resume(issuance.issuance_id)

    def resume(self, issuance_id: str) -> tuple[StoredCredential, ...]:
        """Go on with an offer that was accepted.

        Raises:
            ClientError: As `Wallet.resume`.
        """
        issuance = self._session.contents.issuances.get(issuance_id)
        if issuance is None:
            raise OfferError(f"the wallet is not on its way to a credential {issuance_id}")
        accepted = issuance.accepted(self._session.http, self._session.metadata_trust)
        try:
            issued = self._ask(issuance, accepted)
            credentials = self._accept(issuance, issued)
        except IssuanceDeferredError as error:
            self._keep(replace(issuance, transaction_id=error.transaction_id))
            raise
        except IssuerRefusedError as error:
            if error.code in _OVER:
                self.forget(issuance_id)
            raise
        self._notify(accepted, issued)
        return credentials

    def forget(self, issuance_id: str) -> None:
        """Give an accepted offer up."""
        self._session.update(lambda contents: contents.without_issuance(issuance_id))

    def _is_on_its_way(self, issuance_id: str, trusted_issuer: str | None) -> bool:
        """Tell whether an offer was accepted before."""
        kept = self._session.contents.issuances.get(issuance_id)
        if kept is not None and trusted_issuer is not None:
            # The holder may name the issuer only after the wallet asked whether that is meant.
            self._keep(replace(kept, trusted_issuer=trusted_issuer))
        return kept is not None

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
        self._keep(
            StoredIssuance.of(accepted, issuance_id=issuance_id, trusted_issuer=trusted_issuer)
        )
        return self.resume(issuance_id)[0]

    def _accept(
        self, issuance: StoredIssuance, issued: IssuedCredentials
    ) -> tuple[StoredCredential, ...]:
        """Keep the credentials; what the wallet does not take ends its offer."""
        try:
            credentials = self._check(issuance, issued)

            def keep(contents: WalletContents) -> WalletContents:
                for credential in credentials:
                    contents = contents.with_credential(credential)
                refresh = StoredRefresh.of(issuance)
                if refresh is not None:
                    contents = contents.with_refresh(refresh)
                return contents.without_issuance(issuance.issuance_id)

            self._session.update(keep)
        except OfferError:
            self.forget(issuance.issuance_id)
            raise
        return credentials

    def _check(
        self, issuance: StoredIssuance, issued: IssuedCredentials
    ) -> tuple[StoredCredential, ...]:
        seeds: tuple[bytes | None, ...] = issuance.seeds or (None,)
        if len(issued.credentials) != len(seeds):
            raise OfferError("the issuer gives fewer credentials at once than were asked for")
        return tuple(
            check_received(
                received,
                account=self._session.account,
                trusted_issuer=issuance.trusted_issuer,
                seed=seed,
            )
            for received, seed in zip(issued.credentials, seeds, strict=True)
        )

    def _ask(self, issuance: StoredIssuance, accepted: AcceptedOffer) -> IssuedCredentials:
        session, now_ms = self._session, self._session.now_ms()
        keys: tuple[Key, ...] = tuple(map(key_from_seed, issuance.seeds)) or (session.holder_key,)
        if issuance.transaction_id is not None:
            try:
                return collect_credentials(
                    accepted,
                    issuance.transaction_id,
                    holder_keys=keys,
                    now_ms=now_ms,
                    http=session.http,
                )
            except IssuerRefusedError as error:
                # Used: the answer was lost on its way, and the request itself gives it again.
                if error.code != "invalid_transaction_id":
                    raise
        provider = session.provider
        return request_credentials(
            accepted,
            holder_keys=keys,
            account=None if issuance.seeds else session.account.account_id,
            attest_keys=None if provider is None else provider.attest_keys,
            now_ms=now_ms,
            http=session.http,
        )

    def _notify(self, accepted: AcceptedOffer, issued: IssuedCredentials) -> None:
        if issued.notification_id is None:
            return
        # The credential is here, whether its issuer hears of it or not.
        with suppress(ClientError):
            notify_issuer(
                accepted,
                issued.notification_id,
                "credential_accepted",
                now_ms=self._session.now_ms(),
                http=self._session.http,
            )

    def _keep(self, issuance: StoredIssuance) -> None:
        self._session.update(lambda contents: contents.with_issuance(issuance))


def _id_of(link: str) -> str:
    return hashlib.sha256(link.encode("utf-8", "surrogatepass")).hexdigest()

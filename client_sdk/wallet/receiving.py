"""How a wallet comes by a credential: it keeps what it needs to go on, whatever breaks off."""

import hashlib
from contextlib import suppress
from dataclasses import replace
from typing import Final

from client_sdk.credentials.jose import ES256, generate_key
from client_sdk.errors import (
    ClientError,
    IssuanceDeferredError,
    IssuerRefusedError,
    OfferError,
)
from client_sdk.openid4vci.client import (
    IssuedCredentials,
    collect_credentials,
    notify_issuer,
    request_credentials,
)
from client_sdk.openid4vci.issuer_channel import WalletProofs
from client_sdk.openid4vci.token_client import (
    AcceptedOffer,
    CardProver,
    fetch_offer,
    redeem_card,
    redeem_offer,
)
from client_sdk.wallet.acceptance import check_offerer, check_received
from client_sdk.wallet.issuance_records import StoredIssuance
from client_sdk.wallet.session import WalletSession
from client_sdk.wallet.wallet_records import StoredCredential

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
    ) -> StoredCredential:
        """Fetch what an offer holds; an offer that was accepted before is gone on with.

        Raises:
            ClientError: As `Wallet.receive`.
        """
        account = self._session.account
        issuance_id = hashlib.sha256(offer_link.encode("utf-8", "surrogatepass")).hexdigest()
        if issuance_id not in self._session.contents.issuances:
            offer = fetch_offer(offer_link, http=self._session.http)
            check_offerer(offer.credential_issuer, account=account, trusted_issuer=trusted_issuer)
            accepted = redeem_offer(
                offer,
                tx_code=tx_code,
                credential_format=credential_format,
                card=card,
                proofs=self._new_proofs(),
                http=self._session.http,
            )
            self._keep(
                StoredIssuance.of(accepted, issuance_id=issuance_id, trusted_issuer=trusted_issuer)
            )
        elif trusted_issuer is not None:
            # The holder may name the issuer only after the wallet asked whether that is meant.
            kept = self._session.contents.issuances[issuance_id]
            self._keep(replace(kept, trusted_issuer=trusted_issuer))
        return self.resume(issuance_id)

    def receive_by_card(self, card: CardProver) -> StoredCredential:
        """Ask the service that made the account for a credential, by a My Number card alone.

        Raises:
            ClientError: As `Wallet.receive`.
        """
        issuer_url = self._session.account.issuer_url
        accepted = redeem_card(issuer_url, card, proofs=self._new_proofs(), http=self._session.http)
        issuance_id = hashlib.sha256(accepted.token.encode()).hexdigest()
        self._keep(StoredIssuance.of(accepted, issuance_id=issuance_id, trusted_issuer=None))
        return self.resume(issuance_id)

    def resume(self, issuance_id: str) -> StoredCredential:
        """Go on with an offer that was accepted.

        Raises:
            ClientError: As `Wallet.resume`.
        """
        issuance = self._session.contents.issuances.get(issuance_id)
        if issuance is None:
            raise OfferError(f"the wallet is not on its way to a credential {issuance_id}")
        accepted = issuance.accepted(self._session.http)
        try:
            issued = self._ask(issuance, accepted)
            credential = self._accept(issuance, issued)
        except IssuanceDeferredError as error:
            self._keep(replace(issuance, transaction_id=error.transaction_id))
            raise
        except IssuerRefusedError as error:
            if error.code in _OVER:
                self.forget(issuance_id)
            raise
        self._notify(accepted, issued)
        return credential

    def _accept(self, issuance: StoredIssuance, issued: IssuedCredentials) -> StoredCredential:
        """Keep the credential; one that the wallet does not take ends its offer."""
        try:
            credential = check_received(
                issued.credentials[0],
                account=self._session.account,
                trusted_issuer=issuance.trusted_issuer,
            )
            self._session.update(
                lambda contents: contents.with_credential(credential).without_issuance(
                    issuance.issuance_id
                )
            )
        except OfferError:
            self.forget(issuance.issuance_id)
            raise
        return credential

    def forget(self, issuance_id: str) -> None:
        """Give an accepted offer up."""
        self._session.update(lambda contents: contents.without_issuance(issuance_id))

    def _ask(self, issuance: StoredIssuance, accepted: AcceptedOffer) -> IssuedCredentials:
        keys, now_ms = (self._session.holder_key,), self._session.now_ms()
        if issuance.transaction_id is not None:
            try:
                return collect_credentials(
                    accepted,
                    issuance.transaction_id,
                    holder_keys=keys,
                    now_ms=now_ms,
                    http=self._session.http,
                )
            except IssuerRefusedError as error:
                # Used: the answer was lost on its way, and the request itself gives it again.
                if error.code != "invalid_transaction_id":
                    raise
        return request_credentials(
            accepted,
            holder_keys=keys,
            account=self._session.account.account_id,
            now_ms=now_ms,
            http=self._session.http,
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

    def _new_proofs(self) -> WalletProofs:
        return WalletProofs(now_s=self._session.now_ms() // 1000, dpop_key=generate_key(ES256))

    def _keep(self, issuance: StoredIssuance) -> None:
        self._session.update(lambda contents: contents.with_issuance(issuance))

"""The offers that a wallet accepted: it keeps what it needs to go on, whatever breaks off."""

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
from client_sdk.openid4vci.client import (
    IssuedCredentials,
    collect_credentials,
    notify_issuer,
    request_credentials,
)
from client_sdk.openid4vci.token_client import AcceptedOffer
from client_sdk.wallet.acceptance import check_received
from client_sdk.wallet.contents import WalletContents
from client_sdk.wallet.records import StoredCredential, StoredIssuance, StoredRefresh
from client_sdk.wallet.session import WalletSession

_OVER: Final = ("invalid_token", "credential_request_denied")
"""What an issuer says that will not change: the offer is used up."""


class AcceptedOffers:
    """The accepted offers of one wallet, until their credentials are here."""

    def __init__(self, session: WalletSession) -> None:
        """Work on an open wallet."""
        self._session = session

    @property
    def all(self) -> tuple[StoredIssuance, ...]:
        """The accepted offers, oldest first."""
        return tuple(self._session.contents.issuances.values())

    def is_accepted(self, issuance_id: str, *, trusted_issuer: str | None) -> bool:
        """Tell whether an offer was accepted before; from now on of the issuer that is named."""
        kept = self._session.contents.issuances.get(issuance_id)
        if kept is not None and trusted_issuer is not None:
            # The holder may name the issuer only after the wallet asked whether that is meant.
            self._keep(replace(kept, trusted_issuer=trusted_issuer))
        return kept is not None

    def add(
        self,
        accepted: AcceptedOffer,
        *,
        issuance_id: str,
        trusted_issuer: str | None,
        seeds: tuple[bytes, ...] = (),
    ) -> None:
        """Keep an offer that was just accepted.

        Args:
            accepted: The offer.
            issuance_id: What it is kept under, 64 hex digits.
            trusted_issuer: The issuer account that the holder named; None for the account's own.
            seeds: The keys of one-time credentials, 32 secret bytes each; empty for one credential
                that is bound to the account's key.
        """
        self._keep(
            StoredIssuance.of(
                accepted, issuance_id=issuance_id, trusted_issuer=trusted_issuer, seeds=seeds
            )
        )

    def resume(self, issuance_id: str) -> tuple[StoredCredential, ...]:
        """Ask for what an accepted offer holds, check it and keep it.

        Raises:
            ClientError: As `WalletIssuance.receive`.
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
                self._forget(issuance_id)
            raise
        self._notify(accepted, issued)
        return credentials

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
            self._forget(issuance.issuance_id)
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

    def _forget(self, issuance_id: str) -> None:
        """Give an accepted offer up."""
        self._session.update(lambda contents: contents.without_issuance(issuance_id))

"""What a wallet checks of an offer before it takes it, and of a credential before it keeps it."""

from client_sdk.errors import OfferError
from client_sdk.openid4vci.received_credential import ReceivedCredential
from client_sdk.wallet.records import LedgerAccount, StoredCredential


def check_offerer(issuer_url: str, *, account: LedgerAccount, trusted_issuer: str | None) -> None:
    """Refuse an offer whose credential would be refused: no code or card is shown to a stranger.

    Args:
        issuer_url: Who offers.
        account: The wallet's account.
        trusted_issuer: As for `check_received`.

    Raises:
        OfferError: It is of another issuer than the one that made the wallet's account.
    """
    if trusted_issuer is None and issuer_url != account.issuer_url:
        raise OfferError(
            f"the offer is of {issuer_url}, which is not the service that made the wallet's "
            f"account ({account.issuer_url}); if that is who you want it from, name its account"
        )


def check_received(
    received: ReceivedCredential,
    *,
    account: LedgerAccount,
    trusted_issuer: str | None,
    seed: bytes | None = None,
) -> StoredCredential:
    """Return a received credential in the form in which it is kept.

    Args:
        received: The credential, verified to be signed by its issuer and bound to the wallet's key.
        account: The wallet's account.
        trusted_issuer: The issuer account that the holder trusts with this offer; None for the one
            that made the wallet's account.
        seed: The secret of its own key, for a one-time credential: it names no account and stands
            in a batch. None for one that is bound to the account's key.

    Raises:
        OfferError: It is of another ledger, for another account, or of another issuer.
    """
    if received.ledger_id != account.ledger_id:
        raise OfferError("the credential is on another ledger than the wallet, or on none")
    if seed is not None and (received.account is not None or received.inclusion is None):
        raise OfferError(
            "the credential names an account, or is anchored alone: verifiers could link it to "
            "others, so it is no one-time credential"
        )
    if seed is None and received.account != account.account_id:
        raise OfferError(
            "the credential names another account than the wallet's, or none: no verifier would "
            "accept it"
        )
    trusted = account.registered_by if trusted_issuer is None else trusted_issuer
    if received.issuer != trusted:
        raise OfferError(
            f"the credential is offered by the issuer account {received.issuer}, not by {trusted}; "
            "if that is who you want it from, ask for a new offer and name that account"
        )
    if trusted_issuer is None and received.issuer_url != account.issuer_url:
        raise OfferError(
            f"the credential is signed by {received.issuer_url}, which is not the service that "
            f"made the wallet's account ({account.issuer_url}); if that is who you want it from, "
            "ask for a new offer and name its account"
        )
    return StoredCredential(
        record_id=received.record_id,
        credential_type=received.credential_type,
        issuer=received.issuer,
        expires_at_ms=received.expires_at_ms,
        inclusion=received.inclusion,
        format=received.format,
        issuer_url=received.issuer_url,
        text=received.text,
        seed=seed,
    )

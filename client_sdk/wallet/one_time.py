"""One-time credentials: each has its own key, is shown once, and names no account."""

from client_sdk.credentials.jose import key_from_seed
from client_sdk.errors import OfferError
from client_sdk.ledger.account_key import AccountKey
from client_sdk.openid4vci.client import request_credentials
from client_sdk.openid4vci.token_client import fetch_offer, redeem_offer
from client_sdk.wallet.acceptance import check_offerer, check_received
from client_sdk.wallet.session import WalletSession
from client_sdk.wallet.wallet_records import StoredCredential, WalletContents


def fetch_one_time(
    session: WalletSession,
    offer_link: str,
    *,
    tx_code: str | None,
    count: int | None,
    trusted_issuer: str | None,
    credential_format: str | None,
) -> tuple[StoredCredential, ...]:
    """Fetch the credentials of an offer, each for a new key, check them all, and keep them all.

    Args:
        session: The wallet.
        offer_link: `openid-credential-offer://...`.
        tx_code: The transaction code; None where the issuer gave none.
        count: How many; None for as many as the issuer gives at once.
        trusted_issuer: The account of the issuer; None for the one that made the wallet's account.
        credential_format: The format that is wanted; None for the first that is offered.

    Raises:
        NotRegisteredError: The wallet has no account that grants could be made with.
        OfferError: The offer cannot be used, the issuer refused, or gives fewer at once.
        VerificationError: A credential is not signed by the issuer, or not for this wallet.
        TransportError: The issuer cannot be reached.
    """
    account = session.account
    offer = fetch_offer(offer_link, http=session.http)
    check_offerer(offer.credential_issuer, account=account, trusted_issuer=trusted_issuer)
    accepted = redeem_offer(
        offer, tx_code=tx_code, credential_format=credential_format, http=session.http
    )
    seeds = [AccountKey.generate().seed for _ in range(count or accepted.metadata.batch_size)]
    issued = request_credentials(
        accepted,
        holder_keys=[key_from_seed(seed) for seed in seeds],
        now_ms=session.now_ms(),
        http=session.http,
    )
    if len(issued.credentials) != len(seeds):
        raise OfferError("the issuer gives fewer credentials at once than were asked for")
    credentials = tuple(
        check_received(one, account=account, trusted_issuer=trusted_issuer, seed=seed)
        for one, seed in zip(issued.credentials, seeds, strict=True)
    )

    def keep(contents: WalletContents) -> WalletContents:
        for credential in credentials:
            contents = contents.with_credential(credential)
        return contents

    session.update(keep)
    return credentials

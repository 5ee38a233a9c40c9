"""What a wallet tells its holder of an offer, before a code or a card is shown to anybody."""

from dataclasses import dataclass

from client_sdk.didcomm.out_of_band import is_invitation, parse_invitation
from client_sdk.errors import MessageFormatError, OfferError
from client_sdk.openid4vci.credential_offer import TransactionCode
from client_sdk.openid4vci.issuer_answers import fetch_metadata
from client_sdk.openid4vci.token_client import fetch_offer
from client_sdk.waci.messages import ISSUE_GOAL
from client_sdk.wallet.session import WalletSession


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedOffer:
    """An offer, as its holder is shown it.

    Attributes:
        issuer_url: Who offers; None where an invitation tells it only as it is accepted.
        is_own_issuer: Whether it is the service that made the wallet's account: the wallet takes
            credentials of no other by itself.
        names: What the credentials are called, by the issuer's word.
        transaction_code: What has to be typed; None for nothing.
        may_need_code: Whether that is not known before it is accepted.
    """

    issuer_url: str | None
    is_own_issuer: bool
    names: tuple[str, ...]
    transaction_code: TransactionCode | None
    may_need_code: bool = False


def review_offer(session: WalletSession, link: str) -> ReviewedOffer:
    """Return who offers what; nothing is accepted.

    Raises:
        ClientError: As `WalletIssuance.read_offer`.
    """
    account = session.account
    if is_invitation(link):
        try:
            parse_invitation(link, goal_code=ISSUE_GOAL)
        except MessageFormatError as error:
            raise OfferError(str(error)) from None
        return ReviewedOffer(
            issuer_url=None, is_own_issuer=True, names=(), transaction_code=None, may_need_code=True
        )
    offer = fetch_offer(link, http=session.http)
    known = fetch_metadata(
        offer.credential_issuer, http=session.http, trust=session.metadata_trust
    ).configurations
    found = [known[name] for name in offer.configuration_ids if name in known]
    if not found:
        raise OfferError("offer: no credential of it is in a format that this wallet holds")
    return ReviewedOffer(
        issuer_url=offer.credential_issuer,
        is_own_issuer=offer.credential_issuer == account.issuer_url,
        names=tuple(dict.fromkeys(one.name or one.credential_type for one in found)),
        transaction_code=offer.transaction_code,
    )

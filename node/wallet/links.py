"""What a link that was scanned or pasted is, before anything of it is followed."""

from typing import Final, Literal

from client_sdk.didcomm.out_of_band import is_invitation, parse_invitation
from client_sdk.errors import MessageFormatError, OfferError
from client_sdk.escrow.recovery_card import SCHEME as CARD_SCHEME
from client_sdk.openid4vci.credential_offer import LINK_SCHEME as OFFER_SCHEME
from client_sdk.openid4vp.request_link import HAIP_SCHEME
from client_sdk.openid4vp.request_link import LINK_SCHEME as REQUEST_SCHEME
from client_sdk.waci.messages import ISSUE_GOAL

LinkKind = Literal["offer", "request", "card"]
MAX_LINK_CHARS: Final = 16_384


def kind_of(link: str) -> LinkKind:
    """Tell what a link is.

    Raises:
        OfferError: None that a wallet knows.
    """
    scheme = link.partition(":")[0].lower()
    if len(link) <= MAX_LINK_CHARS:
        if scheme == OFFER_SCHEME:
            return "offer"
        if scheme in (REQUEST_SCHEME, HAIP_SCHEME):
            return "request"
        if link.startswith(CARD_SCHEME):
            return "card"
        if is_invitation(link):
            return _kind_of_invitation(link)
    raise OfferError("this is neither an offer nor a request, nor a recovery card")


def _kind_of_invitation(link: str) -> LinkKind:
    try:
        parse_invitation(link, goal_code=ISSUE_GOAL)
    except MessageFormatError:
        return "request"
    return "offer"

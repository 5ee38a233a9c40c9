"""A shop asks for more than it is registered for: its gateway may, but the wallet says so."""

from typing import Final

from client_sdk.errors import OverAskingError, ServiceRefusedError
from client_sdk.purposes import find_term
from client_sdk.wallet import Wallet
from node.cli.demo.cast import Cast

_AGE: Final = find_term("AgeVerification")
_PURPOSE: Final = "To sell sake"


def ask_too_much(cast: Cast, wallet: Wallet) -> None:
    """The shop asks for birth date and address; the resident shows the birth date alone."""
    cast.stage.chapter("A shop asks for more than it may")
    try:
        cast.ward_office.ask(["portrait"], purpose="To be sure")
    except ServiceRefusedError as error:
        cast.stage.tell(
            "gateway", "The ward office never registered for portraits.", refused=str(error)
        )
    request = cast.shop.ask(["birth_date", "address"], purpose=_PURPOSE, purpose_term=_AGE)
    pending = wallet.presentation.read_request(request.link)
    cast.stage.consent(pending)
    try:
        wallet.presentation.answer(pending)
    except OverAskingError as error:
        cast.stage.tell(
            "wallet", "Sends nothing without the holder's word on just that.", refused=str(error)
        )
    wallet.presentation.decline(pending)
    cast.stage.tell("shop", "Sees nothing.", status=cast.shop.wait(request.request_id).state)
    request = cast.shop.ask(["birth_date"], purpose=_PURPOSE, purpose_term=_AGE)
    wallet.presentation.answer(wallet.presentation.read_request(request.link))
    seen = cast.shop.wait(request.request_id)
    cast.stage.tell(
        "shop",
        "Asks again, for what it is registered for.",
        status=seen.state,
        **{name: str(value) for name, value in seen.attributes.items()},
    )

"""The ward office asks for the address, and the resident consents."""

from client_sdk.wallet import Wallet
from node.cli.demo.cast import Cast
from node.cli.demo.ledger_view import read_entries


def show_address(cast: Cast, wallet: Wallet) -> None:
    """The ward office asks for the address; the resident consents."""
    cast.stage.chapter("The ward office asks for the address, and nothing else")
    request = cast.ask()
    pending = wallet.presentation.read_request(request.link)
    cast.stage.consent(pending)
    answer = wallet.presentation.answer(pending)
    cast.stage.tell(
        "resident",
        "Consents: the grant is on the ledger, and one disclosure is sent.",
        grant=f"tg_grant_{answer.grant_id}",
    )
    cast.stage.chapter("What the verifier saw, and what the ledger stores")
    result = cast.ward_office.wait(request.request_id)
    cast.stage.side_by_side(result, read_entries(cast.ledger, above=1))
    cast.stage.searched("the ledger's files and all logs", cast.search_for_values())

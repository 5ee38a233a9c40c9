"""The tax office may look the address up for a year; each look is on the resident's record."""

from typing import Final

from client_sdk.errors import ServiceRefusedError
from client_sdk.sealing.hpke import SealingKey
from client_sdk.verifier.standing_client import StandingClient
from client_sdk.wallet import Wallet
from node.cli.consent_screen import consent
from node.cli.demo.cast import Cast
from node.cli.wallet_history import history_view

_PURPOSE: Final = "Yearly notice to residents"


def grant_for_a_year(cast: Cast, wallet: Wallet) -> None:
    """A standing grant: sealed to the office, looked up twice, revoked, and told by the history."""
    cast.stage.chapter("A grant for a year, and who looked")
    key = SealingKey.generate()
    with StandingClient(cast.town.gateway_url, cast.town.api_key) as office:
        request = office.ask(
            ["address"], purpose=_PURPOSE, uses=12, days=365, deposit_key=key.public_bytes
        )
        pending = wallet.presentation.read_request(request.link)
        cast.stage.show(consent(pending))
        (grant,) = wallet.presentation.answer(pending).grant_ids
        cast.stage.tell(
            "resident",
            "Seals the address to the office's key and leaves it at the gateway, which can read "
            "none of it.",
            grant=f"tg_grant_{grant}",
        )
        for _ in range(2):
            seen = office.look_up(grant, key)
            cast.stage.tell(
                "ward office",
                "Looks. The receipt is on the ledger first.",
                receipt=f"tg_seen_{grant}_{seen.use}",
                **{name: str(value) for name, value in seen.attributes.items()},
            )
        wallet.grants.revoke(grant)
        try:
            office.look_up(grant, key)
        except ServiceRefusedError as error:
            cast.stage.tell("gateway", "Revoked: it hands nothing out.", refused=str(error))
    cast.stage.tell("resident", "Reads who saw what, when, why, and under which grant.")
    cast.stage.show(history_view(wallet.history()))

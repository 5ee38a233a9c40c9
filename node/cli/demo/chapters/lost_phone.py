"""The phone is lost, and the account comes back on a new one."""

import secrets
import time
from typing import Final

from client_sdk.escrow.recovery import recover
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.commands import add_signatory
from client_sdk.wallet import Wallet
from node.cli.demo.agents import ESCROW_ACCOUNT, THRESHOLD, EscrowAgents
from node.cli.demo.cast import Cast

WINDOW_MS: Final = 2_000


def lose_phone(cast: Cast, wallet: Wallet, agents: EscrowAgents) -> Wallet:
    """The phone is lost, and the account comes back on a new one."""
    cast.stage.chapter("The phone is lost")
    password = secrets.token_urlsafe(12) + "Aa1"
    card = wallet.escrow.protect(agents.urls, password, threshold=THRESHOLD)
    wallet.escrow.bind_account()
    wallet.guard.stand(
        escrow=ESCROW_ACCOUNT, issuer=wallet.account.registered_by, delay_ms=WINDOW_MS
    )
    cast.stage.tell(
        "resident",
        f"Beforehand: a sealed backup with three agents, any {THRESHOLD} of them are enough, "
        "and a guard on the account's keys.",
        recovery_card=f"handle {card.handle}, and a secret on paper",
        window=f"{WINDOW_MS // 1000} s here, three days in life",
    )
    recovered = recover(card, password, http=cast.thief)
    cast.wallet_file = cast.wallet_file.with_suffix(".new_phone")
    found = Wallet.recover(cast.wallet_file, cast.passphrase, recovered)
    opened = found.recovery.open(found.escrow.signing_agents(recovered.success_key))
    cast.stage.tell(
        "resident",
        "Card and password on a new phone: everything is back, with a new key. The agents sign "
        "that it is to take the lost one's place.",
        opened_as=f"tg_recover_{opened.record_id}",
    )
    hers = add_signatory(wallet.account.account_id, AccountKey.generate().public_key)
    cast.say_refusal("adds a key of hers", lambda: wallet.guard.carry_out(hers))
    _wait_until(opened.window.matures_at_ms)
    found.recovery.finish(found.escrow.signing_agents())
    cast.stage.tell("ledger", "The window has passed: the new key is in, the lost one out.")
    for renewal in found.recovery.renew_credentials():
        cast.stage.tell(
            "city",
            "Revokes the credential of the lost phone, and issues it to the new one.",
            revoked=f"tg_cred_{renewal.replaced}",
        )
    request = cast.ask()
    found.presentation.answer(found.presentation.read_request(request.link))
    cast.stage.result(cast.ward_office.wait(request.request_id))
    request = cast.ask()
    cast.say_refusal(
        "shows the address",
        lambda: wallet.presentation.answer(wallet.presentation.read_request(request.link)),
    )
    return found


def _wait_until(time_ms: int) -> None:
    while (left_ms := time_ms - time.time_ns() // 1_000_000) >= 0:
        time.sleep((left_ms + 1) / 1000)

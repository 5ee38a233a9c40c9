"""`tegata wallet guard`, `recoveries`, `veto`, `changes` and what belongs to them."""

import time
from pathlib import Path

import click

from chaincode.encoding import encode_base64url
from chaincode.records.recovery import encode_command
from client_sdk.ledger.guard_state import GuardState, SeenChange, SeenRecovery
from client_sdk.ledger.guard_words import describe_command
from client_sdk.wallet import Wallet
from node.cli.output import Value, json_option, show, show_rows, when
from node.cli.wallet import wallet_argument

_HOUR_MS = 60 * 60 * 1000


@click.command()
@wallet_argument
@click.option(
    "--escrow",
    metavar="ACCOUNT",
    help="The escrow agents' account; by default that of the wallet's agents.",
)
@click.option(
    "--issuer",
    metavar="ACCOUNT",
    help="Who can approve in person; by default the issuer that made the wallet's account.",
)
@click.option(
    "--delay-hours",
    type=click.FloatRange(min=0, max=720, min_open=True),
    default=72,
    show_default=True,
    help="How long everything can be seen before it takes effect.",
)
@json_option
def guard(
    wallet_file: Path,
    passphrase: str,
    escrow: str | None,
    issuer: str | None,
    delay_hours: float,
    as_json: bool,
) -> None:
    """Guard the keys of WALLET's account: only ESCROW can replace one, and only in the open."""
    delay_ms = max(1, round(delay_hours * _HOUR_MS))
    with Wallet.open(wallet_file, passphrase) as holder:
        escrow = escrow or holder.escrow.escrow_account()
        if escrow is None:
            raise click.UsageError("--escrow is needed: the wallet's agents recover no account")
        issuer = issuer or holder.account.registered_by
        holder.guard.stand(escrow=escrow, issuer=issuer, delay_ms=delay_ms)
    show({"escrow": escrow, "issuer": issuer, "delay_hours": delay_hours}, as_json=as_json)


@click.command()
@wallet_argument
@json_option
def recoveries(wallet_file: Path, passphrase: str, as_json: bool) -> None:
    """Show the guard of WALLET's account, and whether somebody is recovering it."""
    with Wallet.open(wallet_file, passphrase) as holder:
        state, own_key = holder.guard.state(), holder.public_key
    show(_describe(state, own_key), as_json=as_json)


@click.command()
@wallet_argument
@click.argument("record_id", metavar="RECOVERY")
@json_option
def veto(wallet_file: Path, passphrase: str, record_id: str, as_json: bool) -> None:
    """Stop RECOVERY, which you did not start. Then go to the issuer's counter."""
    with Wallet.open(wallet_file, passphrase) as holder:
        holder.guard.veto(record_id)
    show({"recovery": record_id, "state": "vetoed"}, as_json=as_json)


@click.command()
@wallet_argument
@json_option
def changes(wallet_file: Path, passphrase: str, as_json: bool) -> None:
    """List what was announced for WALLET's account, and from when on it can be done."""
    with Wallet.open(wallet_file, passphrase) as holder:
        state = holder.guard.state()
    rows: list[dict[str, Value]] = [
        {
            "change": describe_command(change.command),
            "announced": when(change.window.opened_at_ms),
            "from": when(change.window.matures_at_ms),
            "until": when(change.window.lapses_at_ms),
            "state": _state_of(change),
        }
        for change in state.changes
    ]
    show_rows(rows, empty="Nothing was announced.", as_json=as_json)


@click.command()
@wallet_argument
@json_option
def lift_guard(wallet_file: Path, passphrase: str, as_json: bool) -> None:
    """Announce that the guard of WALLET's account will be lifted; after the delay, lift it."""
    with Wallet.open(wallet_file, passphrase) as holder:
        command = holder.guard.lift_command()
        announced = [
            change
            for change in holder.guard.state().changes
            if change.command == command and not change.is_over
        ]
        if announced and announced[0].window.matures_at_ms <= _now_ms():
            holder.guard.lift()
            show({"guard": "lifted"}, as_json=as_json)
            return
        if not announced:
            holder.guard.announce(command)
    show(
        {
            "guard": "will be lifted",
            "next": "ask again after the delay; with the issuer's approval nothing can stop it",
            "change_to_approve": encode_base64url(encode_command(command)),
        },
        as_json=as_json,
    )


def _describe(state: GuardState, own_key: str) -> dict[str, Value]:
    if state.guard is None:
        return {"guard": "none stands: whoever has the phone can change the keys at once"}
    if not state.is_enforced:
        return {"guard": "this ledger does not enforce it"}
    shown: dict[str, Value] = {
        "guard": "stands",
        "escrow": state.guard.escrow,
        "issuer": state.guard.issuer,
        "delay_hours": state.guard.delay_ms / _HOUR_MS,
        "keys": sorted(state.signatories),
    }
    if state.recovery is None:
        return {**shown, "recovery": None}
    return {**shown, **_describe_recovery(state.recovery, own_key)}


def _describe_recovery(recovery: SeenRecovery, own_key: str) -> dict[str, Value]:
    is_open = recovery.is_open(_now_ms())
    shown: dict[str, Value] = {
        "recovery": recovery.record_id,
        "state": recovery.state if is_open or recovery.state != "open" else "lapsed",
        "new_key": recovery.new_key,
        "lost_key": recovery.lost_key,
        "opened": when(recovery.window.opened_at_ms),
        "takes_effect": when(recovery.window.matures_at_ms),
    }
    if is_open and recovery.new_key != own_key:
        shown["next"] = (
            "no veto stops it: if it is not yours, go to the issuer's counter now"
            if recovery.firm
            else f"if it is not yours: tegata wallet veto WALLET {recovery.record_id}"
        )
    return shown


def _state_of(change: SeenChange) -> str:
    if change.is_over:
        return "over"
    return "ready" if change.window.matures_at_ms <= _now_ms() else "waits"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

"""`tegata wallet check-ledger`: whether the ledger still says what it said."""

from datetime import UTC, datetime
from pathlib import Path

import click

from client_sdk.errors import LedgerForkError
from client_sdk.wallet import Wallet
from node.cli.output import json_option, show
from node.cli.wallet import wallet_argument


@click.command("check-ledger")
@wallet_argument
@json_option
def check_ledger(wallet_file: Path, passphrase: str, as_json: bool) -> None:
    """Have the ledger prove the account of WALLET, and that its history has only grown.

    A changed history is refused; the two checkpoints that show it are kept in WALLET.fork.
    """
    with Wallet.open(wallet_file, passphrase) as wallet:
        try:
            state = wallet.check_ledger()
        except LedgerForkError as fork:
            evidence = wallet_file.with_name(f"{wallet_file.name}.fork")
            evidence.write_bytes(fork.known + b"\n" + fork.found)
            raise
        account = wallet.account
        show(
            {
                "account": account.account_id,
                "ledger": account.ledger_id,
                "height": state.checkpoint.size,
                "time": datetime.fromtimestamp(state.checkpoint.time_s, UTC).isoformat(),
                "key": "in force"
                if wallet.public_key in state.signatories(account.account_id)
                else "replaced",
                "root": state.entry.root.hex(),
            },
            as_json=as_json,
        )

"""`tegata wallet refresh`: the same credentials again, without a new offer."""

from pathlib import Path

import click

from client_sdk.errors import ClientError
from client_sdk.wallet import Wallet
from node.cli.output import Value, json_option, show_rows, when
from node.cli.wallet import wallet_argument
from node.cli.wallet_provider import load_anchors, load_provider, provider_options


@click.command("refresh")
@wallet_argument
@click.option(
    "--count",
    type=click.IntRange(min=1),
    help="How many one-time credentials; by default as many as the issuer gives at once.",
)
@provider_options
@json_option
def refresh(
    wallet_file: Path,
    passphrase: str,
    count: int | None,
    provider: Path | None,
    client_id: str | None,
    issuer_authority: Path | None,
    as_json: bool,
) -> None:
    """Fetch the same credentials again, of the issuers that gave WALLET a refresh token.

    You get more one-time credentials, or one that lasts longer.
    """
    rows: list[dict[str, Value]] = []
    with Wallet.open(
        wallet_file,
        passphrase,
        provider=load_provider(provider, client_id),
        issuer_anchors=load_anchors(issuer_authority),
    ) as holder:
        for kept in holder.issuance.refreshes:
            row: dict[str, Value] = {"issuer": kept.issuer_url, "one_time": kept.is_one_time}
            try:
                made = holder.issuance.refresh(kept.refresh_id, count=count)
            except ClientError as error:
                rows.append({**row, "credentials": 0, "expires": None, "state": str(error)})
            else:
                rows.append(
                    {
                        **row,
                        "credentials": len(made),
                        "expires": when(made[0].expires_at_ms),
                        "state": "received",
                    }
                )
    show_rows(rows, empty="No issuer gave the wallet a refresh token.", as_json=as_json)

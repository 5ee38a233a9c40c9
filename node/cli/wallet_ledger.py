"""`tegata wallet check-ledger` and `use-node`: what the ledger says, and by which node."""

from datetime import UTC, datetime
from pathlib import Path

import click

from client_sdk.errors import LedgerForkError, LightBlockError
from client_sdk.ledger.light_client import parse_trusted_header
from client_sdk.wallet import HeaderSources, Wallet
from node.cli.ledger_node import root_certificates_option, warn_of_plain
from node.cli.output import json_option, show
from node.cli.wallet import wallet_argument


@click.command("check-ledger")
@wallet_argument
@click.option(
    "--headers",
    multiple=True,
    metavar="URL",
    help="The RPC of a CometBFT of a replicated ledger: what its peers decided together counts "
    "then, and no single peer's word. Of several, the first is followed and another must agree.",
)
@click.option(
    "--trusted-header",
    metavar="HEIGHT:HASH",
    help="A header that somebody whom you trust vouches for, to begin anew with.",
)
@json_option
def check_ledger(
    wallet_file: Path,
    passphrase: str,
    headers: tuple[str, ...],
    trusted_header: str | None,
    as_json: bool,
) -> None:
    """Have the ledger prove the account of WALLET, and that its history has only grown.

    A changed history is refused; the two checkpoints or headers that show it are kept in
    WALLET.fork.
    """
    sources = _header_sources(headers, trusted_header)
    with Wallet.open(wallet_file, passphrase) as wallet:
        try:
            state = wallet.check_ledger(sources)
        except LedgerForkError as fork:
            evidence = wallet_file.with_name(f"{wallet_file.name}.fork")
            evidence.write_bytes(fork.known + b"\n" + fork.found)
            raise
        account = wallet.account
        show(
            {
                "account": account.account_id,
                "ledger": account.ledger_id,
                "height": state.height,
                "time": datetime.fromtimestamp(state.time_ms // 1000, UTC).isoformat(),
                "key": "in force"
                if wallet.public_key in state.signatories(account.account_id)
                else "replaced",
                "root": state.root.hex(),
            },
            as_json=as_json,
        )


@click.command("use-node")
@wallet_argument
@click.argument("torii", metavar="HOST:PORT")
@root_certificates_option(envvar="TEGATA_ROOT_CERTIFICATES")
@json_option
def use_node(
    wallet_file: Path,
    passphrase: str,
    torii: str,
    root_certificates: bytes | None,
    as_json: bool,
) -> None:
    """Have WALLET use the ledger node at HOST:PORT from now on, in plain or over TLS.

    It must be of the same ledger. Also for a node whose certificates changed: the wallet keeps
    those that it was given last. Parts of the wallet at the same node go with it.
    """
    warn_of_plain(torii, root_certificates)
    with Wallet.open(wallet_file, passphrase) as wallet:
        wallet.use_node(torii=torii, root_certificates=root_certificates)
    show({"torii": torii, "tls": root_certificates is not None}, as_json=as_json)


def _header_sources(urls: tuple[str, ...], trusted_header: str | None) -> HeaderSources | None:
    if trusted_header is None:
        return HeaderSources(urls=urls) if urls else None
    if not urls:
        raise click.UsageError("--trusted-header is of use with --headers only")
    try:
        return HeaderSources(urls=urls, trusted_header=parse_trusted_header(trusted_header))
    except LightBlockError as error:
        raise click.UsageError(f"--trusted-header: {error}") from None

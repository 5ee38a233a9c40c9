"""`tegata migrate`: take over the ledger of an irohad."""

from contextlib import closing
from pathlib import Path

import click

from chaincode.world_state import get_voters
from client_sdk.ledger.account_key import AccountKey
from node.cli.output import json_option, show
from node.cli.toml import encode_toml
from node.config import load_config, parse_config, save_secret
from node.errors import ConfigError
from node.keypair import save_keypair
from node.ledger.config import FILE_NAME, NodeConfig
from node.ledger.genesis import save_genesis
from node.ledger.irohad_blocks import open_source
from node.ledger.migration import import_history
from node.ledger.stores import LedgerStores


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--from",
    "place",
    required=True,
    help="irohad's block_store_path, its RocksDB, or host:port of its internal_port.",
)
@click.option(
    "--keypair",
    type=click.Path(path_type=Path),
    help="The peer's keypair, as irohad's --keypair_name: the path without .priv and .pub.",
)
@click.option(
    "--torii", default="127.0.0.1:50051", show_default=True, help="Where clients connect."
)
@click.option(
    "--up-to",
    type=click.IntRange(min=1),
    help="The height of irohad's last block, where the source has gone on as a node of ours.",
)
@click.option(
    "--allow-unverified",
    is_flag=True,
    help="Take blocks whose signatures do not follow from the ledger's own peers.",
)
@json_option
def migrate(
    folder: Path,
    place: str,
    keypair: Path | None,
    torii: str,
    up_to: int | None,
    allow_unverified: bool,
    as_json: bool,
) -> None:
    """Import the blocks of an irohad into the node in FOLDER, which is made.

    Given again, it takes what was added since, until the node has made a block of its own.
    """
    if not (folder / FILE_NAME).exists():
        _make_folder(folder, keypair, torii)
    config = load_config(folder / FILE_NAME, NodeConfig)
    key = AccountKey.load(config.private_key)
    with closing(open_source(place)) as source, LedgerStores(config.data) as stores:
        if not config.genesis.exists() and source.top():
            save_genesis(next(source.blocks(1)), config.genesis)
        report = import_history(stores, source, up_to=up_to, allow_unverified=allow_unverified)
        tip = stores.tip()
        with stores.state.snapshot() as view:
            peers = get_voters(view)
    others = sorted(peers - {key.public_key})
    show(
        {
            "folder": str(folder),
            "imported_blocks": report.blocks,
            "unverified_blocks": list(report.unverified),
            "height": tip.height,
            "block_hash": tip.block_hash.hex(),
            "root": tip.root.hex(),
            "voting_peers": sorted(peers),
            "next": f"on the old ledger, remove the peers {', '.join(others)}; then migrate again"
            if others
            else f"tegata node start {folder}",
        },
        as_json=as_json,
    )


def _make_folder(folder: Path, keypair: Path | None, torii: str) -> None:
    if keypair is None:
        raise ConfigError(f"{folder}: is made anew, which needs --keypair")
    config = encode_toml({"torii": torii})
    parse_config(config, NodeConfig, path=folder / FILE_NAME)
    key = AccountKey.load(keypair.with_name(keypair.name + ".priv"))
    save_keypair(key, folder / "keys" / "node.priv")
    save_secret(folder / FILE_NAME, config)

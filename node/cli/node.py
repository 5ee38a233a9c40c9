"""`tegata node`: make, run and check a ledger node."""

import tempfile
from dataclasses import asdict
from pathlib import Path

import click

from chaincode.field_rules import peer_address as valid_peer_address
from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.protocol.primitive_pb2 import Peer
from chaincode.transactions import block_hash
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from node.cli.lazy_group import LazyGroup
from node.cli.ledger_node import root_certificates_option
from node.cli.output import json_option, show, show_rows
from node.cli.progress import progress_bar
from node.cli.service_commands import folder_argument
from node.cli.toml import encode_toml
from node.config import load_config, parse_config, save_secret
from node.errors import ConfigError
from node.keypair import save_keypair
from node.ledger.config import FILE_NAME, NodeConfig
from node.ledger.daemon import LedgerNode, now_ms
from node.ledger.genesis import ADMIN_ACCOUNT, build_genesis, load_genesis, save_genesis
from node.ledger.inspection import inspect
from node.ledger.repair import repair as mend
from node.ledger.stores import BLOCKS_NAME
from node.ledger.verification import verify_chain
from node.log import configure_logging
from node.telemetry import configure_telemetry

EXIT_FINDINGS = 6


@click.group(cls=LazyGroup, places={"page": "node.cli.node_page:page"})
def node() -> None:
    """Make, run and check a ledger node."""


@node.command()
@folder_argument
@click.option(
    "--torii", default="127.0.0.1:50051", show_default=True, help="Where clients connect."
)
@click.option(
    "--peer-address",
    default="127.0.0.1:10001",
    show_default=True,
    help="The address of this peer in the genesis block.",
)
@json_option
def init(folder: Path, torii: str, peer_address: str, as_json: bool) -> None:
    """Make a new ledger in FOLDER: keys, genesis block and node.toml."""
    if (folder / FILE_NAME).exists():
        raise ConfigError(f"{folder / FILE_NAME} exists: a ledger is not made twice")
    config = encode_toml({"torii": torii})
    # Before anything is made: a folder that is half made could not be made again.
    parse_config(config, NodeConfig, path=folder / FILE_NAME)
    keys = {name: AccountKey.generate() for name in ("node", ADMIN_ACCOUNT, REGISTRY_ACCOUNT)}
    peer = Peer(address=peer_address, peer_key=keys["node"].public_key)
    for problem in valid_peer_address(peer_address):
        raise ConfigError(f"--peer-address: {problem}")
    for name, key in keys.items():
        save_keypair(key, folder / "keys" / f"{name}.priv")
    genesis = build_genesis(
        peers=[peer],
        admin_key=keys[ADMIN_ACCOUNT].public_key,
        registry_key=keys[REGISTRY_ACCOUNT].public_key,
        created_time_ms=now_ms(),
    )
    save_genesis(genesis, folder / "genesis.block")
    save_secret(folder / FILE_NAME, config)
    show(
        {
            "folder": str(folder),
            "torii": torii,
            "keys": [str(folder / "keys" / f"{name}.priv") for name in keys],
            "next": f"tegata node start {folder}",
        },
        as_json=as_json,
    )


@node.command()
@folder_argument
@click.option("--verbose", is_flag=True, help="Log more.")
def start(folder: Path, verbose: bool) -> None:
    """Run the node in FOLDER until SIGTERM or Ctrl-C."""
    configure_logging(verbose=verbose)
    configure_telemetry("node")
    with LedgerNode.in_folder(folder) as ledger:
        ledger.run()


@node.command()
@folder_argument
@click.option("--torii", help="The node's address; node.toml says it otherwise.")
@root_certificates_option()
@json_option
def status(folder: Path, torii: str | None, root_certificates: bytes | None, as_json: bool) -> None:
    """Ask the running node in FOLDER how it is."""
    config = load_config(folder / FILE_NAME, NodeConfig)
    address = torii or config.torii
    # Health is told to everybody: the key signs nothing, and the administrator's stays where it is.
    with LedgerClient(
        address,
        ADMIN_ACCOUNT,
        AccountKey.generate(),
        timeout_s=5,
        root_certificates=root_certificates,
    ) as client:
        health = client.health()
    show(
        {
            "torii": address,
            "ledger": block_hash(load_genesis(config.genesis)).hex(),
            "healthy": health.is_healthy,
            "height": health.last_block_height - 1,
            "memory_bytes": health.memory_consumption,
        },
        as_json=as_json,
    )


@node.command()
@folder_argument
@json_option
def verify(folder: Path, as_json: bool) -> None:
    """Replay the chain of the stopped node in FOLDER from genesis, and compare the state."""
    with tempfile.TemporaryDirectory() as scratch:
        report = verify_chain(folder, Path(scratch))
    show(
        {"height": report.height, "block_hash": report.block_hash.hex(), "root": report.root.hex()},
        as_json=as_json,
    )


@node.command()
@folder_argument
@json_option
def check(folder: Path, as_json: bool) -> None:
    """Read the files of the stopped node in FOLDER; say what is wrong, and what to do.

    Nothing is changed. Checksums and links are read; `verify` also replays the rules.
    """
    config = load_config(folder / FILE_NAME, NodeConfig)
    blocks = config.data / BLOCKS_NAME
    size = blocks.stat().st_size if blocks.exists() else 0
    with progress_bar("reading blocks", total=size) as tell:
        findings = inspect(config.data, tell)
    show_rows([asdict(finding) for finding in findings], empty="All is well.", as_json=as_json)
    if findings:
        raise SystemExit(EXIT_FINDINGS)


@node.command()
@folder_argument
@click.option(
    "--from",
    "peers",
    multiple=True,
    help="The `internal` address of a node to fetch lost blocks from; those in `follow` otherwise.",
)
@json_option
def repair(folder: Path, peers: tuple[str, ...], as_json: bool) -> None:
    """Mend the files of the stopped node in FOLDER; what was damaged is kept beside them."""
    config = load_config(folder / FILE_NAME, NodeConfig)
    done: list[str] = []
    mend(config.data, peers or config.follow or (), done.append)
    show({"done": done}, as_json=as_json)

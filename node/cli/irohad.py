"""`irohad`: our node under the name, the flags and the configuration of Iroha 1's daemon."""

import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final

import click
import structlog

from client_sdk.ledger.account_key import AccountKey
from node.cli.main import run
from node.errors import ConfigError
from node.ledger.daemon import LedgerNode, begin_chain
from node.ledger.genesis import load_genesis
from node.ledger.irohad_blocks import BlockSource, find_source
from node.ledger.irohad_config import (
    IrohadConfig,
    keys_without_effect,
    load_irohad_config,
    load_signer,
    metrics_address,
    node_config,
)
from node.ledger.migration import import_history
from node.ledger.stores import LedgerStores, drop_ledger, drop_state
from node.log import configure_logging
from node.telemetry import configure_telemetry

_VERBOSITY: Final = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}
_FROM_CONFIG: Final = "config_file"
_WAIT_S: Final = 0.1
_SWITCHES: Final = (
    "overwrite_ledger",
    "reuse_state",
    "drop_state",
    "wait_for_new_blocks",
    "exit_after_init",
    "syncing_node",
)
_log = structlog.get_logger(__name__)


def parse_gflags(arguments: Sequence[str]) -> list[str]:
    """Return a command line in click's form: irohad's library takes more forms than click does.

    A flag may have one dash, and a switch may be negated (`--noflag`) or be given a value.
    """
    words = []
    for word in arguments:
        dashes = len(word) - len(word.lstrip("-"))
        name, has_value, value = word[dashes:].partition("=")
        if dashes not in (1, 2) or not name:
            words.append(word)
        elif name in _SWITCHES:
            words.append(f"--{name}={value if has_value else 'true'}")
        elif name.startswith("no") and name[2:] in _SWITCHES and not has_value:
            words.append(f"--{name[2:]}=false")
        else:
            words.append(f"--{word[dashes:]}")
    return words


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """The command line of irohad, under its own names."""

    config: Path | None
    genesis_block: Path | None
    keypair_name: Path | None
    overwrite_ledger: bool
    drop_state: bool
    reuse_state: bool
    wait_for_new_blocks: bool
    exit_after_init: bool
    syncing_node: bool
    metrics_addr: str
    metrics_port: str | None
    verbosity: str


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="config.json; IROHA_... variables stand for what it leaves out, or for all of it.",
)
@click.option(
    "--genesis_block",
    type=click.Path(path_type=Path),
    help="The block that a new ledger begins with.",
)
@click.option(
    "--keypair_name", type=click.Path(path_type=Path), help="The path without .pub and .priv."
)
@click.option(
    "--overwrite_ledger",
    type=click.BOOL,
    default=False,
    help="Begin anew with --genesis_block; without it, rebuild the state from the blocks.",
)
@click.option("--drop_state", type=click.BOOL, default=False, help="Rebuild the state from blocks.")
@click.option("--reuse_state", type=click.BOOL, default=True, help="Reuse the state (the default).")
@click.option(
    "--wait_for_new_blocks",
    type=click.BOOL,
    default=False,
    help="Import the blocks that an irohad adds to its block store; answer nobody.",
)
@click.option(
    "--exit_after_init", type=click.BOOL, default=False, help="Bring the state up to date and end."
)
@click.option(
    "--syncing_node",
    type=click.BOOL,
    default=False,
    help="Follow other peers: answer queries, pass transactions on.",
)
@click.option(
    "--metrics_addr", default="127.0.0.1", show_default=True, help="With --metrics_port: where."
)
@click.option("--metrics_port", help="Serve Prometheus on this port.")
@click.option(
    "--verbosity",
    type=click.Choice([_FROM_CONFIG, *_VERBOSITY]),
    default=_FROM_CONFIG,
    show_default=True,
    help="How much is logged.",
)
@click.version_option(package_name="tegata", prog_name="irohad (tegata)")
def irohad(**given: Any) -> None:
    """Run a ledger node as Iroha 1's daemon is run, on the files that it was run with."""
    flags = Flags(**given)
    config = load_irohad_config(flags.config, os.environ)
    configure_logging(level=_log_level(config, flags.verbosity))
    configure_telemetry("node")
    if unused := keys_without_effect(config):
        _log.info("configuration keys without effect", keys=unused)
    if config.inter_peer_tls is not None:
        _log.warning("the port between peers has no TLS here: inter_peer_tls is passed over")
    own_config = node_config(config)
    if flags.metrics_port:
        address = metrics_address(f"{flags.metrics_addr}:{flags.metrics_port}")
        own_config = own_config.model_copy(update={"metrics": address})
    if flags.syncing_node:
        peers = tuple(peer.address for peer in config.initial_peers or ())
        own_config = own_config.model_copy(update={"follow": peers})
    prepare_ledger(flags, config, own_config.data)
    if flags.wait_for_new_blocks:
        _import_until_signalled(config, own_config.data)
    elif not flags.exit_after_init:
        with LedgerNode(own_config, _load_key(flags, config), None) as node:
            node.run()


def prepare_ledger(flags: Flags, config: IrohadConfig, data: Path) -> None:
    """Bring the ledger on disk to where the flags want it: begun, imported, up to date.

    Raises:
        ConfigError: There is no ledger and nothing to begin one with.
        InvalidBlockError: A block cannot be applied.
        StorageError: A store cannot be read or written.
    """
    genesis_file = flags.genesis_block
    begins_anew = flags.overwrite_ledger and genesis_file is not None
    if genesis_file is not None and begins_anew:
        # Before anything is dropped: it may be no genesis block.
        load_genesis(genesis_file)
        drop_ledger(data)
    elif flags.overwrite_ledger or flags.drop_state:
        drop_state(data)
    with LedgerStores(data) as stores:
        if not begins_anew:
            _import_blocks(config, stores)
        if stores.tip().height == 0:
            if genesis_file is None:
                raise ConfigError(
                    f"{data}: there is no ledger yet; give the block that begins it with "
                    "--genesis_block, or take over an irohad's with tegata migrate"
                )
            begin_chain(stores, load_genesis(genesis_file))
            _log.info("genesis block inserted", ledger_id=stores.ledger_id())
        elif genesis_file is not None:
            _log.warning("genesis block ignored without --overwrite_ledger: there is a ledger")


def _import_blocks(config: IrohadConfig, stores: LedgerStores) -> None:
    """Import what an irohad left where the configuration says, unless we have gone on since."""
    if stores.tip().height > stores.blocks.imported.height:
        return
    source = _irohad_blocks(config)
    if source is None:
        return
    with closing(source):
        # With peers of the operator's choice, irohad did not go by those of the ledger either.
        report = import_history(stores, source, allow_unverified=config.initial_peers is not None)
    if report.blocks:
        _log.info("blocks of irohad imported", blocks=report.blocks, height=stores.tip().height)


def _irohad_blocks(config: IrohadConfig) -> BlockSource | None:
    if config.database is not None and config.database.type == "rocksdb":
        place = config.database.path
    else:
        place = config.block_store_path
    return None if place is None else find_source(Path(place))


def _import_until_signalled(config: IrohadConfig, data: Path) -> None:
    ends: SimpleQueue[int] = SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: ends.put(received))
    with LedgerStores(data) as stores:
        _log.info("waiting for new blocks", height=stores.tip().height)
        while ends.empty():
            _import_blocks(config, stores)
            with suppress(Empty):
                ends.get(timeout=_WAIT_S)
                return


def _load_key(flags: Flags, config: IrohadConfig) -> AccountKey:
    if flags.keypair_name is not None:
        return AccountKey.load(flags.keypair_name.with_name(flags.keypair_name.name + ".priv"))
    if config.crypto is not None:
        return load_signer(config.crypto)
    raise ConfigError("the peer has no key: give --keypair_name, or crypto in the configuration")


def _log_level(config: IrohadConfig, verbosity: str) -> int:
    if verbosity == _FROM_CONFIG:
        verbosity = (config.log and config.log.level) or "info"
    return _VERBOSITY[verbosity]


def main() -> None:
    """Run the command line."""
    run("irohad", lambda: irohad(parse_gflags(sys.argv[1:])))


if __name__ == "__main__":
    main()

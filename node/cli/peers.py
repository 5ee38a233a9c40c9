"""`tegata network`: make and run the peers of a replicated ledger."""

import json
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Final

import click
from rich.console import Console

from chaincode.errors import DecodeError
from chaincode.protocol.commands_pb2 import AddPeer, Command, RemovePeer
from chaincode.protocol.primitive_pb2 import Peer
from chaincode.signatures import parse_public_key
from client_sdk.errors import TransportError
from client_sdk.http.client import HttpClient
from client_sdk.ledger.account_key import AccountKey
from client_sdk.ledger.client import LedgerClient
from node.cli.network_view import network_view, status_table
from node.cli.output import json_option, show
from node.cli.service_commands import folder_argument
from node.errors import NetworkError, PeerUnreachableError
from node.ledger.daemon import now_ms
from node.ledger.genesis import ADMIN_ACCOUNT
from node.network.cometbft_config import StateSync
from node.network.layout import (
    LOOPBACK,
    MAX_PEERS,
    PeerFolder,
    PeerPlace,
    peer_folders,
    write_network,
    write_peer,
)
from node.network.peer_processes import PeerProcesses
from node.network.peer_status import (
    NetworkWatch,
    deciding_peers,
    header_hash,
    newest_header,
)
from node.network.refounding import refound as found_anew

EXIT_NOT_LEVEL: Final = 1
_SYNC_SOURCES: Final = 2
_PATIENCE_S: Final = 60
_PAUSE_S: Final = 0.2


@click.group()
def network() -> None:
    """Make and run the peers of a replicated ledger."""


@network.command()
@click.option(
    "--peers",
    type=click.IntRange(1, MAX_PEERS),
    default=4,
    show_default=True,
    help="How many; of 3f + 1, f may fail or lie.",
)
@click.option(
    "--host",
    "hosts",
    multiple=True,
    help="The host of each peer, in their order, where each has one; all are on this machine "
    "otherwise.",
)
@click.option(
    "--first-port",
    type=click.IntRange(1, 65_535),
    default=27_000,
    show_default=True,
    help="On one machine each peer has ten ports from here on; its first is Torii's.",
)
@folder_argument
@json_option
def init(folder: Path, peers: int, hosts: tuple[str, ...], first_port: int, as_json: bool) -> None:
    """Make a new network in FOLDER: for each peer keys, genesis, and configuration.

    The keys of the administrator and of the registrar are in the folder of the first peer.
    """
    if hosts and len(hosts) != peers:
        raise click.UsageError(f"{peers} peers, but {len(hosts)} hosts")
    numbers = range(1, peers + 1)
    if hosts:
        places = [PeerPlace.on_host(n, host) for n, host in zip(numbers, hosts, strict=True)]
    else:
        places = [PeerPlace.on_one_machine(number, first_port) for number in numbers]
    ledger_id = write_network(folder, places, created_time_ms=now_ms())
    show(
        {
            "ledger": ledger_id,
            "peers": [str(folder / place.name) for place in places],
            "torii": [f"{place.host}:{place.torii}" for place in places],
            "headers": [f"http://{place.host}:{place.rpc}" for place in places],
            "next": "copy each peer's folder to its host"
            if hosts
            else f"tegata network start {folder}",
        },
        as_json=as_json,
    )


@network.command()
@click.option("--host", help="Where it will be; where all peers are on this machine, here.")
@click.option(
    "--replay",
    is_flag=True,
    help="It fetches all blocks and decides them again, instead of the state of two running peers.",
)
@folder_argument
@json_option
def add(folder: Path, host: str | None, replay: bool, as_json: bool) -> None:
    """Make the files of one more peer of the network in FOLDER.

    Started, it follows the others; it votes once it is admitted.
    """
    folders = peer_folders(folder)
    number = int(folders[-1].name.removeprefix("peer")) + 1
    if host is None and folders[0].host != LOOPBACK:
        raise click.UsageError("--host is needed: each peer has a host of its own")
    if host is None:
        first_port = int(folders[0].torii().rpartition(":")[2])
        place = PeerPlace.on_one_machine(number, first_port)
    else:
        place = PeerPlace.on_host(number, host)
    state_sync = None if replay else _state_sync([one.rpc_url() for one in folders])
    key = write_peer(folder, place, [one.neighbour() for one in folders], state_sync)
    show(
        {
            "folder": str(folder / place.name),
            "key": key.public_key,
            "torii": f"{place.host}:{place.torii}",
            "next": f"tegata node start {folder / place.name}",
        },
        as_json=as_json,
    )


def _state_sync(urls: Sequence[str]) -> StateSync:
    """Return how a new peer gets its state from two running ones, which must agree."""
    http = HttpClient(timeout_s=5, retries=0)
    found: list[tuple[str, int]] = []
    for url in urls:
        try:
            found.append((url, newest_header(url, http)[0]))
        except TransportError:
            continue
    # CometBFT wants two; of a network of one peer they are the same.
    if len(found) < min(_SYNC_SOURCES, len(urls)):
        raise NetworkError("two running peers are needed to get the state from; or give --replay")
    chosen = (found * _SYNC_SOURCES)[:_SYNC_SOURCES]
    height = min(height for _, height in chosen)
    hashes = {header_hash(url, http, height) for url, _ in chosen}
    if len(hashes) > 1:
        raise NetworkError(f"the peers {chosen[0][0]} and {chosen[1][0]} differ at height {height}")
    return StateSync(
        rpc_servers=[url for url, _ in chosen], trust_height=height, trust_hash=hashes.pop()
    )


@network.command()
@folder_argument
@click.argument("peer")
@json_option
def admit(folder: Path, peer: str, as_json: bool) -> None:
    """Let PEER of the network in FOLDER, such as peer5, vote: its key becomes a validator's.

    Ends when it votes: with the block after the one that says so.
    """
    _change_peers(
        folder,
        peer,
        lambda one: Command(add_peer=AddPeer(peer=one)),
        votes=True,
        as_json=as_json,
    )


@network.command()
@folder_argument
@click.argument("peer")
@json_option
def dismiss(folder: Path, peer: str, as_json: bool) -> None:
    """Let PEER of the network in FOLDER, such as peer2, vote no more; its key names it too.

    Ends when nobody waits for its vote any more: do not stop it before.
    """
    _change_peers(
        folder,
        peer,
        lambda one: Command(remove_peer=RemovePeer(public_key=one.peer_key)),
        votes=False,
        as_json=as_json,
    )


@network.command()
@folder_argument
@click.argument("peer")
@click.confirmation_option(
    prompt="No other peer of the network may ever start again as it is. Are all of them off?",
    help="Do not ask whether all other peers are off for ever.",
)
@json_option
def refound(folder: Path, peer: str, as_json: bool) -> None:
    """Let PEER, whose node has stopped, go on alone: too few others are left to decide.

    The ledger stays; the administrator's key, in the folder of the first peer of the network in
    FOLDER, takes the vote from all others. Wallets need a header that somebody vouches for.
    """
    folders = peer_folders(folder)
    chosen = next((one for one in folders if one.name == peer), None)
    if chosen is None:
        raise click.BadParameter(f"{peer}: no peer's folder", param_hint="PEER")
    key = AccountKey.load(folders[0].path / "keys" / f"{ADMIN_ACCOUNT}.priv")
    done = found_anew(chosen, key, now_ms=now_ms())
    show(
        {
            "peer": peer,
            "ledger_height": done.ledger_height,
            "first_height": done.first_height,
            "removed": list(done.removed),
            "next": f"tegata node start {chosen.path}",
        },
        as_json=as_json,
    )


def _change_peers(
    folder: Path, name: str, change: Callable[[Peer], Command], *, votes: bool, as_json: bool
) -> None:
    """Send the administrator's command about a peer to the first peer that answers.

    Ends when it holds: whether the peer `votes` is then as told, by another one's word if there is
    another one. One that is dismissed, and stops then, may have come further than all others.
    """
    folders = peer_folders(folder)
    peer = _named_peer(folders, name)
    key = AccountKey.load(folders[0].path / "keys" / f"{ADMIN_ACCOUNT}.priv")
    for one in sorted(folders, key=lambda one: one.name == name):
        with LedgerClient(one.torii(), ADMIN_ACCOUNT, key, timeout_s=_PATIENCE_S) as client:
            try:
                client.health()
            except TransportError:
                continue
            client.submit(change(peer))
            break
    else:
        raise PeerUnreachableError("no peer of the network can be reached")
    _wait_until_deciding(one.rpc_url(), peer.peer_key, votes=votes)
    show({"peer": name, "key": peer.peer_key, "through": one.torii()}, as_json=as_json)


def _wait_until_deciding(url: str, key: str, *, votes: bool) -> None:
    """Wait until the peer of a key decides, or decides no more, by the word of a peer's RPC."""
    http = HttpClient(timeout_s=5)
    deadline = time.monotonic() + _PATIENCE_S
    while (key in deciding_peers(url, http)) is not votes:
        if time.monotonic() > deadline:
            raise NetworkError(
                "the change is in the ledger but does not hold yet: the block after it must be "
                "decided by the peers of before, more than two thirds of whom must run "
                "(tegata network status shows them)"
            )
        time.sleep(_PAUSE_S)


def _named_peer(folders: Sequence[PeerFolder], name: str) -> Peer:
    """Return the peer of a folder's name, or of a key where its folder is gone."""
    for one in folders:
        if one.name == name:
            return one.peer()
    try:
        return Peer(peer_key=parse_public_key(name.lower()).encode())
    except DecodeError:
        raise click.BadParameter(
            f"{name}: neither a peer's folder nor a key", param_hint="PEER"
        ) from None


@network.command()
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0),
    default=0.0,
    help="So many seconds until all peers are at one height, with one state.",
)
@folder_argument
@json_option
def status(folder: Path, wait_s: float, as_json: bool) -> None:
    """Tell how the peers of the network in FOLDER are; exit code 1 where one is not as the others.

    Peers that do not run are among them.
    """
    watch = _watch(peer_folders(folder))
    deadline = time.monotonic() + wait_s
    found = watch.look()
    while not found.is_level and time.monotonic() < deadline:
        time.sleep(_PAUSE_S)
        found = watch.look()
    if as_json:
        click.echo(json.dumps(asdict(found) | {"is_level": found.is_level}, indent=2))
    else:
        Console().print(status_table(found, {}))
    if not found.is_level:
        raise SystemExit(EXIT_NOT_LEVEL)


@network.command()
@click.option(
    "--seconds", type=click.FloatRange(min=0.1), default=1.0, help="How often it is looked at."
)
@folder_argument
@json_option
def start(folder: Path, seconds: float, as_json: bool) -> None:
    """Run all peers of the network in FOLDER on this machine, until SIGTERM or Ctrl-C.

    Shows how they are; with --json a line of JSON for each look. Logs are in the peers' folders.
    """
    folders = peer_folders(folder)
    watch = _watch(folders)
    ends = _end_signal()
    with PeerProcesses(folders) as processes, network_view(as_json=as_json) as view:
        started, batches = time.monotonic(), 0
        while not ends.wait(seconds):
            status, now = watch.look(), time.monotonic()
            ended = {one.folder.name: one.ended for one in processes.peers}
            view.update(status, ended, (status.batches - batches) / (now - started))
            started, batches = now, status.batches
            if all(ended.values()):
                raise NetworkError(f"all peers have ended: {ended[folders[0].name]}")


def _watch(folders: Sequence[PeerFolder]) -> NetworkWatch:
    return NetworkWatch(
        [(one.name, one.rpc_url()) for one in folders], HttpClient(timeout_s=2, retries=0)
    )


def _end_signal() -> threading.Event:
    """Return what is set by SIGTERM or Ctrl-C."""
    ends = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ends.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    return ends

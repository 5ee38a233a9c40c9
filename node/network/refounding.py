"""Founding a replicated ledger anew by one of its peers, where too few are left to decide.

The ledger goes on: its blocks and its state stay, and one block of the administrator's makes the
peer that is left the only one that votes. CometBFT begins a new chain above it, at a height that
this peer has not signed, so that nobody takes a header of the one for one of the other (ADR 0074).
"""

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chaincode.batches import validate_batches
from chaincode.blocks import Verdict
from chaincode.protocol.commands_pb2 import AddPeer, Command, RemovePeer
from chaincode.protocol.primitive_pb2 import Signature
from chaincode.protocol.transaction_pb2 import Transaction
from chaincode.replication import chain_id
from chaincode.world_state import get_voters
from client_sdk.ledger.account_key import AccountKey
from node.errors import ConfigError, NetworkError
from node.ledger.abci.snapshot_writer import SNAPSHOTS_NAME
from node.ledger.candidate import Candidate
from node.ledger.engine import Engine
from node.ledger.genesis import ADMIN_ACCOUNT
from node.ledger.replication_rows import ReplicationChange
from node.ledger.stores import LedgerStores
from node.ledger.synced_files import sync_folder, write_synced
from node.network.cometbft_config import genesis_json
from node.network.layout import PeerFolder

_BEFORE: Final = "before-"
_SIGNED: Final = "priv_validator_state.json"
_STATE_SYNC: Final = re.compile(r"^(\[statesync\]\nenable = )true$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refounded:
    """How a ledger goes on.

    Attributes:
        ledger_height: Of the block that makes the peer the only one that votes.
        first_height: Of CometBFT's new chain.
        removed: The keys of the peers that vote no more.
    """

    ledger_height: int
    first_height: int
    removed: tuple[str, ...]


def refound(peer: PeerFolder, admin_key: AccountKey, *, now_ms: int) -> Refounded:
    """Make a peer the only one of its ledger. Its node and CometBFT must have stopped.

    Broken off at any point, it can be done again.

    Args:
        peer: The peer that is left.
        admin_key: The administrator's key.
        now_ms: The time, milliseconds since 1970, UTC.

    Raises:
        ConfigError: A file of the peer cannot be used.
        NetworkError: The ledger is not one to do this with, or the administrator may not.
        StorageError: The node runs, or a store is damaged.
        KeyFormatError: The peer's key cannot be read.
    """
    config = peer.load_node()
    if config.cometbft is None:
        raise ConfigError(f"{peer.path}: no replicated node is in it")
    key = AccountKey.load(config.private_key)
    with LedgerStores(config.data, is_replicated=True) as stores:
        with stores.state.snapshot() as view:
            position, voters = view.position(), get_voters(view)
            waiting = [entry.batch.hash for entry in view.pending()]
            ledger_id = view.ledger_id() or ""
        removed = tuple(sorted(voters - {key.public_key}))
        if position is None:
            first_height = _begun_height(peer, removed)
        else:
            first_height = max(position.height, _signed_height(peer)) + 1
            commands = [Command(remove_peer=RemovePeer(public_key=one)) for one in removed]
            if key.public_key not in voters:
                commands.insert(0, Command(add_peer=AddPeer(peer=peer.peer())))
            engine = Engine(stores.blocks, stores.state, key, is_replicated=True)
            candidate = _decide(engine, commands, admin_key, now_ms=now_ms)
            _write_genesis(peer, genesis_json(chain_id(ledger_id), now_ms, [key], first_height))
            # From here on nobody knows how far CometBFT had come.
            forgotten = ReplicationChange(position=None, pending=dict.fromkeys(waiting))
            engine.commit(candidate, forgotten)
        height = stores.tip().height
    _begin_anew(peer, config.data, first_height)
    return Refounded(ledger_height=height, first_height=first_height, removed=removed)


def _decide(
    engine: Engine, commands: Sequence[Command], admin_key: AccountKey, *, now_ms: int
) -> Candidate:
    """Return the block that changes who votes."""
    if not commands:
        raise NetworkError("the peer is the only one that votes: it needs no other one")
    message = Transaction()
    reduced = message.payload.reduced_payload
    reduced.commands.extend(commands)
    reduced.creator_account_id = ADMIN_ACCOUNT
    reduced.created_time = now_ms
    reduced.quorum = 1
    signature = admin_key.sign(message.payload.SerializeToString())
    message.signatures.append(Signature(public_key=admin_key.public_key, signature=signature))
    candidate = engine.finalize(now_ms, validate_batches([message], None, 1))
    (receipt,) = candidate.receipts
    if receipt.verdict is not Verdict.COMMITTED:
        raise NetworkError(f"the administrator may not change who votes: {receipt.reason}")
    return candidate


def _begun_height(peer: PeerFolder, others: tuple[str, ...]) -> int:
    """Return the height that an earlier attempt has chosen, which was broken off."""
    path = peer.home / "config" / "genesis.json"
    height = _number(path, "initial_height")
    if others or height == 1:
        raise NetworkError(f"{peer.path}: its ledger has not been replicated yet")
    return height


def _signed_height(peer: PeerFolder) -> int:
    """Return up to which height the peer's key has signed."""
    return _number(peer.home / "data" / _SIGNED, "height")


def _number(path: Path, name: str) -> int:
    try:
        return int(json.loads(path.read_bytes())[name])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: {name}: cannot be read ({type(error).__name__})") from None


def _write_genesis(peer: PeerFolder, text: str) -> None:
    path = peer.home / "config" / "genesis.json"
    try:
        _replace(path, text)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None


def _replace(path: Path, text: str) -> None:
    """Write a file anew: after a power cut it is this one or the one before, and whole.

    Raises:
        OSError: The disk refused.
    """
    new = path.with_suffix(".new")
    write_synced(new, text.encode())
    shutil.copymode(path, new)
    new.replace(path)
    sync_folder(path.parent)


def _begin_anew(peer: PeerFolder, ledger_data: Path, first_height: int) -> None:
    """Put what CometBFT has aside, but for what its key has signed."""
    data, config = peer.home / "data", peer.home / "config" / "config.toml"
    before = peer.home / f"{_BEFORE}{first_height}"
    try:
        if not before.exists():
            data.rename(before)
        if not data.exists():
            made = data.with_suffix(".new")
            shutil.rmtree(made, ignore_errors=True)
            made.mkdir(mode=0o700)
            # Without it CometBFT could sign a second time what its key has signed.
            write_synced(made / _SIGNED, (before / _SIGNED).read_bytes())
            shutil.copymode(before / _SIGNED, made / _SIGNED)
            sync_folder(made)
            made.rename(data)
            sync_folder(peer.home)
        text = config.read_text(encoding="utf-8")
        _replace(config, _STATE_SYNC.sub(r"\1false", text))
        snapshots = ledger_data / SNAPSHOTS_NAME
        if snapshots.exists():
            shutil.rmtree(snapshots)
    except OSError as error:
        raise ConfigError(f"{peer.home}: cannot be begun anew: {error}") from None

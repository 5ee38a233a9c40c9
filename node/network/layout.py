"""Where the parts of a network's peers stand: folders, addresses, and the files that `init` writes.

A peer's folder holds all that its host needs: `node.toml`, `genesis.block` and `keys/` of the
ledger node, and `cometbft/`, the home of the CometBFT beside it.
"""

import base64
import json
import shutil
import tomllib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from chaincode.field_rules import peer_address as valid_peer_address
from chaincode.ids import REGISTRY_ACCOUNT
from chaincode.protocol.block_pb2 import Block
from chaincode.protocol.primitive_pb2 import Peer
from chaincode.replication import chain_id
from chaincode.transactions import block_hash
from client_sdk.errors import KeyFormatError
from client_sdk.ledger.account_key import SEED_BYTES, AccountKey
from node.config import load_config, save_secret
from node.errors import ConfigError
from node.keypair import save_keypair
from node.ledger.config import FILE_NAME, NodeConfig
from node.ledger.genesis import ADMIN_ACCOUNT, build_genesis, load_genesis, save_genesis
from node.network.cometbft_config import CometBftNode, StateSync, config_toml, genesis_json
from node.network.cometbft_keys import key_address, save_node_key, save_validator_key

MAX_PEERS: Final = 64
LOOPBACK: Final = "127.0.0.1"
_PORTS_OF_ONE: Final = 10
_MAX_PORT: Final = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerPlace:
    """Where one peer is reached.

    Attributes:
        name: `peer1` and so on: its folder's name.
        host: The name or address that other hosts know it by.
        torii: The port of clients.
        p2p: The port of other peers.
        rpc: The port where headers are read.
        metrics: The port of CometBFT's metrics, on loopback.
        listen: The address that the ports of others are bound to.
    """

    name: str
    host: str
    torii: int
    p2p: int
    rpc: int
    metrics: int
    listen: str

    @classmethod
    def on_one_machine(cls, number: int, first_port: int) -> Self:
        """Return the place of a peer, from 1, among others on this machine.

        Raises:
            ConfigError: The ports go beyond the last one.
        """
        first = first_port + (number - 1) * _PORTS_OF_ONE
        if first + _PORTS_OF_ONE > _MAX_PORT:
            raise ConfigError(f"--first-port {first_port}: there is no room for peer {number}")
        return cls(
            name=f"peer{number}",
            host=LOOPBACK,
            torii=first,
            p2p=first + 1,
            rpc=first + 2,
            metrics=first + 3,
            listen=LOOPBACK,
        )

    @classmethod
    def on_host(cls, number: int, host: str) -> Self:
        """Return the place of a peer, from 1, that has a host of its own."""
        return cls(
            name=f"peer{number}",
            host=host,
            torii=50051,
            p2p=26656,
            rpc=26657,
            metrics=26660,
            listen="0.0.0.0",  # noqa: S104 - a host of its own; docs/operations.md says what to close
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerFolder:
    """A peer's files.

    Attributes:
        path: The folder of all.
    """

    path: Path

    @property
    def home(self) -> Path:
        """The home of CometBFT."""
        return self.path / "cometbft"

    @property
    def name(self) -> str:
        """What the peer is called."""
        return self.path.name

    def load_node(self) -> NodeConfig:
        """Read the ledger node's configuration.

        Raises:
            ConfigError: It cannot be used.
        """
        return load_config(self.path / FILE_NAME, NodeConfig)

    @property
    def host(self) -> str:
        """The name or address that other hosts know the peer by.

        Raises:
            ConfigError: CometBFT's configuration cannot be read.
        """
        return self._setting("p2p", "external_address").rpartition(":")[0]

    def torii(self) -> str:
        """Return `host:port` where clients connect.

        Raises:
            ConfigError: A configuration cannot be used.
        """
        return f"{self.host}:{self.load_node().torii.rpartition(':')[2]}"

    def rpc_url(self) -> str:
        """Return where the RPC of CometBFT is asked.

        Raises:
            ConfigError: A configuration cannot be used, or is of a node that is not replicated.
        """
        config = self.load_node().cometbft
        if config is None:
            raise ConfigError(f"{self.path / FILE_NAME}: `cometbft` is missing: no replicated node")
        return f"http://{self.host}:{config.rpc.rpartition(':')[2]}"

    def neighbour(self) -> str:
        """Return `ID@host:port`, by which other peers find this one.

        Raises:
            ConfigError: CometBFT's configuration or the node's key cannot be read.
        """
        path = self.home / "config" / "node_key.json"
        try:
            pair = base64.b64decode(json.loads(path.read_bytes())["priv_key"]["value"])
            key = AccountKey(pair[:SEED_BYTES])
        except (OSError, ValueError, KeyError, TypeError, KeyFormatError) as error:
            raise ConfigError(f"{path}: no key of CometBFT ({type(error).__name__})") from None
        return f"{key_address(key)}@{self._setting('p2p', 'external_address')}"

    def peer(self) -> Peer:
        """Return what the ledger names this peer by, where it votes.

        Raises:
            ConfigError: CometBFT's configuration cannot be read.
            KeyFormatError: The peer's key cannot be read.
        """
        key = AccountKey.load(self.load_node().private_key)
        address = self._setting("p2p", "external_address")
        return Peer(address=address, peer_key=key.public_key)

    def _setting(self, table: str, name: str) -> str:
        path = self.home / "config" / "config.toml"
        try:
            value = tomllib.loads(path.read_text(encoding="utf-8"))[table][name]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{path}: {table}.{name}: cannot be read ({error})") from None
        return str(value)


def peer_folders(folder: Path) -> list[PeerFolder]:
    """Return the peers whose files are in a network's folder, by number.

    Raises:
        ConfigError: There are none.
    """
    found = [
        PeerFolder(path=path)
        for path in folder.glob("peer*")
        if path.name.removeprefix("peer").isdecimal() and (path / FILE_NAME).is_file()
    ]
    if not found:
        raise ConfigError(f"{folder}: no network is in it; tegata network init makes one")
    return sorted(found, key=lambda peer: int(peer.name.removeprefix("peer")))


def write_network(folder: Path, places: Sequence[PeerPlace], *, created_time_ms: int) -> str:
    """Write the files of a new network.

    The keys of the administrator and the registrar are in the first peer's folder, where
    `tegata issuer init --network` finds them.

    Args:
        folder: Where each peer gets a folder.
        places: The peers.
        created_time_ms: The genesis block's time, milliseconds since 1970, UTC.

    Returns:
        The ledger's id, 64 hex digits.

    Raises:
        ConfigError: There is a network already, or the folder cannot be written.
    """
    if any(folder.glob("peer*")):
        raise ConfigError(f"{folder}: there is a network already: a ledger is not made twice")
    for place in places:
        for problem in valid_peer_address(f"{place.host}:{place.p2p}"):
            raise ConfigError(f"host {place.host!r}: {problem}")
    peer_keys = [AccountKey.generate() for _ in places]
    node_keys = [AccountKey.generate() for _ in places]
    operators = {name: AccountKey.generate() for name in (ADMIN_ACCOUNT, REGISTRY_ACCOUNT)}
    genesis = build_genesis(
        peers=[
            Peer(address=f"{place.host}:{place.p2p}", peer_key=key.public_key)
            for place, key in zip(places, peer_keys, strict=True)
        ],
        admin_key=operators[ADMIN_ACCOUNT].public_key,
        registry_key=operators[REGISTRY_ACCOUNT].public_key,
        created_time_ms=created_time_ms,
    )
    ledger_id = block_hash(genesis).hex()
    chain = genesis_json(chain_id(ledger_id), created_time_ms, peer_keys)
    ids = [
        f"{key_address(key)}@{place.host}:{place.p2p}"
        for place, key in zip(places, node_keys, strict=True)
    ]
    with ExitStack() as undo:
        for number, place in enumerate(places):
            files = PeerFiles(
                place=place,
                peer_key=peer_keys[number],
                node_key=node_keys[number],
                neighbours=[one for one in ids if one != ids[number]],
            )
            files.write(folder / place.name, genesis, chain)
            # What is half made could not be made again.
            undo.callback(shutil.rmtree, folder / place.name)
        for name, key in operators.items():
            save_keypair(key, folder / places[0].name / "keys" / f"{name}.priv")
        undo.pop_all()
    return ledger_id


def write_peer(
    folder: Path, place: PeerPlace, neighbours: Sequence[str], state_sync: StateSync | None
) -> AccountKey:
    """Write the files of one more peer of a network, and return its key.

    Args:
        folder: The network's folder; its first peer has the genesis block.
        place: The new peer.
        neighbours: Other peers, each as `ID@host:port`.
        state_sync: How the state comes; None where the blocks are replayed.

    Raises:
        ConfigError: The folder is there already, or a file cannot be read or written.
    """
    first = peer_folders(folder)[0]
    genesis = load_genesis(first.path / "genesis.block")
    chain = (first.home / "config" / "genesis.json").read_text(encoding="utf-8")
    key = AccountKey.generate()
    files = PeerFiles(
        place=place,
        peer_key=key,
        node_key=AccountKey.generate(),
        neighbours=neighbours,
        state_sync=state_sync,
    )
    files.write(folder / place.name, genesis, chain)
    return key


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerFiles:
    """What is written into a peer's folder."""

    place: PeerPlace
    peer_key: AccountKey
    node_key: AccountKey
    neighbours: Sequence[str]
    state_sync: StateSync | None = None

    def write(self, folder: Path, genesis: Block, chain: str) -> None:
        """Write all of it; a folder that cannot be finished is taken away again.

        Raises:
            ConfigError: The folder is there already, or cannot be written.
        """
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise ConfigError(f"{folder}: cannot be made: {error.strerror}") from None
        try:
            self._write(folder, genesis, chain)
        except BaseException:
            shutil.rmtree(folder)
            raise

    def _write(self, folder: Path, genesis: Block, chain: str) -> None:
        place, peer = self.place, PeerFolder(path=folder)
        config, data = peer.home / "config", peer.home / "data"
        for one in (config, data):
            one.mkdir(mode=0o700, parents=True)
        save_keypair(self.peer_key, folder / "keys" / "node.priv")
        save_genesis(genesis, folder / "genesis.block")
        save_validator_key(self.peer_key, config, data)
        save_node_key(self.node_key, config)
        (config / "genesis.json").write_text(chain, encoding="utf-8")
        node = CometBftNode(
            name=place.name,
            rpc=f"{place.listen}:{place.rpc}",
            p2p=f"{place.listen}:{place.p2p}",
            address=f"{place.host}:{place.p2p}",
            neighbours=self.neighbours,
            metrics=f"{LOOPBACK}:{place.metrics}",
            state_sync=self.state_sync,
        )
        save_secret(config / "config.toml", config_toml(node))
        save_secret(folder / FILE_NAME, _node_toml(place))


def _node_toml(place: PeerPlace) -> str:
    return f"""\
torii = "{place.listen}:{place.torii}"

# The CometBFT beside this node, which it starts: its home is the folder `cometbft`.
[cometbft]
rpc = "{place.listen}:{place.rpc}"
"""

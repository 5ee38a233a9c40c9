"""How the peers of a network are, as their CometBFT nodes tell it."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from chaincode.encoding import JsonObject
from chaincode.signatures import KeyAlgorithm, PublicKey
from client_sdk.errors import TransportError
from client_sdk.http.client import HttpClient
from client_sdk.strict_json import JsonFields

_MOST_BLOCKS: Final = 20
"""How many blocks one answer of CometBFT lists."""
_MOST_VALIDATORS: Final = 100
"""How many validators one answer of CometBFT lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerStatus:
    """How one peer is.

    Attributes:
        name: Its name.
        height: Of its newest block at CometBFT; None where it cannot be reached.
        app_hash: What its newest header says of the state, in hex.
        neighbours: With how many peers it is connected.
        is_catching_up: Whether it fetches blocks that others have decided.
        power: The weight of its vote; 0 where it only follows.
    """

    name: str
    height: int | None = None
    app_hash: str = ""
    neighbours: int = 0
    is_catching_up: bool = False
    power: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkStatus:
    """How a network is.

    Attributes:
        peers: Each of its peers.
        height: The highest block.
        batches: How many batches were decided since the watch began.
        is_agreed: Whether all peers that can be reached have the same state at the height that
            they all have; None where fewer than two can be.
    """

    peers: tuple[PeerStatus, ...]
    height: int
    batches: int
    is_agreed: bool | None

    @property
    def is_level(self) -> bool:
        """Whether all peers are at one height, with one state."""
        heights = {None if peer.is_catching_up else peer.height for peer in self.peers}
        return heights == {self.height} and self.is_agreed is not False


@dataclass(slots=True)
class NetworkWatch:
    """Asks the peers of a network how they are.

    Attributes:
        peers: The name of each peer, and the URL of its RPC.
        http: How they are reached.
    """

    peers: Sequence[tuple[str, str]]
    http: HttpClient
    _counted: int = field(default=0, init=False)
    _batches: int = field(default=0, init=False)

    def look(self) -> NetworkStatus:
        """Return how the network is now."""
        found = tuple(self._ask(name, url) for name, url in self.peers)
        heights = [peer.height for peer in found if peer.height is not None]
        height = max(heights, default=0)
        if height:
            first = next(index for index, peer in enumerate(found) if peer.height == height)
            self._count(self.peers[first][1], height)
        return NetworkStatus(
            peers=found,
            height=height,
            batches=self._batches,
            is_agreed=self._is_agreed(found, min(heights, default=0)),
        )

    def _ask(self, name: str, url: str) -> PeerStatus:
        try:
            status = _call(self.http, f"{url}/status")
            neighbours = _call(self.http, f"{url}/net_info").text("n_peers")
        except TransportError:
            return PeerStatus(name=name)
        sync = status.member("sync_info")
        return PeerStatus(
            name=name,
            height=int(sync.text("latest_block_height")),
            app_hash=sync.text("latest_app_hash"),
            neighbours=int(neighbours),
            is_catching_up=sync.flag("catching_up"),
            power=int(status.member("validator_info").text("voting_power")),
        )

    def _count(self, url: str, height: int) -> None:
        """Count what the blocks hold that came since the last look."""
        first = max(self._counted + 1, height - _MOST_BLOCKS + 1) if self._counted else height
        if first > height:
            return
        try:
            answer = _call(self.http, f"{url}/blockchain?minHeight={first}&maxHeight={height}")
        except TransportError:
            return
        is_new = self._counted > 0
        for block in answer.objects("block_metas"):
            self._batches += int(block.text("num_txs")) if is_new else 0
        self._counted = height

    def _is_agreed(self, found: Sequence[PeerStatus], height: int) -> bool | None:
        roots: set[str] = set()
        count = 0
        for peer, (_, url) in zip(found, self.peers, strict=True):
            if peer.height is None or not height:
                continue
            try:
                roots.add(_app_hash(_call(self.http, f"{url}/commit?height={height}")))
            except TransportError:
                continue
            count += 1
        return len(roots) == 1 if count > 1 else None


def newest_header(url: str, http: HttpClient) -> tuple[int, str]:
    """Return height and hash of the newest header that a peer has, the hash in hex.

    Raises:
        TransportError: The peer cannot be reached.
    """
    return _header(_call(http, f"{url}/commit"))


def header_hash(url: str, http: HttpClient, height: int) -> str:
    """Return the hash of a header that a peer has, in hex.

    Raises:
        TransportError: The peer cannot be reached, or does not have it.
    """
    return _header(_call(http, f"{url}/commit?height={height}"))[1]


def deciding_peers(url: str, http: HttpClient) -> frozenset[str]:
    """Return the keys of the peers that decide the next block, in the form that Iroha writes.

    They are not the ledger's where a block has just changed those: its change holds from the next
    block but one (ABCI 2.0, `FinalizeBlock`, `validator_updates`).

    Raises:
        TransportError: The peer cannot be reached.
    """
    found = _call(http, f"{url}/validators?per_page={_MOST_VALIDATORS}").objects("validators")
    keys = (base64.b64decode(one.member("pub_key").text("value")) for one in found)
    return frozenset(PublicKey(KeyAlgorithm.ED25519_SHA2, key).encode() for key in keys)


def _header(commit: JsonFields) -> tuple[int, str]:
    signed = commit.member("signed_header")
    found = signed.member("commit").member("block_id").text("hash")
    return int(signed.member("header").text("height")), found


def _app_hash(commit: JsonFields) -> str:
    return commit.member("signed_header").member("header").text("app_hash")


def _call(http: HttpClient, url: str) -> JsonFields:
    result = http.get(url).json().get("result")
    value: JsonObject = result if isinstance(result, dict) else {}
    return JsonFields(value, what=url, error=TransportError)

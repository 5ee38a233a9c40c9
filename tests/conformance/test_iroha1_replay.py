"""Recorded exchanges with irohad, replayed in order: equal answers, or a listed difference."""

import shutil
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.iroha1_replay import (
    VECTORS,
    Difference,
    ReplayClient,
    ReplayClock,
    load_blocks,
    load_exchanges,
)

from chaincode.batches import Batch
from chaincode.protocol.block_pb2 import Block
from node.ledger import daemon, engine
from node.ledger.block_store import BlockStore
from node.ledger.candidate import Candidate
from node.ledger.daemon import LedgerNode
from node.ledger.engine import Engine

MAX_PROPOSAL_SIZE = 10
"""As irohad was configured."""
LISTED: dict[str, dict[str, Any]] = {
    row["exchange"]: row
    for row in tomllib.loads((VECTORS / "differences.toml").read_text(encoding="utf-8"))[
        "difference"
    ]
}


class ReplayStand:
    """The node under test, which is stopped and started again around exchanges that diverge."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.clock = ReplayClock()
        self._blocks = load_blocks()
        self._running = ExitStack()

    def start(self, folder: Path) -> ReplayClient:
        """Start a node in a folder; return a client of it."""
        node = self._running.enter_context(LedgerNode.in_folder(folder))
        client = ReplayClient(node.address, self.clock, node.addresses["health_address"])
        return self._running.enter_context(client)

    def block_time(self, height: int, otherwise: int) -> int:
        """Return when irohad made the block at a height."""
        block = Block.FromString(self._blocks.get(height, b""))
        return block.block_v1.payload.created_time or otherwise

    def replay_all(self) -> Iterator[tuple[str, list[Difference]]]:
        """Yield the differences of each exchange, in order, and at the end those of the blocks."""
        with self._running:
            client = self.start(self._folder)
            for exchange in load_exchanges():
                if LISTED.get(exchange["name"], {}).get("diverges"):
                    yield exchange["name"], self._replay_aside(exchange)
                    client = self.start(self._folder)
                else:
                    yield exchange["name"], client.replay(exchange)
        yield "every block", self._compare_blocks(self._folder, self._blocks)

    def _replay_aside(self, exchange: dict[str, Any]) -> list[Difference]:
        """Replay an exchange on a copy of the ledger; the ledger takes irohad's own blocks over."""
        self._running.close()
        copy = self._folder.with_name("aside")
        shutil.copytree(self._folder, copy)
        differences = self.start(copy).replay(exchange)
        self._running.close()
        differences += self._compare_blocks(copy, exchange["block_heights"])
        shutil.rmtree(copy)
        store = BlockStore(self._folder / "data" / "blocks")
        for height in exchange["block_heights"]:
            store.append(Block.FromString(self._blocks[height]))
        store.close()
        return differences

    def _compare_blocks(self, folder: Path, heights: Iterable[int]) -> list[Difference]:
        store = BlockStore(folder / "data" / "blocks")
        ours = {
            block.block_v1.payload.height: block.SerializeToString()
            for _, _, block in store.recover(store.start)
        }
        store.close()
        return [
            Difference(f"block {height}", Block.FromString(self._blocks[height]), ours.get(height))
            for height in heights
            if ours.get(height) != self._blocks[height]
        ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A node's folder with the recording's genesis block and peer key."""
    folder = tmp_path_factory.mktemp("irohad") / "node"
    (folder / "keys").mkdir(parents=True)
    shutil.copy(VECTORS / "genesis.block", folder)
    for name in ("priv", "pub"):
        shutil.copy(VECTORS / f"node0.{name}", folder / "keys" / f"node.{name}")
    (folder / "keys" / "node.priv").chmod(0o600)
    (folder / "node.toml").write_text('torii = "127.0.0.1:0"\nhealth = "127.0.0.1:0"\n')
    return folder


@pytest.fixture(scope="module")
def replayed(folder: Path) -> dict[str, list[Difference]]:
    """The differences of each exchange."""
    stand = ReplayStand(folder)
    finalize = Engine.finalize

    def finalize_in_time(self: Engine, time_ms: int, batches: Sequence[Batch]) -> Candidate:
        return finalize(self, stand.block_time(self.tip().height + 1, time_ms), batches)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(daemon, "now_ms", stand.clock)
        patch.setattr(Engine, "finalize", finalize_in_time)
        patch.setattr(engine, "FULL_BLOCK_TRANSACTIONS", MAX_PROPOSAL_SIZE)
        patch.setattr(engine, "MAX_BLOCK_TRANSACTIONS", MAX_PROPOSAL_SIZE)
        return dict(stand.replay_all())


def test_every_exchange_has_the_recorded_answer_or_a_listed_difference(
    replayed: dict[str, list[Difference]],
) -> None:
    found = {name: differences for name, differences in replayed.items() if differences}
    count = sum(1 + len(exchange.get("during", ())) for exchange in load_exchanges())
    different = len(found.keys() - {"every block"})
    print(f"\n{count} exchanges: {count - different} equal, {different} different")
    unlisted = [
        f"# {name}\n{difference}"
        for name, differences in found.items()
        if name not in LISTED
        for difference in differences
    ]
    assert not unlisted, "\n\n".join(unlisted)
    settled = {name for name, row in LISTED.items() if not row.get("pending")}
    assert settled - found.keys() == set()

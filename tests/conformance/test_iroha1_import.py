"""irohad's recorded chain is imported: each recorded query has its answer at its own height."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from support.iroha1_replay import (
    VECTORS,
    Difference,
    ReplayClient,
    ReplayClock,
    load_exchanges,
)
from support.irohad_blocks import NODE_KEY, recorded_blocks

from chaincode.protocol.block_pb2 import Block
from chaincode.stateless import TimeWindow
from chaincode.transactions import block_hash
from node.ledger.block_store import ImportedHistory
from node.ledger.commit_notices import CommitNotices
from node.ledger.engine import Engine
from node.ledger.health import NodeHealth
from node.ledger.signature_collector import SignatureCollector
from node.ledger.statuses import StatusBoard
from node.ledger.stores import LedgerStores
from node.ledger.torii import ToriiServer
from node.ledger.torii_parts import ToriiParts

LISTED = {
    row["exchange"]
    for row in tomllib.loads((VECTORS / "differences.toml").read_text(encoding="utf-8"))[
        "difference"
    ]
}


def replay_queries(
    client: ReplayClient, stores: LedgerStores, blocks: list[Block]
) -> Iterator[tuple[dict[str, Any], list[Difference]]]:
    """Import the blocks of each exchange in turn, and ask each query where it was asked."""
    stores.append(blocks[0])
    for exchange in load_exchanges():
        for height in heights_of(exchange):
            stores.append(blocks[height - 1])
        if exchange["method"] == "Find":
            yield exchange, client.replay(exchange)


def heights_of(exchange: dict[str, Any]) -> list[int]:
    """Return the heights of the blocks that came of an exchange."""
    within = [height for inner in exchange.get("during", ()) for height in heights_of(inner)]
    return [*exchange.get("block_heights", ()), *within]


def test_each_query_has_the_recorded_answer_on_the_imported_ledger(tmp_path: Path) -> None:
    blocks = recorded_blocks()
    clock = ReplayClock()
    with LedgerStores(tmp_path) as stores:
        top = ImportedHistory(height=len(blocks), block_hash=block_hash(blocks[-1]))
        stores.blocks.declare_imported(top)
        parts = ToriiParts(
            engine=Engine(stores.blocks, stores.state, NODE_KEY),
            orderer=cast(Any, None),
            state=stores.state,
            statuses=StatusBoard(),
            commits=CommitNotices(0),
            pending=SignatureCollector(stores.state, stores.pending, expiration_ms=1),
            window=lambda: TimeWindow(now_ms=clock()),
            health=lambda: NodeHealth(height=stores.tip().height),
            signer=NODE_KEY,
        )
        server = ToriiServer(parts, "127.0.0.1:0")
        server.start()
        try:
            with ReplayClient(server.address, clock) as client:
                answers = list(replay_queries(client, stores, blocks))
        finally:
            server.stop()
        assert stores.tip().height == len(blocks)
    # What waits for signatures is in no block.
    asked = [
        (exchange, differences)
        for exchange, differences in answers
        if "Pending" not in exchange["name"] and exchange["name"] not in LISTED
    ]
    assert len(asked) > 100
    different = [f"# {e['name']}\n{each}" for e, found in asked for each in found]
    assert not different, "\n\n".join(different)

"""Run a ledger node that kills itself, with SIGKILL, at one point of writing a block.

usage: die_while_writing.py POINT HEIGHT FOLDER

POINT is `torn`: half of the block's record is in the block file; or `synced`: the block file has
the block, the state does not.
"""

import os
import signal
import sys
from pathlib import Path

from chaincode.protocol.block_pb2 import Block
from node.ledger import daemon, stores
from node.ledger.block_store import BlockStore
from node.ledger.state_rows import StateChange
from node.ledger.state_store import StateStore
from node.log import configure_logging

_POINT, _HEIGHT, _FOLDER = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])


class _TornBlockStore(BlockStore):
    def append(self, block: Block) -> tuple[int, int]:
        if block.block_v1.payload.height != _HEIGHT:
            return super().append(block)
        start, end = super().append(block)
        os.truncate(_FOLDER / "data" / "blocks", (start + end) // 2)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("killed")


class _UnreachedStateStore(StateStore):
    def commit(self, change: StateChange) -> None:
        if change.tip.height == _HEIGHT:
            os.kill(os.getpid(), signal.SIGKILL)
        super().commit(change)


if _POINT == "torn":
    stores.BlockStore = _TornBlockStore  # type: ignore[misc]
else:
    stores.StateStore = _UnreachedStateStore  # type: ignore[misc]
configure_logging()
with daemon.LedgerNode.in_folder(_FOLDER) as _node:
    _node.run()

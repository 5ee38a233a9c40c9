"""Run a ledger node whose files cannot grow above a size: the disk refuses as a full one does.

usage: start_on_a_full_disk.py BYTES FOLDER
"""

import resource
import sys
from pathlib import Path

from node.cli.main import run
from node.ledger.daemon import LedgerNode
from node.log import configure_logging

_BYTES, _FOLDER = int(sys.argv[1]), Path(sys.argv[2])


def _start() -> None:
    configure_logging()
    with LedgerNode.in_folder(_FOLDER) as node:
        resource.setrlimit(resource.RLIMIT_FSIZE, (_BYTES, resource.RLIM_INFINITY))
        node.run()


run("node", _start)

"""Run the ledger node in another version than this one.

usage: other_version.py VERSION FOLDER

VERSION is `faulty`: it fails on every block with a transaction that says "poison"; or `new`: its
rules are those of a later version.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from node.cli.main import run
from node.ledger.abci import app_state, application, replicated_ledger
from node.ledger.abci.decision import Decision
from node.ledger.abci.replicated_ledger import ReplicatedLedger
from node.ledger.daemon import LedgerNode
from node.log import configure_logging

_VERSION, _FOLDER = sys.argv[1], Path(sys.argv[2])
_finalize = ReplicatedLedger.finalize


def _finalize_or_fail(
    ledger: ReplicatedLedger, height: int, time_ms: int, datas: Sequence[bytes]
) -> Decision:
    if any(b"poison" in data for data in datas):
        raise ZeroDivisionError
    return _finalize(ledger, height, time_ms, datas)


def _run() -> None:
    configure_logging()
    with LedgerNode.in_folder(_FOLDER) as node:
        node.run()


_ledger: Any = ReplicatedLedger
if _VERSION == "faulty":
    _ledger.finalize = _finalize_or_fail
else:
    for _module in (app_state, application, replicated_ledger):
        _module.APP_VERSION = 2
run("tegata", _run)

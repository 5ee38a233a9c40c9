"""Run the ledger node of a peer that lies to the others.

usage: lying_peer.py LIE FOLDER

LIE is `garbage`: the blocks that it proposes hold bytes that nobody can decode; `empty`: they hold
nothing, whatever waits; or `state`: from the tenth transaction of CometBFT on it computes another
state than the others.
"""

import sys
from pathlib import Path
from typing import Any

from node.cli.main import run
from node.ledger.abci.abci_pb2 import Request, Response
from node.ledger.abci.application import Application
from node.ledger.daemon import LedgerNode
from node.log import configure_logging

_LIE, _FOLDER = sys.argv[1], Path(sys.argv[2])
_HONEST = 10
_answer = Application.answer
_seen = 0


def _lie(application: Application, request: Request) -> Response:
    global _seen  # noqa: PLW0603
    response = _answer(application, request)
    kind = request.WhichOneof("value")
    if _LIE == "garbage" and kind == "prepare_proposal":
        response.prepare_proposal.txs.insert(0, b"\xffnobody can decode this")
    if _LIE == "empty" and kind == "prepare_proposal":
        del response.prepare_proposal.txs[:]
    if _LIE == "state" and kind == "finalize_block":
        _seen += len(request.finalize_block.txs)
        if _seen > _HONEST:
            response.finalize_block.app_hash = bytes(32)
    return response


_application: Any = Application
_application.answer = _lie


def _run() -> None:
    configure_logging()
    with LedgerNode.in_folder(_FOLDER) as node:
        node.run()


run("tegata", _run)

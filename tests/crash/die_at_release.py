"""Run a gateway that kills itself, with SIGKILL, at one point of showing something to a verifier.

usage: die_at_release.py POINT FOLDER

POINT is `held`: what passed all checks is in the store, and its receipt was not sent; or `written`:
the ledger has committed the receipt, and nothing was released.
"""

import os
import signal
import sys
from pathlib import Path

from node.config import load_config
from node.gateway.app import run_gateway
from node.gateway.config import FILE_NAME, GatewayConfig
from node.gateway.receipts import Receipts
from node.log import configure_logging

_POINT, _FOLDER = sys.argv[1], Path(sys.argv[2])
_write = Receipts.write


def _write_and_die(receipts: Receipts, receipt: bytes) -> None:
    if _POINT == "written":
        _write(receipts, receipt)
    os.kill(os.getpid(), signal.SIGKILL)


Receipts.write = _write_and_die  # type: ignore[method-assign]
configure_logging()
run_gateway(load_config(_FOLDER / FILE_NAME, GatewayConfig))

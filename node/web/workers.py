"""Several processes of one service on one address, for more than one processor."""

import os
import signal
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Final

import structlog

from node.errors import StorageError

_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("tegata.web")


def run_workers(count: int, work: Callable[[], None]) -> None:
    """Fork processes that work, until SIGTERM or SIGINT; each is passed the signal.

    Call it before threads are started and connections opened: a fork has none of them.

    Args:
        count: How many.
        work: What each does; it returns when its process gets SIGTERM.

    Raises:
        StorageError: A worker failed; the others were stopped.
    """
    # A signal that comes while they are forked waits until each knows what to do with it.
    signals = (signal.SIGTERM, signal.SIGINT)
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    workers = [_fork(work, signals) for _ in range(count)]

    def stop(_signal: int, _frame: FrameType | None) -> None:
        for worker in workers:
            os.kill(worker, signal.SIGTERM)

    before = {name: signal.signal(name, stop) for name in signals}
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    failed = 0
    try:
        while workers:
            worker, status = os.wait()
            workers.remove(worker)
            if status != 0:
                failed += 1
                _log.error("worker_failed", worker=worker, status=status)
                stop(signal.SIGTERM, None)
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
    if failed:
        raise StorageError("a worker process failed; its own log line says why")


def _fork(work: Callable[[], None], signals: Sequence[signal.Signals]) -> int:
    worker = os.fork()
    if worker:
        return worker
    status = 1
    # Until `work` serves there is nothing to finish.
    for name in signals:
        signal.signal(name, lambda *_: os._exit(0))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    try:
        work()
        status = 0
    except Exception as error:
        _log.exception("worker_stopped", error=type(error).__name__)
        raise
    finally:
        os._exit(status)

"""Gathers the credentials of many requests into batches, each anchored by one transaction.

There is no fixed delay: while one batch is on its way to the ledger the next one fills. A lone
request is anchored at once. Nothing is kept: a request that dies on the way has given out nothing,
and its wallet asks again.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Final

from chaincode.records import MAX_BATCH
from client_sdk.issuer.anchor import IssuedCredential, IssuerAnchor, SignedCredential
from node.errors import StorageError

_Waiting = tuple[Sequence[SignedCredential], Future[list[IssuedCredential]]]
MAX_GATHERED: Final = MAX_BATCH // 16
"""Credentials in one batch; more wait for the next."""


class BatchQueue:
    """What waits to be anchored by one issuer. Safe to share between threads."""

    def __init__(self, anchor: IssuerAnchor) -> None:
        """Begin empty.

        Args:
            anchor: Writes to the ledger.
        """
        self._anchor = anchor
        self._lock = Lock()
        self._waiting: list[_Waiting] = []
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="anchor")

    def anchor(self, members: Sequence[SignedCredential]) -> list[IssuedCredential]:
        """Anchor credentials with whatever else waits, and return them once they are.

        Args:
            members: At least one, all with their status in the same list.

        Raises:
            TransactionFailedError: The ledger refused the batch.
            TransportError: The ledger cannot be reached.
        """
        done: Future[list[IssuedCredential]] = Future()
        with self._lock:
            self._waiting.append((members, done))
        self._executor.submit(self._flush)
        return done.result()

    @property
    def waiting(self) -> int:
        """How many requests wait for the next batch."""
        with self._lock:
            return len(self._waiting)

    def close(self) -> None:
        """Anchor what waits, and stop."""
        self._executor.shutdown()

    def _flush(self) -> None:
        """Anchor what waits in one list; of what is left another call takes care."""
        group = self._take()
        if not group:
            return
        members = [member for waiting, _ in group for member in waiting]
        try:
            issued = iter(self._anchor.anchor_batch(members, status_list=_list_of(members[0])))
            for waiting, done in group:
                done.set_result([next(issued) for _ in waiting])
        except BaseException as error:  # noqa: BLE001 - whoever waits is told, whatever it is
            for _, done in group:
                if not done.done():
                    done.set_exception(error)

    def _take(self) -> list[_Waiting]:
        with self._lock:
            group: list[_Waiting] = []
            others: list[_Waiting] = []
            size = 0
            for waiting in self._waiting:
                same_list = not group or _list_of(waiting[0][0]) == _list_of(group[0][0][0])
                if same_list and (not group or size + len(waiting[0]) <= MAX_GATHERED):
                    group.append(waiting)
                    size += len(waiting[0])
                else:
                    others.append(waiting)
            self._waiting = others
        return group


def _list_of(member: SignedCredential) -> str:
    if member.list_place is None:
        raise StorageError("a member of a batch has a place in a status list")
    return member.list_place.list_id

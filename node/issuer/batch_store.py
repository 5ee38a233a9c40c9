"""Batches that are made beforehand, in the database: a step is written whole, or not at all."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from client_sdk.ledger.batches import PART_LEAVES, Inclusion, LargeBatch
from node.database import Database
from node.database.database import count_rows
from node.errors import StorageError
from node.issuer.status_list_store import read_places, reserve_places
from node.issuer.tables import StoredBatch, StoredCredential, StoredOffer

_HASH_BYTES: Final = 32


class BatchStore:
    """The table of batches."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find_run(self, run: str) -> StoredBatch | None:
        """Return the batch of a run."""
        return self._database.find_one(select(StoredBatch).where(StoredBatch.run == run))

    def all(self) -> Sequence[StoredBatch]:
        """Return every batch, that with the latest end first."""
        query = select(StoredBatch).order_by(StoredBatch.expires_at_ms.desc(), StoredBatch.batch_id)
        with self._database.reading() as session:
            return session.scalars(query).all()

    def begin(self, batch: StoredBatch) -> bool:
        """Keep a new batch and reserve its places; False where its list has not as many left.

        Raises:
            StorageError: Another process has begun the same run.
        """
        try:
            with self._database.transaction() as session:
                first = reserve_places(session, batch.list_id, batch.count)
                if first is None:
                    return False
                batch.first_place = first
                session.add(batch)
        except IntegrityError:
            raise StorageError("another process has begun this run at this moment") from None
        return True

    def places(self, batch: StoredBatch, first: int, count: int) -> list[int]:
        """Return places that are reserved for a batch, from the one of its `first` member on."""
        with self._database.reading() as session:
            return read_places(session, batch.list_id, batch.first_place + first, count)

    def add_members(
        self,
        batch_id: str,
        *,
        first: int,
        offers: Sequence[dict[str, Any]],
        credentials: Sequence[dict[str, Any]],
        last_reference: str,
        letters_bytes: int,
    ) -> None:
        """Keep credentials with their offers, and that they are made.

        Raises:
            StorageError: There are not `first` members before them: another process makes some.
        """
        done = (
            update(StoredBatch)
            .where(StoredBatch.batch_id == batch_id, StoredBatch.done == first)
            .values(
                done=StoredBatch.done + len(offers),
                last_reference=last_reference,
                letters_bytes=letters_bytes,
            )
        )
        with self._database.transaction() as session:
            if count_rows(session.execute(done)) != 1:
                raise StorageError("another process is making this batch")
            session.execute(insert(StoredOffer), list(offers))
            session.execute(insert(StoredCredential), list(credentials))

    def seal(self, batch_id: str, progress: Callable[[int], None]) -> None:
        """Put the members in the order of their leaves, and keep the roots of the parts.

        Args:
            batch_id: A batch whose credentials are all made.
            progress: Is told how many members have their place.
        """
        roots: list[bytes] = []
        position = 0
        for part in self._parts(batch_id):
            roots.append(LargeBatch.part_root([leaf for _, leaf in part]))
            rows = [
                {"member": number, "place": position + offset}
                for offset, (number, _) in enumerate(part)
            ]
            with self._database.connection() as connection:
                table = StoredCredential.__table__
                placed = update(StoredCredential).where(table.c.number == bindparam("member"))
                connection.execute(placed.values(position=bindparam("place")), rows)
            position += len(part)
            progress(position)
        self._change(batch_id, state="sealed", part_roots=b"".join(roots))

    def note_anchored(self, batch_id: str) -> None:
        """Note that a batch's root is on the ledger: its credentials may be given out."""
        self._change(batch_id, state="anchored")

    def inclusion(self, credential: StoredCredential) -> Inclusion | None:
        """Return the proof of a credential; None where its batch is not anchored yet."""
        batch = self._database.find_one(
            select(StoredBatch).where(StoredBatch.batch_id == credential.batch_id)
        )
        if batch is None or credential.position is None or batch.state != "anchored":
            return None
        first = credential.position - credential.position % PART_LEAVES
        query = (
            select(StoredCredential.leaf)
            .where(
                StoredCredential.batch_id == batch.batch_id,
                StoredCredential.position >= first,
                StoredCredential.position < first + PART_LEAVES,
            )
            .order_by(StoredCredential.position)
        )
        with self._database.reading() as session:
            part = [leaf for leaf in session.scalars(query) if leaf is not None]
        return large_batch(batch).inclusion(credential.position, part)

    def _parts(self, batch_id: str) -> Iterator[list[tuple[int, bytes]]]:
        """Yield number and leaf of each member, in the order of the leaves, a part at a time."""
        last = b""
        while True:
            query = (
                select(StoredCredential.number, StoredCredential.leaf)
                .where(StoredCredential.batch_id == batch_id, StoredCredential.leaf > last)
                .order_by(StoredCredential.leaf)
                .limit(PART_LEAVES)
            )
            with self._database.reading() as session:
                part = [(row.number, row.leaf or b"") for row in session.execute(query)]
            if not part:
                return
            last = part[-1][1]
            yield part

    def _change(self, batch_id: str, **values: Any) -> None:
        with self._database.transaction() as session:
            session.execute(
                update(StoredBatch).where(StoredBatch.batch_id == batch_id).values(**values)
            )


def large_batch(batch: StoredBatch) -> LargeBatch:
    """Return the tree of a sealed batch.

    Raises:
        StorageError: It is not sealed.
    """
    roots = batch.part_roots
    if not roots:
        raise StorageError(f"the batch {batch.batch_id} is not sealed")
    parts = [roots[at : at + _HASH_BYTES] for at in range(0, len(roots), _HASH_BYTES)]
    return LargeBatch(batch.batch_id, parts)

"""A city's credentials made beforehand: signed, anchored by one transaction, left to be collected.

Each chunk of residents is written whole or not at all, so that a run that is killed goes on where
it was. Letters (offer link and transaction code) are appended before their chunk is committed, and
cut off again where it was not. Nothing can be collected before the batch's root is on the ledger.
"""

import csv
import fcntl
import hashlib
import io
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, Protocol

from chaincode.records import MAX_BATCH
from client_sdk.credentials.resident import age_on
from client_sdk.errors import CredentialFormatError
from client_sdk.issuer.anchor import IssuerAnchor, ListPlace
from client_sdk.ledger.grants import new_record_id
from node.errors import SourceError, StorageError
from node.issuer.attributes import day_in_japan
from node.issuer.batch_signing import (
    Member,
    MemberSigner,
    SigningTerms,
    begin_worker,
    sign_members,
)
from node.issuer.batch_store import large_batch
from node.issuer.residents import Resident, Residents
from node.issuer.status_lists import StatusLists
from node.issuer.store import IssuerStore
from node.issuer.tables import StoredBatch

CHUNK: Final = 500
_AHEAD: Final = 2
"""How many chunks a worker may be ahead of what is written."""
_DAY_MS: Final = 86_400_000
LETTER_COLUMNS: Final = ("reference", "offer", "tx_code")


class Progress(Protocol):
    """Is told how far a run is."""

    def __call__(self, step: str, done: int, total: int) -> None:
        """Take the step's name, how many residents it has done, and of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedBatch:
    """A batch whose credentials can be collected.

    Attributes:
        batch_id: The id of its record on the ledger.
        count: How many credentials it has.
        status_list: The id of the status list's record.
    """

    batch_id: str
    count: int
    status_list: str


class BatchIssuing:
    """Makes batches for one issuer."""

    def __init__(
        self,
        store: IssuerStore,
        anchor: IssuerAnchor,
        status_lists: StatusLists,
        terms: SigningTerms,
        *,
        credential_days: int,
        offer_days: int,
        workers: int,
        now_ms: Callable[[], int],
    ) -> None:
        """Wire the parts.

        Args:
            store: Where offers and credentials are kept.
            anchor: Writes to the ledger.
            status_lists: Gives out places.
            terms: What the signing processes need.
            credential_days: How long a credential lasts.
            offer_days: How long it can be collected.
            workers: How many processes sign; for one, this one.
            now_ms: The clock: milliseconds since 1970, UTC.
        """
        self._store = store
        self._anchor = anchor
        self._status_lists = status_lists
        self._terms = terms
        self._credential_days = credential_days
        self._offer_days = offer_days
        self._workers = workers
        self._now_ms = now_ms

    def run(self, residents: Residents, letters: Path, *, progress: Progress) -> FinishedBatch:
        """Make, anchor and leave a credential for each resident; go on where an earlier run was.

        Args:
            residents: At most `MAX_BATCH`. All are checked before anything is written.
            letters: The file of letters, to be printed or sent. It stands for the run: the same
                source with another file is another run.
            progress: Is told how far it is.

        Raises:
            SourceError: A row is not acceptable, or there are none or too many.
            StorageError: The store or the letters cannot be written, or the letters are gone.
            TransactionFailedError: The ledger refused.
            TransportError: The ledger cannot be reached; run it again.
        """
        run = hashlib.sha256(f"{residents.fingerprint()}\n{letters.resolve()}".encode()).hexdigest()
        batch = self._store.batches.find_run(run) or self._begin(run, residents, letters, progress)
        if batch.state == "signing":
            if batch.done < batch.count:
                self._make_members(run, residents, letters, progress)
            self._store.batches.seal(
                batch.batch_id, lambda done: progress("sealed", done, batch.count)
            )
            batch = self._find(run)
        if batch.state == "sealed":
            self._anchor.anchor_root(
                batch.batch_id,
                large_batch(batch).root,
                count=batch.count,
                expires_at_ms=batch.expires_at_ms,
                status_list=batch.list_id,
            )
            self._store.batches.note_anchored(batch.batch_id)
        return FinishedBatch(batch_id=batch.batch_id, count=batch.count, status_list=batch.list_id)

    def _begin(
        self, run: str, residents: Residents, letters: Path, progress: Progress
    ) -> StoredBatch:
        if letters.exists():
            raise StorageError(f"{letters}: it is there already, and not of this run; move it away")
        count, now_ms = 0, self._now_ms()
        for count, resident in enumerate(residents.rows(""), start=1):
            _check_age(resident, day_in_japan(now_ms))
            if count > MAX_BATCH:
                raise SourceError(f"more than {MAX_BATCH} residents: one batch has no more room")
            if count % CHUNK == 0:
                progress("checked", count, 0)
        if count == 0:
            raise SourceError("there are no residents")
        while True:
            batch = StoredBatch(
                batch_id=new_record_id(),
                run=run,
                state="signing",
                list_id=self._status_lists.prepare(count),
                count=count,
                done=0,
                last_reference="",
                letters_bytes=0,
                part_roots=b"",
                # A whole day, the same for all: the end tells no credential from another.
                expires_at_ms=(-(-now_ms // _DAY_MS) + self._credential_days) * _DAY_MS,
            )
            if self._store.batches.begin(batch):
                return batch

    def _make_members(
        self, run: str, residents: Residents, letters: Path, progress: Progress
    ) -> None:
        with _open_letters(letters) as file:
            # Read with the lock: another process may have made members until this moment.
            batch = self._find(run)
            done, length = batch.done, batch.letters_bytes
            _cut_off(file, length, letters)
            for chunk in self._signed(batch, residents):
                length += _append(file, chunk, with_header=length == 0)
                now_ms = self._now_ms()
                offers_until_ms = now_ms + self._offer_days * _DAY_MS
                self._store.batches.add_members(
                    batch.batch_id,
                    first=done,
                    offers=[{**member.offer, "expires_at_ms": offers_until_ms} for member in chunk],
                    credentials=[
                        {
                            **member.credential,
                            "batch_id": batch.batch_id,
                            "list_id": batch.list_id,
                            "issued_at_ms": now_ms,
                            "expires_at_ms": batch.expires_at_ms,
                        }
                        for member in chunk
                    ],
                    last_reference=chunk[-1].reference,
                    letters_bytes=length,
                )
                done += len(chunk)
                progress("signed", done, batch.count)
        if done != batch.count:
            raise SourceError(
                f"{batch.count} residents were there at the start, and {done} are now: bring the "
                "source back to what it was, or begin anew with another file of letters"
            )

    def _signed(self, batch: StoredBatch, residents: Residents) -> Iterator[list[Member]]:
        """Yield signed chunks in the order of the residents."""
        if self._workers == 1:
            signer = MemberSigner(self._terms)
            for chunk, places in self._chunks(batch, residents):
                yield signer.sign(chunk, places, batch.expires_at_ms, self._now_ms())
            return
        waiting: deque[Future[list[Member]]] = deque()
        with ProcessPoolExecutor(
            max_workers=self._workers,
            mp_context=get_context("spawn"),
            initializer=begin_worker,
            initargs=(self._terms,),
        ) as pool:
            for chunk, places in self._chunks(batch, residents):
                waiting.append(
                    pool.submit(sign_members, chunk, places, batch.expires_at_ms, self._now_ms())
                )
                if len(waiting) > _AHEAD * self._workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _chunks(
        self, batch: StoredBatch, residents: Residents
    ) -> Iterator[tuple[list[Resident], list[ListPlace]]]:
        """Yield residents who have no credential yet, and a place for each."""
        rows, first = residents.rows(batch.last_reference), batch.done
        while chunk := list(islice(rows, min(CHUNK, batch.count - first))):
            yield chunk, self._places(batch, first, chunk)
            first += len(chunk)

    def _places(self, batch: StoredBatch, first: int, chunk: list[Resident]) -> list[ListPlace]:
        indices = self._store.batches.places(batch, first, len(chunk))
        return [self._status_lists.place(batch.list_id, index) for index in indices]

    def _find(self, run: str) -> StoredBatch:
        batch = self._store.batches.find_run(run)
        if batch is None:
            raise StorageError("the store lost the batch that is being made")
        return batch


def _check_age(resident: Resident, today: date) -> None:
    try:
        age_on(resident.attributes.birth_date, today)
    except CredentialFormatError as error:
        raise SourceError(f"reference {resident.reference}: {error}") from None


def _open_letters(path: Path) -> io.BufferedRandom:
    """Open the letters for their owner only, and keep other processes of this run away."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        file = os.fdopen(handle, "r+b")
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise StorageError(f"{path}: another process is writing this run's letters") from None
    return file


def _cut_off(file: io.BufferedRandom, length: int, path: Path) -> None:
    """Cut off what no committed chunk has."""
    try:
        if file.seek(0, os.SEEK_END) < length:
            raise StorageError(f"{path}: letters of this run are gone; bring the file back")
        file.truncate(length)
        file.seek(length)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}") from None


def _append(file: io.BufferedRandom, chunk: list[Member], *, with_header: bool) -> int:
    """Append letters durably; return how many bytes they are."""
    text = io.StringIO(newline="")
    writer: Any = csv.writer(text, lineterminator="\n")
    if with_header:
        writer.writerow(LETTER_COLUMNS)
    writer.writerows((member.reference, member.link, member.tx_code) for member in chunk)
    data = text.getvalue().encode()
    try:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:
        raise StorageError(f"the letters cannot be written: {error.strerror}") from None
    return len(data)

"""Status lists in the database: which places are given out, and what stands in them."""

import secrets
import struct
from array import array
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import LargeBinary, func, select, update
from sqlalchemy.orm import Session

from client_sdk.credentials.status_bits import BITS
from client_sdk.credentials.token_status_list import Status, StatusList
from client_sdk.errors import CredentialStateError
from node.database import Database
from node.issuer.tables import StoredStatusList

_PLACE_BYTES: Final = 4


class StatusListStore:
    """The table of status lists. Safe to share between threads and processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, list_id: str, size: int) -> None:
        """Make a list of `size` places, whose order nobody can foresee."""
        keys = array("Q", secrets.token_bytes(8 * size))
        places = sorted(range(size), key=keys.__getitem__)
        row = StoredStatusList(
            list_id=list_id,
            size=size,
            places=struct.pack(f">{size}I", *places),
            used=0,
            statuses=StatusList.of_size(size, bits=BITS).packed,
            version=1,
            anchored_version=0,
        )
        with self._database.transaction() as session:
            session.add(row)

    def find(self, list_id: str) -> StoredStatusList | None:
        """Return a list, without the order of its places."""
        return self._database.find_one(
            select(StoredStatusList).where(StoredStatusList.list_id == list_id)
        )

    def with_room(self, count: int) -> str | None:
        """Return the id of the oldest list with this many free places, or None."""
        query = (
            select(StoredStatusList.list_id)
            .where(StoredStatusList.used + count <= StoredStatusList.size)
            .order_by(StoredStatusList.number)
            .limit(1)
        )
        with self._database.reading() as session:
            return session.scalar(query)

    def unanchored(self) -> Sequence[str]:
        """Return the ids of lists whose last version may not be on the ledger."""
        query = select(StoredStatusList.list_id).where(
            StoredStatusList.anchored_version < StoredStatusList.version
        )
        with self._database.reading() as session:
            return session.scalars(query).all()

    def take(self, list_id: str, count: int) -> list[int] | None:
        """Give out places for good; None where the list has not as many left.

        They are used from the moment that this is committed: a caller that dies then wastes them.
        """
        with self._database.transaction() as session:
            first = reserve_places(session, list_id, count)
            return None if first is None else read_places(session, list_id, first, count)

    def set_statuses(self, list_id: str, statuses: Mapping[int, int]) -> None:
        """Write statuses by their places; the list's version grows. What is revoked stays revoked.

        Raises:
            CredentialStateError: A credential was revoked, perhaps at this moment by another.
            StatusListError: The list has no such place, or the status does not fit.
        """
        while (row := self.find(list_id)) is not None:
            changed = StatusList(bits=BITS, data=row.statuses)
            for place, status in statuses.items():
                if changed[place] == Status.INVALID != status:
                    raise CredentialStateError("the status list says that it is revoked, for good")
                changed[place] = status
            written = (
                update(StoredStatusList)
                .where(StoredStatusList.list_id == list_id, StoredStatusList.version == row.version)
                .values(statuses=changed.packed, version=row.version + 1)
            )
            # Where another instance was first, its change is kept.
            if self._database.change(written):
                return

    def note_anchored(self, list_id: str, version: int) -> None:
        """Note that a version, or a later one, is on the ledger."""
        self._database.change(
            update(StoredStatusList)
            .where(StoredStatusList.list_id == list_id, StoredStatusList.anchored_version < version)
            .values(anchored_version=version),
        )


def reserve_places(session: Session, list_id: str, count: int) -> int | None:
    """Give out places within a transaction; return the number of the first, or None for no room."""
    reserved = (
        update(StoredStatusList)
        .where(
            StoredStatusList.list_id == list_id,
            StoredStatusList.used + count <= StoredStatusList.size,
        )
        .values(used=StoredStatusList.used + count)
        .returning(StoredStatusList.used)
    )
    used = session.scalar(reserved)
    return None if used is None else used - count


def read_places(session: Session, list_id: str, first: int, count: int) -> list[int]:
    """Return places that were given out: `count` of them from the `first` on, in their order."""
    begin, length = first * _PLACE_BYTES + 1, count * _PLACE_BYTES
    part = func.substr(StoredStatusList.places, begin, length, type_=LargeBinary)
    packed = session.execute(select(part).where(StoredStatusList.list_id == list_id)).scalar_one()
    return list(struct.unpack(f">{count}I", packed))

"""What an authority has signed: a row each, written before its part is given out."""

from pathlib import Path
from typing import Final

from sqlalchemy import BigInteger, Index, LargeBinary, String, func, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from node.authority.policy import SignedPlace
from node.authority.status_policy import ListToSign, keeps_revocations
from node.database import Schema, open_database
from node.errors import StorageError


class _Base(DeclarativeBase):
    pass


class SignedCredential(_Base):
    """A credential that this authority gave its part of a signature for.

    Attributes:
        record_id: The id of its record on the ledger.
        digest: SHA-256 of what was signed, 64 hex digits.
        signed_at_ms: Milliseconds since 1970, UTC, of the first time.
        list_id: The id of its status list's record; None for none.
        list_index: Its place in that list, which no other has; None for none.
    """

    __tablename__ = "signed_credential"
    __table_args__ = (Index("signed_credential_place", "list_id", "list_index", unique=True),)

    record_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    signed_at_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    list_id: Mapped[str | None] = mapped_column(String(32))
    list_index: Mapped[int | None]


class SignedStatusList(_Base):
    """A status list, as this authority signed it last.

    Attributes:
        list_id: The id of its record on the ledger.
        statuses: Its statuses, two bits each.
        signed_at_ms: Milliseconds since 1970, UTC.
    """

    __tablename__ = "signed_status_list"

    list_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    statuses: Mapped[bytes] = mapped_column(LargeBinary)
    signed_at_ms: Mapped[int] = mapped_column(BigInteger)


SCHEMA: Final = Schema(
    service="authority",
    tables=_Base.metadata,
    revision="0002",
    revisions=Path(__file__).with_name("revisions"),
)


class AuthorityStore:
    """The database of one authority's signer. Safe to share between threads."""

    def __init__(self, url: str) -> None:
        """Open the database.

        Raises:
            ConfigError: The URL is not one of SQLAlchemy's.
            StorageError: The database cannot be used.
        """
        self._database = open_database(url, SCHEMA)

    def close(self) -> None:
        """Close the connections."""
        self._database.close()

    def record(self, place: SignedPlace, digest: str, *, now_ms: int) -> bool:
        """Note that a credential is signed; return False where its place is another credential's.

        Raises:
            StorageError: The database cannot be used.
        """
        row = SignedCredential(
            record_id=place.record_id,
            digest=digest,
            signed_at_ms=now_ms,
            list_id=place.list_id,
            list_index=place.list_index,
        )
        try:
            with self._database.transaction() as session:
                session.add(row)
        except IntegrityError:
            return self._digest_of(place.record_id) == digest
        except SQLAlchemyError as error:
            raise StorageError(f"database: {type(error).__name__}") from None
        return True

    def record_list(self, signed: ListToSign, *, now_ms: int) -> bool:
        """Note that a status list is signed; return False where it takes a revocation back.

        Raises:
            StorageError: The database cannot be used.
        """
        try:
            with self._database.transaction() as session:
                row = session.get(SignedStatusList, signed.list_id, with_for_update=True)
                if row is not None and not keeps_revocations(row.statuses, signed.packed):
                    return False
                session.merge(
                    SignedStatusList(
                        list_id=signed.list_id, statuses=signed.packed, signed_at_ms=now_ms
                    )
                )
        except SQLAlchemyError as error:
            raise StorageError(f"database: {type(error).__name__}") from None
        return True

    def count(self) -> int:
        """Return how many credentials were signed.

        Raises:
            StorageError: The database cannot be used.
        """
        query = select(func.count()).select_from(SignedCredential)
        try:
            return self._database.find_one(query) or 0
        except SQLAlchemyError as error:
            raise StorageError(f"database: {type(error).__name__}") from None

    def _digest_of(self, record_id: str) -> str | None:
        try:
            return self._database.find_one(
                select(SignedCredential.digest).where(SignedCredential.record_id == record_id)
            )
        except SQLAlchemyError as error:
            raise StorageError(f"database: {type(error).__name__}") from None

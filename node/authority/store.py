"""What an authority has signed: one row a credential, written before its part is given out."""

from pathlib import Path
from typing import Final

from sqlalchemy import BigInteger, String, func, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

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
    """

    __tablename__ = "signed_credential"

    record_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    signed_at_ms: Mapped[int] = mapped_column(BigInteger, index=True)


SCHEMA: Final = Schema(
    service="authority",
    tables=_Base.metadata,
    revision="0001",
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

    def record(self, record_id: str, digest: str, *, now_ms: int) -> bool:
        """Note that a credential is signed; return False where its record is another credential's.

        Raises:
            StorageError: The database cannot be used.
        """
        row = SignedCredential(record_id=record_id, digest=digest, signed_at_ms=now_ms)
        try:
            with self._database.transaction() as session:
                session.add(row)
        except IntegrityError:
            return self._digest_of(record_id) == digest
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

"""What was read of the blocks, in a database that can be deleted and read again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sqlalchemy import BigInteger, LargeBinary, String, func, insert, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from node.database import Schema, open_database
from node.observer.block_facts import CREATED, DISCLOSED, GRANTED, RECOVERED, BlockFacts

DAY_MS: Final = 86_400_000


class _Base(DeclarativeBase):
    pass


class IndexedBlock(_Base):
    """One block; its columns are the fields of `BlockFacts`."""

    __tablename__ = "block"

    height: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hash: Mapped[str] = mapped_column(String(64))
    time_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    size: Mapped[int]
    committed: Mapped[int]
    rejected: Mapped[int]
    latency_ms: Mapped[int | None] = mapped_column(BigInteger)
    slowest_ms: Mapped[int | None] = mapped_column(BigInteger)


class IndexedTransaction(_Base):
    """In which block a transaction stands."""

    __tablename__ = "transaction_place"

    hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    height: Mapped[int] = mapped_column(BigInteger)


class IndexedAccount(_Base):
    """An account, and when it first did what the curve of adoption counts.

    Attributes:
        account_id: `name@domain`.
        domain: Its domain.
        created_ms: When it was made; the times are those of blocks, milliseconds since 1970, UTC.
        disclosed_ms: When an attribute was first shown; None before.
        recovered_ms: When it was last recovered; None where it never was.
    """

    __tablename__ = "account"

    account_id: Mapped[str] = mapped_column(String(320), primary_key=True)
    domain: Mapped[str] = mapped_column(String(255), index=True)
    created_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    disclosed_ms: Mapped[int | None] = mapped_column(BigInteger)
    recovered_ms: Mapped[int | None] = mapped_column(BigInteger)


class ActiveDay(_Base):
    """A day (whole days since 1970, UTC) on which an account granted or showed something."""

    __tablename__ = "active_day"

    day: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    account_id: Mapped[str] = mapped_column(String(320), primary_key=True)


SCHEMA: Final = Schema(
    service="page",
    tables=_Base.metadata,
    revision="0001",
    revisions=Path(__file__).with_name("revisions"),
)


class BlockIndex:
    """The tables. Safe to share between threads."""

    def __init__(self, database_url: str) -> None:
        """Open the database and make the tables where there are none.

        Raises:
            ConfigError: The URL is not one of SQLAlchemy's.
            StorageError: The database cannot be used.
        """
        self._database = open_database(database_url, SCHEMA)

    def height(self) -> int:
        """Return the height of the last block that was read; 0 where none was."""
        with self._database.reading() as session:
            return session.scalar(select(func.max(IndexedBlock.height))) or 0

    def add(self, facts: BlockFacts) -> None:
        """Keep what was read of the next block, all of it or nothing."""
        with self._database.transaction() as session:
            session.add(
                IndexedBlock(
                    height=facts.height,
                    hash=facts.hash,
                    time_ms=facts.time_ms,
                    size=facts.size,
                    committed=len(facts.transactions),
                    rejected=facts.rejected,
                    latency_ms=facts.latency_ms,
                    slowest_ms=facts.slowest_ms,
                )
            )
            if facts.transactions:
                rows = [{"hash": found, "height": facts.height} for found in facts.transactions]
                session.execute(insert(IndexedTransaction), rows)
            for account_id, what in facts.events:
                _note(session, account_id, what, facts.time_ms)

    def blocks(self, *, below: int | None, limit: int) -> Sequence[IndexedBlock]:
        """Return blocks, the highest first, from under a height on."""
        query = select(IndexedBlock).order_by(IndexedBlock.height.desc()).limit(limit)
        if below is not None:
            query = query.where(IndexedBlock.height < below)
        with self._database.reading() as session:
            return session.scalars(query).all()

    def blocks_since(self, time_ms: int) -> Sequence[IndexedBlock]:
        """Return the blocks from a time on, in order."""
        query = select(IndexedBlock).where(IndexedBlock.time_ms >= time_ms)
        with self._database.reading() as session:
            return session.scalars(query.order_by(IndexedBlock.height)).all()

    def find_transaction(self, tx_hash: bytes) -> int | None:
        """Return the height of the block that a transaction stands in; None where none is known."""
        with self._database.reading() as session:
            return session.scalar(
                select(IndexedTransaction.height).where(IndexedTransaction.hash == tx_hash)
            )

    def count_transactions(self) -> int:
        """Return how many transactions are committed."""
        with self._database.reading() as session:
            return session.scalar(select(func.sum(IndexedBlock.committed))) or 0

    def accounts(self, *, after: str, limit: int, domain: str | None) -> Sequence[IndexedAccount]:
        """Return accounts in the order of their names, from behind one on."""
        query = select(IndexedAccount).where(IndexedAccount.account_id > after)
        if domain:
            query = query.where(IndexedAccount.domain == domain)
        with self._database.reading() as session:
            return session.scalars(query.order_by(IndexedAccount.account_id).limit(limit)).all()

    def count_accounts(self) -> dict[str, int]:
        """Return how many accounts each domain has."""
        query = select(IndexedAccount.domain, func.count()).group_by(IndexedAccount.domain)
        with self._database.reading() as session:
            return {row[0]: row[1] for row in session.execute(query)}

    def first_enrolment_ms(self, domain: str) -> int | None:
        """Return when the first account of a domain was made; None where there is none."""
        query = select(func.min(IndexedAccount.created_ms)).where(IndexedAccount.domain == domain)
        with self._database.reading() as session:
            return session.scalar(query)

    def adoption_at(self, domain: str, time_ms: int, *, active_days: int) -> tuple[int, ...]:
        """Return how many of a domain's accounts had come how far at a time.

        Returns:
            Those that were enrolled, had shown something, showed or granted something within the
            last `active_days` days, and had been recovered.
        """
        day = time_ms // DAY_MS
        of_domain = select(func.count()).where(IndexedAccount.domain == domain)
        counts = [
            of_domain.where(column <= time_ms)
            for column in (
                IndexedAccount.created_ms,
                IndexedAccount.disclosed_ms,
                IndexedAccount.recovered_ms,
            )
        ]
        active = (
            select(func.count(func.distinct(ActiveDay.account_id)))
            .join(IndexedAccount, IndexedAccount.account_id == ActiveDay.account_id)
            .where(
                IndexedAccount.domain == domain,
                ActiveDay.day <= day,
                ActiveDay.day > day - active_days,
            )
        )
        with self._database.reading() as session:
            enrolled, disclosed, recovered = (session.scalar(query) or 0 for query in counts)
            return enrolled, disclosed, session.scalar(active) or 0, recovered

    def close(self) -> None:
        """Close the connections."""
        self._database.close()


def _note(session: Session, account_id: str, what: str, time_ms: int) -> None:
    this = update(IndexedAccount).where(IndexedAccount.account_id == account_id)
    if what == CREATED:
        domain = account_id.partition("@")[2]
        session.add(IndexedAccount(account_id=account_id, domain=domain, created_ms=time_ms))
        session.flush()
    elif what == RECOVERED:
        session.execute(this.values(recovered_ms=time_ms))
    elif what == DISCLOSED:
        is_first = IndexedAccount.disclosed_ms.is_(None)
        session.execute(this.where(is_first).values(disclosed_ms=time_ms))
    if what in (GRANTED, DISCLOSED):
        session.merge(ActiveDay(day=time_ms // DAY_MS, account_id=account_id))

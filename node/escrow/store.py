"""What an agent keeps of each handle. One transaction for a request: state, log, spent nonces."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    LargeBinary,
    String,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from client_sdk.escrow.access_log import START, LogEntry
from client_sdk.escrow.deposit_statement import HANDLE_CHARS, DepositStatement, verify_statement
from node.database import Schema, open_database
from node.errors import StorageError

_Outcome = TypeVar("_Outcome")
_TRIES: Final = 10
_EVENT_CHARS: Final = 64
_MAX_FOUND: Final = 16


class Base(DeclarativeBase):
    """The agent's tables."""


class StoredHolder(Base):
    """One handle: its counter of attempts, and the end of its log.

    Attributes:
        handle: The recovery card's name, 32 hex digits.
        account: The ledger account that its newest statement names.
        attempts: How often it was evaluated since the last success.
        last_attempt_ms: When last.
        withdraw_at_ms: When a withdrawal that was asked for is done; None where none was.
        log_sequence: How many entries its log has.
        log_hash: The hash of the last entry.
    """

    __tablename__ = "escrow_holder"

    handle: Mapped[str] = mapped_column(String(HANDLE_CHARS), primary_key=True)
    account: Mapped[str | None] = mapped_column(String(288), index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    last_attempt_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    withdraw_at_ms: Mapped[int | None] = mapped_column(BigInteger, index=True)
    log_sequence: Mapped[int] = mapped_column(default=0)
    log_hash: Mapped[str] = mapped_column(String(64), default=START)


class StoredDeposit(Base):
    """What a wallet left at one epoch.

    Attributes:
        handle: Whose.
        epoch: Its statement's epoch.
        is_active: Whether it was confirmed; until then the one before it stays too.
        statement: The signed statement.
        sealed_share: The share of the OPRF key; None once it was erased.
        backup_version: The version of `backup`.
        backup: The sealed backup.
        backup_stored_ms: When it came.
        previous_version: The version of `previous_backup`; None where there is none.
        previous_backup: One that was the newest a while ago, should the newest be a thief's.
    """

    __tablename__ = "escrow_deposit"

    handle: Mapped[str] = mapped_column(ForeignKey(StoredHolder.handle), primary_key=True)
    epoch: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    is_active: Mapped[bool]
    statement: Mapped[str]
    sealed_share: Mapped[bytes | None] = mapped_column(LargeBinary)
    backup_version: Mapped[int]
    backup: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    backup_stored_ms: Mapped[int] = mapped_column(BigInteger)
    previous_version: Mapped[int | None]
    previous_backup: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)

    @property
    def terms(self) -> DepositStatement:
        """The statement, which was verified when it came."""
        return verify_statement(self.statement, expected_handle=self.handle)

    def __repr__(self) -> str:
        return f"StoredDeposit(handle={self.handle!r}, epoch={self.epoch})"


class StoredLogEntry(Base):
    """One entry of a handle's log (`client_sdk.escrow.access_log`)."""

    __tablename__ = "escrow_log"

    handle: Mapped[str] = mapped_column(ForeignKey(StoredHolder.handle), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    time_ms: Mapped[int] = mapped_column(BigInteger)
    event: Mapped[str] = mapped_column(String(_EVENT_CHARS))
    caller: Mapped[str] = mapped_column(String(16))
    previous: Mapped[str] = mapped_column(String(64))

    @property
    def entry(self) -> LogEntry:
        """The entry in the form that is hashed."""
        return LogEntry(
            sequence=self.sequence,
            time_ms=self.time_ms,
            event=self.event,
            caller=self.caller,
            previous=self.previous,
        )


class SpentToken(Base):
    """The hash of a nonce or token that is good once."""

    __tablename__ = "escrow_spent_token"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at_ms: Mapped[int] = mapped_column(BigInteger, index=True)


class AccountBinding(Base):
    """Which recovery card may recover an account; the first stays while its deposit does."""

    __tablename__ = "escrow_account_binding"

    account: Mapped[str] = mapped_column(String(288), primary_key=True)
    handle: Mapped[str] = mapped_column(String(32))
    bound_at_ms: Mapped[int] = mapped_column(BigInteger)


SCHEMA: Final = Schema(
    service="escrow",
    tables=Base.metadata,
    revision="0001",
    revisions=Path(__file__).with_name("revisions"),
)


class HolderTransaction:
    """The rows of one handle within one transaction.

    Attributes:
        session: The transaction.
        handle: The handle.
        holder: Its row; None where the agent does not know it.
        has_erased: Whether something was erased that must not be left on the disk.
    """

    def __init__(self, session: Session, handle: str) -> None:
        """Read the handle's row, and keep others away from it until the transaction ends."""
        self.session = session
        self.handle = handle
        self.holder = session.get(StoredHolder, handle, with_for_update=True)
        self.has_erased = False

    def deposits(self) -> list[StoredDeposit]:
        """Return what is kept of the handle, the newest first."""
        query = select(StoredDeposit).where(StoredDeposit.handle == self.handle)
        return list(self.session.scalars(query.order_by(StoredDeposit.epoch.desc())))

    def deposit(self, epoch: int) -> StoredDeposit | None:
        """Return what is kept of one epoch."""
        return self.session.get(StoredDeposit, (self.handle, epoch))

    def delete(self, deposit: StoredDeposit) -> None:
        """Delete what is kept of one epoch."""
        self.session.delete(deposit)
        self.has_erased = True

    def erase_share(self, deposit: StoredDeposit) -> None:
        """Erase the share of one epoch."""
        deposit.sealed_share = None
        self.has_erased = True

    def spend(self, token: str, *, expires_at_ms: int) -> bool:
        """Note that a nonce or token was used; False where it was before."""
        token_hash = hashlib.sha256(token.encode()).hexdigest()
        if self.session.get(SpentToken, token_hash) is not None:
            return False
        self.session.add(SpentToken(token_hash=token_hash, expires_at_ms=expires_at_ms))
        return True

    def append_log(self, event: str, *, caller: str, now_ms: int) -> None:
        """Write an entry. Each change of the handle's rows comes with exactly one."""
        holder = self.holder
        if holder is None:
            holder = self.holder = StoredHolder(handle=self.handle, log_sequence=0, log_hash=START)
            holder.attempts, holder.last_attempt_ms = 0, 0
            self.session.add(holder)
            self.session.flush()
        entry = LogEntry(
            sequence=holder.log_sequence + 1,
            time_ms=now_ms,
            event=event[:_EVENT_CHARS],
            caller=caller,
            previous=holder.log_hash,
        )
        holder.log_sequence, holder.log_hash = entry.sequence, entry.hash
        self.session.add(StoredLogEntry(handle=self.handle, **entry.to_fields()))

    def last_event(self) -> str | None:
        """Return the event of the last entry."""
        if self.holder is None:
            return None
        last = self.session.get(StoredLogEntry, (self.handle, self.holder.log_sequence))
        return None if last is None else last.event

    def log(self) -> list[LogEntry]:
        """Return the handle's log, the oldest entry first."""
        query = select(StoredLogEntry).where(StoredLogEntry.handle == self.handle)
        return [row.entry for row in self.session.scalars(query.order_by(StoredLogEntry.sequence))]


class EscrowStore:
    """The agent's tables. Safe to share between threads and processes."""

    def __init__(self, database_url: str) -> None:
        """Open the database and make the tables where there are none.

        Raises:
            ConfigError: The URL is not one of SQLAlchemy's.
            StorageError: The database cannot be used.
        """
        self._database = open_database(database_url, SCHEMA)

    def change(self, handle: str, work: Callable[[HolderTransaction], _Outcome]) -> _Outcome:
        """Do the work on a handle in one transaction; what it returns is given once it is written.

        Changes of one handle are done one after the other. Where two are the first ones of a
        handle, or spend the same token, the work of one is done anew. Where it raises, nothing is
        written.

        Raises:
            StorageError: What the work writes does not fit to what is there, however often.
        """
        for _ in range(_TRIES):
            try:
                with self._database.transaction() as session:
                    transaction = HolderTransaction(session, handle)
                    outcome = work(transaction)
            except IntegrityError:
                continue
            if transaction.has_erased:
                # What was erased is in SQLite's write-ahead log too, until that is emptied.
                self._database.empty_log()
            return outcome
        raise StorageError("what an escrow request writes does not fit to what is there")

    def handles_of_account(self, account: str) -> list[str]:
        """Return the handles whose statements name a ledger account, the newest first.

        Anybody can name any account. Where the account's own key has bound one, it is that alone.
        """
        bound = (
            select(AccountBinding.handle)
            .join(StoredDeposit, StoredDeposit.handle == AccountBinding.handle)
            .where(AccountBinding.account == account)
        )
        query = (
            select(StoredHolder.handle)
            .join(StoredDeposit, StoredDeposit.handle == StoredHolder.handle)
            .where(StoredHolder.account == account)
            .group_by(StoredHolder.handle)
            .order_by(func.max(StoredDeposit.epoch).desc())
        )
        with self._database.reading() as session:
            handle = session.scalar(bound.limit(1))
            return [handle] if handle else list(session.scalars(query.limit(_MAX_FOUND)))

    def count_deposits(self) -> int:
        """Return how many deposits are kept."""
        return self._database.find_one(select(func.count()).select_from(StoredDeposit)) or 0

    def handles_to_purge(self, *, now_ms: int, budget: int) -> list[str]:
        """Return the handles with a withdrawal that is due, or attempts used up and a share."""
        due = StoredHolder.withdraw_at_ms <= now_ms
        has_share = exists().where(
            StoredDeposit.handle == StoredHolder.handle, StoredDeposit.sealed_share.is_not(None)
        )
        exhausted = and_(StoredHolder.attempts >= budget, has_share)
        query = select(StoredHolder.handle).where(or_(due, exhausted))
        with self._database.reading() as session:
            return list(session.scalars(query))

    def forget_spent(self, now_ms: int) -> None:
        """Delete spent nonces and tokens that have expired anyway."""
        self._database.change(delete(SpentToken).where(SpentToken.expires_at_ms <= now_ms))

    def close(self) -> None:
        """Close the connections."""
        self._database.close()

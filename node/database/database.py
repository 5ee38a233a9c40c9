"""Transactions and reads of one database, for the stores of a service.

A transaction of SQLite takes the lock for writing when it begins (`BEGIN IMMEDIATE`): what it reads
stays true until it is committed, whichever process writes. PostgreSQL's are READ COMMITTED: there a
store names in one statement the state that it changes, or locks the row first (`with_for_update`,
which SQLite leaves out). So neither has to be tried again because of others.

A connection that broke while nobody used it is replaced unseen. One that breaks in the middle, or a
database that is away, is a `DatabaseUnavailableError`: whether a commit that was under way has
happened is not known then, and whoever asked sends again, as after any lost answer.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import Any, Final, TypeVar

from sqlalchemy import (
    Connection,
    CursorResult,
    Delete,
    Engine,
    ExceptionContext,
    Select,
    Update,
    event,
    exc,
)
from sqlalchemy.orm import Session

from client_sdk.gathering import Gathering
from node.errors import DatabaseUnavailableError, UnstorableTextError

READS: Final = "tegata_reads"
"""The execution option of connections that only read, each statement by itself."""
QUICK: Final = "tegata_quick"
"""The execution option of connections whose commits do not wait for the disk."""
_SQLITE_TROUBLE: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
    }
)
"""What passes: others write, or the operator mends the disk."""
_MOST_TOGETHER: Final = 64
_PATIENCE_S: Final = 60.0
"""Longer than any transaction waits for another one."""
_READ_ONLY: Final = "25006"
"""PostgreSQL's `read_only_sql_transaction`."""
_Row = TypeVar("_Row")
_Result = TypeVar("_Result")


class Database:
    """One database. Safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        """Take over connections that `node.database.open_database` made."""
        self._engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"
        # SQLite lets one transaction at a time write, and is not fair to those who wait: the
        # threads of a process queue here.
        self._turn = threading.RLock() if self._is_sqlite else nullcontext()
        # PostgreSQL spends no round trip on the beginning and end of a single statement.
        alone: dict[str, Any] = {} if self._is_sqlite else {"isolation_level": "AUTOCOMMIT"}
        self._reads = engine.execution_options(**{READS: True}, **alone)
        self._writes: Gathering[Callable[[Connection], Any], Any] = Gathering(
            self._write_all, most=_MOST_TOGETHER
        )

    def quick(self) -> "Database":
        """Return the same database with commits that do not wait for the disk.

        Such a commit outlives the process, and the last ones not the machine's power; the file
        stays whole either way. It counts for SQLite only: PostgreSQL has its own settings.
        """
        quick = Database(self._engine.execution_options(**{QUICK: True}))
        quick._turn = self._turn
        return quick

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Write what the `with` body does, whole; or nothing, where it raises.

        Raises:
            DatabaseUnavailableError: The database does not answer now.
            UnstorableTextError: It cannot keep a text.
        """
        with (
            _own_errors(),
            self._turn,
            Session(self._engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Write as in `transaction`, without objects.

        Raises:
            DatabaseUnavailableError: The database does not answer now.
            UnstorableTextError: It cannot keep a text.
        """
        with _own_errors(), self._turn, self._engine.begin() as connection:
            yield connection

    def write(self, work: Callable[[Connection], _Result]) -> _Result:
        """Return what some work returns that writes, in a transaction which other threads share.

        It is committed when this returns. Work that came while another transaction was written is
        written by the next one, all together: most of what a small one costs is its beginning and
        end.

        Args:
            work: Reads and writes no more than its own few rows. Where one of those that share a
                transaction fails, each is done anew by itself.

        Raises:
            DatabaseUnavailableError: The database does not answer now.
            UnstorableTextError: It cannot keep a text.
        """
        result: _Result = self._writes.ask(work, patience_s=_PATIENCE_S)
        return result

    def _write_all(self, works: Sequence[Callable[[Connection], Any]]) -> list[Any]:
        if len(works) == 1:
            return [self._write_alone(works[0])]
        try:
            with self.connection() as connection:
                return [work(connection) for work in works]
        except DatabaseUnavailableError:
            # It may have been committed.
            raise
        except Exception:  # noqa: BLE001 - whose it is comes out where each is done by itself
            return [self._write_alone(work) for work in works]

    def _write_alone(self, work: Callable[[Connection], Any]) -> Any:
        try:
            with self.connection() as connection:
                return work(connection)
        except Exception as error:  # noqa: BLE001 - it is raised to whoever has asked
            return error

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Read; each statement sees what was committed when it began. Objects stay readable.

        Raises:
            DatabaseUnavailableError: The database does not answer now.
            UnstorableTextError: It has no text such as one that was asked for.
        """
        with _own_errors(), Session(self._reads, expire_on_commit=False) as session:
            yield session

    def find_one(self, query: Select[_Row]) -> _Row | None:
        """Return the one row of a query, or None; where the connection breaks, ask once more.

        Raises:
            DatabaseUnavailableError: The database does not answer now.
            UnstorableTextError: It has no text such as one that was asked for.
        """
        with suppress(DatabaseUnavailableError), self.reading() as session:
            return session.scalars(query).one_or_none()
        with self.reading() as session:
            return session.scalars(query).one_or_none()

    def find_row(
        self, query: Select[Any], parameters: Mapping[str, object]
    ) -> dict[str, Any] | None:
        """Return the one row of a query by its columns' names, or None: without objects.

        Raises:
            DatabaseUnavailableError: The database does not answer now.
            UnstorableTextError: It has no text such as one that was asked for.
        """
        with _own_errors(), self._reads.connect() as connection:
            row = connection.execute(query, parameters).one_or_none()
        return None if row is None else row._asdict()

    def change(self, statement: Update | Delete) -> bool:
        """Change rows by one statement; return whether it was one row.

        Raises:
            DatabaseUnavailableError: The database does not answer now.
            UnstorableTextError: It cannot keep a text.
        """
        with self.connection() as connection:
            return count_rows(connection.execute(statement)) == 1

    def empty_log(self) -> None:
        """Empty an SQLite file's write-ahead log, where what was erased would stand a while yet.

        Where others are reading, it is left for the next time.
        """
        if self._is_sqlite:
            with self._reads.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


@contextmanager
def _own_errors() -> Iterator[None]:
    """Raise an error of ours where the database is away, or cannot keep what it was given."""
    try:
        yield
    except (exc.DBAPIError, exc.TimeoutError) as error:
        # The driver's own text may hold what was written.
        cause = getattr(error, "orig", None) or error
        if _is_away(error, cause):
            name = type(cause).__name__
            raise DatabaseUnavailableError(f"the database does not answer ({name})") from None
        # psycopg says so by itself; what the server says has a number.
        if isinstance(error, exc.DataError) and getattr(cause, "sqlstate", "") is None:
            raise UnstorableTextError("a text holds NUL, which PostgreSQL cannot keep") from None
        raise


def _is_away(error: exc.SQLAlchemyError, cause: object) -> bool:
    if isinstance(cause, sqlite3.Error):
        # SQLite has one class of error for a disk that is full and for a table that is missing.
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in _SQLITE_TROUBLE
    is_lost = isinstance(error, exc.DBAPIError) and error.connection_invalidated
    return is_lost or isinstance(
        error, exc.InterfaceError | exc.OperationalError | exc.TimeoutError
    )


def count_rows(result: object) -> int:
    """Return how many rows a statement changed."""
    return result.rowcount if isinstance(result, CursorResult) else 0


def leave_standby(engine: Engine) -> None:
    """Let go of connections to a PostgreSQL that has become a standby: another one is the primary.

    A name that leads to the primary, or `target_session_attrs=read-write`, then leads there.
    """
    event.listen(engine, "handle_error", _leave_standby)


def _leave_standby(context: ExceptionContext) -> None:
    if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
        context.is_disconnect = True


def prepare_sqlite(engine: Engine) -> None:
    """Make SQLite's transactions begin as this module says, and overwrite what is deleted."""
    event.listen(engine, "connect", _connect)
    event.listen(engine, "begin", _begin)


def _connect(connection: Any, _record: object) -> None:
    # The driver begins no transaction by itself; `_begin` does.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.close()


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get(READS):
        return
    level = "NORMAL" if options.get(QUICK) else "FULL"
    if connection.info.get("synchronous") != level:
        connection.exec_driver_sql(f"PRAGMA synchronous = {level}")
        connection.info["synchronous"] = level
    connection.exec_driver_sql("BEGIN IMMEDIATE")

"""Single statements, each in its own transaction."""

from typing import TypeVar

from sqlalchemy import CursorResult, Delete, Engine, Select, Update
from sqlalchemy.orm import Session

from node.issuer.tables import Base

_Row = TypeVar("_Row", bound=Base)


def find_one(engine: Engine, query: Select[_Row]) -> _Row | None:
    """Return the one row of a query, or None."""
    with Session(engine, expire_on_commit=False) as session:
        return session.scalars(query).one_or_none()


def change(engine: Engine, statement: Update | Delete) -> bool:
    """Change rows; return whether it was one."""
    with Session(engine) as session, session.begin():
        return is_one_row(session.execute(statement))


def is_one_row(result: object) -> bool:
    """Return whether a statement changed one row."""
    return isinstance(result, CursorResult) and result.rowcount == 1

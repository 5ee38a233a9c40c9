"""The root of the gateway's tables."""

from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """The root of the tables."""

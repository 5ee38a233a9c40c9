"""The root of the gateway's tables."""

from typing import Final

from sqlalchemy.orm import DeclarativeBase

from node.web.shared_counts import define_counts


class Base(DeclarativeBase):
    """The root of the tables."""


RATE_COUNT: Final = define_counts(Base.metadata)

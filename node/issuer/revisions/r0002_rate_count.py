"""Tries to log in are counted in the database, for all instances."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table of counts."""
    op.create_table(
        "rate_count",
        sa.Column("caller", sa.String(32), primary_key=True),
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.Column("ends_at_s", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_rate_count_ends_at_s", "rate_count", ["ends_at_s"])

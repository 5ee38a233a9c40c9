"""The first tables of the operator's page."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables that do not exist."""
    op.create_table(
        "block",
        sa.Column("height", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("committed", sa.Integer(), nullable=False),
        sa.Column("rejected", sa.Integer(), nullable=False),
        sa.Column("latency_ms", sa.BigInteger()),
        sa.Column("slowest_ms", sa.BigInteger()),
        if_not_exists=True,
    )
    _index("block", "time_ms")
    op.create_table(
        "transaction_place",
        sa.Column("hash", sa.LargeBinary(32), primary_key=True),
        sa.Column("height", sa.BigInteger(), nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "account",
        sa.Column("account_id", sa.String(320), primary_key=True),
        sa.Column("domain", sa.String(255), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("disclosed_ms", sa.BigInteger()),
        sa.Column("recovered_ms", sa.BigInteger()),
        if_not_exists=True,
    )
    _index("account", "domain")
    _index("account", "created_ms")
    op.create_table(
        "active_day",
        sa.Column("day", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("account_id", sa.String(320), primary_key=True),
        if_not_exists=True,
    )


def _index(table: str, column: str) -> None:
    op.create_index(f"ix_{table}_{column}", table, [column], if_not_exists=True)

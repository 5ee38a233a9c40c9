"""The tables as they were before revisions: those that exist are taken over."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables that do not exist."""
    op.create_table(
        "escrow_holder",
        sa.Column("handle", sa.String(32), primary_key=True),
        sa.Column("account", sa.String(288)),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_attempt_ms", sa.BigInteger(), nullable=False),
        sa.Column("withdraw_at_ms", sa.BigInteger()),
        sa.Column("log_sequence", sa.Integer(), nullable=False),
        sa.Column("log_hash", sa.String(64), nullable=False),
        if_not_exists=True,
    )
    _index("escrow_holder", "account")
    _index("escrow_holder", "withdraw_at_ms")
    op.create_table(
        "escrow_deposit",
        sa.Column("handle", sa.String(32), sa.ForeignKey("escrow_holder.handle"), primary_key=True),
        sa.Column("epoch", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("statement", sa.String(), nullable=False),
        sa.Column("sealed_share", sa.LargeBinary()),
        sa.Column("backup_version", sa.Integer(), nullable=False),
        sa.Column("backup", sa.LargeBinary(), nullable=False),
        sa.Column("backup_stored_ms", sa.BigInteger(), nullable=False),
        sa.Column("previous_version", sa.Integer()),
        sa.Column("previous_backup", sa.LargeBinary()),
        if_not_exists=True,
    )
    op.create_table(
        "escrow_log",
        sa.Column("handle", sa.String(32), sa.ForeignKey("escrow_holder.handle"), primary_key=True),
        sa.Column("sequence", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.String(64), nullable=False),
        sa.Column("caller", sa.String(16), nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "escrow_spent_token",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        if_not_exists=True,
    )
    _index("escrow_spent_token", "expires_at_ms")
    op.create_table(
        "escrow_account_binding",
        sa.Column("account", sa.String(288), primary_key=True),
        sa.Column("handle", sa.String(32), nullable=False),
        sa.Column("bound_at_ms", sa.BigInteger(), nullable=False),
        if_not_exists=True,
    )


def _index(table: str, column: str) -> None:
    op.create_index(f"ix_{table}_{column}", table, [column], if_not_exists=True)

"""Refresh tokens, and which grant offers and credentials come of."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table, and name the grant of what there is: none."""
    op.create_table(
        "refresh_token",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        sa.Column("grant_id", sa.String(32), nullable=False),
        sa.Column("attributes", sa.LargeBinary(), nullable=False),
        sa.Column("reference", sa.String(64)),
        sa.Column("identifier", sa.String(64)),
        sa.Column("dpop_jkt", sa.String(43)),
        sa.Column("instance_jkt", sa.String(43)),
        sa.Column("client_id", sa.String(256)),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("is_used", sa.Boolean(), nullable=False),
    )
    op.create_index("ix_refresh_token_grant_id", "refresh_token", ["grant_id"])
    op.create_index("ix_refresh_token_expires_at_ms", "refresh_token", ["expires_at_ms"])
    for table in ("offer", "credential"):
        op.add_column(table, sa.Column("grant_id", sa.String(32)))
        op.create_index(f"ix_{table}_grant_id", table, ["grant_id"])

"""The table as it was before revisions: where it exists it is taken over."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the table where it does not exist."""
    op.create_table(
        "signed_credential",
        sa.Column("record_id", sa.String(32), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("signed_at_ms", sa.BigInteger(), nullable=False),
        if_not_exists=True,
    )
    op.create_index(
        "ix_signed_credential_signed_at_ms",
        "signed_credential",
        ["signed_at_ms"],
        if_not_exists=True,
    )

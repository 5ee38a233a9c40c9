"""Status lists that were signed, and which credential stands in which place."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table of lists; what was signed before stands in none."""
    op.create_table(
        "signed_status_list",
        sa.Column("list_id", sa.String(32), primary_key=True),
        sa.Column("statuses", sa.LargeBinary(), nullable=False),
        sa.Column("signed_at_ms", sa.BigInteger(), nullable=False),
    )
    op.add_column("signed_credential", sa.Column("list_id", sa.String(32)))
    op.add_column("signed_credential", sa.Column("list_index", sa.Integer()))
    op.create_index(
        "signed_credential_place", "signed_credential", ["list_id", "list_index"], unique=True
    )

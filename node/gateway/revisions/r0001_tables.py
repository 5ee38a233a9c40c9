"""The tables as they were before revisions: those that exist are taken over."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables that do not exist."""
    op.create_table(
        "presentation_request",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("verifier", sa.String(64), nullable=False),
        sa.Column("request_object", sa.String(), nullable=False),
        sa.Column("response_key", sa.JSON()),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("redirect_uri", sa.String()),
        sa.Column("response_code_sha256", sa.String(64)),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("result_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("checks", sa.JSON()),
        sa.Column("shown", sa.JSON()),
        sa.Column("held", sa.JSON()),
        sa.Column("credentials", sa.JSON()),
        sa.Column("receipt", sa.LargeBinary()),
        sa.Column("tries", sa.Integer(), nullable=False),
        if_not_exists=True,
    )
    _index("presentation_request", "verifier")
    _index("presentation_request", "result_until_ms")
    op.create_table(
        "request_event",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("request_id", sa.String(32), nullable=False),
        sa.Column("verifier", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("due_ms", sa.BigInteger()),
        sa.Column("tries", sa.Integer(), nullable=False),
        sqlite_autoincrement=True,
        if_not_exists=True,
    )
    _index("request_event", "request_id")
    _index("request_event", "due_ms")
    op.create_table(
        "webhook",
        sa.Column("verifier", sa.String(64), primary_key=True),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "standing_grant",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("verifier", sa.String(64), nullable=False),
        sa.Column("request_object", sa.String(), nullable=False),
        sa.Column("attributes", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("answer_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("grant_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("grant", sa.String(32), unique=True),
        sa.Column("account", sa.String()),
        sa.Column("receipt_key", sa.LargeBinary()),
        sa.Column("consent", sa.String()),
        sa.Column("sealed", sa.String()),
        if_not_exists=True,
    )
    _index("standing_grant", "verifier")
    _index("standing_grant", "grant_until_ms")
    op.create_table(
        "standing_access",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column(
            "standing_grant",
            sa.String(32),
            sa.ForeignKey("standing_grant.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("use", sa.Integer(), nullable=False),
        sa.Column("receipt", sa.LargeBinary(), nullable=False),
        sa.Column("is_written", sa.Boolean(), nullable=False),
        sa.UniqueConstraint("standing_grant", "use"),
        if_not_exists=True,
    )
    _index("standing_access", "standing_grant")
    op.create_table(
        "api_key",
        sa.Column("id", sa.String(12), primary_key=True),
        sa.Column("verifier", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False, unique=True),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger()),
        sa.Column("revoked_at_ms", sa.BigInteger()),
        if_not_exists=True,
    )
    _index("api_key", "verifier")


def _index(table: str, column: str) -> None:
    op.create_index(f"ix_{table}_{column}", table, [column], if_not_exists=True)

"""The tables as they were before revisions: those that exist are taken over."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables that do not exist."""
    _make_offers()
    _make_credentials()
    op.create_table(
        "spent_nonce",
        sa.Column("nonce_hash", sa.String(64), primary_key=True),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        if_not_exists=True,
    )
    _index("spent_nonce", "expires_at_ms")
    op.create_table(
        "enrolment",
        sa.Column("code_hash", sa.String(64), primary_key=True),
        sa.Column("tries_left", sa.Integer(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.String(320)),
        if_not_exists=True,
    )
    _index("enrolment", "expires_at_ms")
    op.create_table(
        "service_key",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("jwk", sa.LargeBinary(), nullable=False),
        if_not_exists=True,
    )


def _make_offers() -> None:
    op.create_table(
        "offer",
        sa.Column("offer_hash", sa.String(64), primary_key=True),
        sa.Column("code_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("tx_code_hash", sa.String(64), nullable=False),
        sa.Column("tries_left", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(64), unique=True),
        sa.Column("attributes", sa.LargeBinary(), nullable=False),
        sa.Column("reference", sa.String(64)),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("leased_until_ms", sa.BigInteger()),
        sa.Column("needs_card", sa.Boolean(), nullable=False),
        sa.Column("dpop_jkt", sa.String(43)),
        sa.Column("client_id", sa.String(256)),
        sa.Column("identifier", sa.String(64)),
        sa.Column("review_hash", sa.String(64), unique=True),
        sa.Column("review", sa.String(16)),
        sa.Column("review_attributes", sa.LargeBinary()),
        sa.Column("transaction_hash", sa.String(64)),
        sa.Column("requested", sa.LargeBinary()),
        sa.Column("issued", sa.LargeBinary()),
        sa.Column("prepared_record", sa.String(32)),
        if_not_exists=True,
    )
    _index("offer", "expires_at_ms")
    op.create_table(
        "offer_key",
        sa.Column("key_hash", sa.String(64), primary_key=True),
        sa.Column("code", sa.LargeBinary(), nullable=False),
        sa.Column("needs_tx_code", sa.Boolean(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        if_not_exists=True,
    )
    _index("offer_key", "expires_at_ms")
    op.create_table(
        "authorization",
        sa.Column("request_hash", sa.String(64), primary_key=True),
        sa.Column("parameters", sa.LargeBinary(), nullable=False),
        sa.Column("code_hash", sa.String(64), unique=True),
        sa.Column("token_hash", sa.String(64)),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("forgotten_at_ms", sa.BigInteger(), nullable=False),
        if_not_exists=True,
    )
    _index("authorization", "forgotten_at_ms")


def _make_credentials() -> None:
    op.create_table(
        "credential",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("record_id", sa.String(32), nullable=False, unique=True),
        sa.Column("reference", sa.String(64)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("list_id", sa.String(32)),
        sa.Column("list_index", sa.Integer()),
        sa.Column("batch_id", sa.String(32)),
        sa.Column("leaf", sa.LargeBinary()),
        sa.Column("position", sa.Integer()),
        sa.Column("issued_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("notification_hash", sa.String(64)),
        sa.Column("event", sa.String(32)),
        if_not_exists=True,
    )
    _index("credential", "reference")
    _index("credential", "notification_hash")
    for name in ("leaf", "position"):
        op.create_index(f"credential_{name}", "credential", ["batch_id", name], if_not_exists=True)
    op.create_table(
        "renewal",
        sa.Column("record_id", sa.String(32), primary_key=True),
        sa.Column("account_id", sa.String(320), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("replaced_by", sa.String(32)),
        if_not_exists=True,
    )
    op.create_table(
        "status_list",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("list_id", sa.String(32), nullable=False, unique=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("places", sa.LargeBinary(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("statuses", sa.LargeBinary(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("anchored_version", sa.BigInteger(), nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "batch",
        sa.Column("batch_id", sa.String(32), primary_key=True),
        sa.Column("run", sa.String(64), nullable=False, unique=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("list_id", sa.String(32), nullable=False),
        sa.Column("first_place", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("last_reference", sa.String(64), nullable=False),
        sa.Column("letters_bytes", sa.BigInteger(), nullable=False),
        sa.Column("part_roots", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        if_not_exists=True,
    )


def _index(table: str, column: str) -> None:
    op.create_index(f"ix_{table}_{column}", table, [column], if_not_exists=True)

"""Alembic's revisions of the escrow's tables; `node.database.schema` applies them."""

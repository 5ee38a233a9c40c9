"""Alembic's revisions of the gateway's tables; `node.database.schema` applies them."""

"""Alembic's revisions of the issuer's tables; `node.database.schema` applies them."""

"""Alembic's revisions of the authority's tables; `node.database.schema` applies them."""

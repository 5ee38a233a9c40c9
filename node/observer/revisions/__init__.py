"""Alembic's revisions of the tables of the operator's page; `node.database.schema` applies them."""

"""Where Alembic begins: `node.database.schema` runs it."""

"""The history of the tables: one Alembic revision a change, numbered, upwards and downwards."""

"""Run by Alembic's commands, inside the transaction of the connection that `engine.alembic_config` was given."""

from alembic import context

from storage.database.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # A migration that fails half-way leaves nothing behind; SQLite can do so too, as the engine begins transactions.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()

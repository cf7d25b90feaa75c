"""Tells Alembic on which connection to work."""

from alembic import context

from hub.central.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
if not connection.get_isolation_level().startswith("AUTOCOMMIT"):
    connection.commit()

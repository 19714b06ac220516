# Alembic runs this file by itself; the folder is no package.
"""What Alembic runs: the migrations, in the transaction of a store that opens."""

from alembic import context

from truthound.store._tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
)
# The store has begun a transaction, and ends it.
context.run_migrations()

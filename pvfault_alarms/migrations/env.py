"""What Alembic runs: its steps in the transaction of the connection that it is given."""

from alembic import context

from pvfault_alarms.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    # SQLite's transactions hold changes of tables as well, if they are begun by hand, as `store.py` does.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()

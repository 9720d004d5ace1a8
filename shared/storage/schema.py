"""Bring the database's schema up to date; safe when several processes start at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy
from sqlalchemy.engine import Connection

from shared.storage.database import Database

HEAD = "0007"
"""The newest revision; a test holds it against the files."""

MIGRATIONS = Path(__file__).parent / "migrations"
ADVISORY_LOCK = 0x6D637067


def upgrade(database: Database) -> None:
    """Apply what is missing. Blocking: call it in a thread. Raises Unavailable when the database is not reachable."""
    if _revision(database) == HEAD:
        return
    with _alone(database) as connection:
        if _current(connection) != HEAD:
            _apply(connection)


def _revision(database: Database) -> str | None:
    return database.run_sync(lambda session: _current(session.connection()), write=False)


def _current(connection: Connection) -> str | None:
    if not sqlalchemy.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(sqlalchemy.text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def _apply(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@contextmanager
def _alone(database: Database) -> Iterator[Connection]:
    """One transaction that no other process's start-up can be in at the same time."""
    with database.engine.connect() as connection:
        connection.info["write"] = True
        with connection.begin():
            if not database.is_sqlite:
                connection.execute(sqlalchemy.text("SET LOCAL statement_timeout = 0"))
                connection.execute(sqlalchemy.text("SET LOCAL lock_timeout = 0"))
                connection.execute(sqlalchemy.text(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
            yield connection

"""Bring the database's schema up to date; safe when several processes start at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import sqlalchemy
from sqlalchemy.engine import Connection

from shared.errors import Conflict
from shared.storage.database import Database

HEAD = "0010"
"""The newest revision; a test holds it against the files."""

MIGRATIONS = Path(__file__).parent / "migrations"
ADVISORY_LOCK = 0x6D637067


State = Literal["current", "behind", "newer"]


def upgrade(database: Database) -> None:
    """Apply what is missing. Blocking: call it in a thread.

    Raises Unavailable when the database is not reachable, Conflict when a newer version wrote it.
    """
    if revision(database) == HEAD:
        return
    with _alone(database) as connection:
        found = _current(connection)
        refuse_newer(found)
        if found != HEAD:
            _apply(connection)


def revision(database: Database) -> str | None:
    """The revision of the database's schema; None before the first start. Raises Unavailable."""
    return database.run_sync(lambda session: _current(session.connection()), write=False)


def state(found: str | None) -> State:
    """How a revision stands to this version of the gateway; one that it does not know comes from a newer version."""
    if found == HEAD:
        return "current"
    return "behind" if found is None or found in _known() else "newer"


def refuse_newer(found: str | None) -> None:
    """Raises Conflict for the revision of a newer version."""
    if state(found) == "newer":
        raise Conflict(
            f"The database was written by a newer version of the gateway: its schema is {found}, this version knows {HEAD} "
            "and older. Install the newer version, or restore a backup from before the upgrade.",
            code="newer_database",
        )


def _known() -> set[str]:
    return {path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py")}


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

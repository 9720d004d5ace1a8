"""What became of a transaction whose COMMIT got no answer: PostgreSQL knows it by the transaction's id."""

import time

from sqlalchemy import exc, text
from sqlalchemy.engine import Engine
from sqlmodel import Session

SECONDS = 3.0
"""How long a server that is away is asked again. A thread of the database's waits meanwhile."""
PAUSE_SECONDS = 0.1

_ID = text("SELECT CAST(pg_current_xact_id_if_assigned() AS text)")
_STATUS = text("SELECT pg_xact_status(CAST(CAST(:id AS text) AS xid8))")


def transaction_id(session: Session) -> str | None:
    """The id of the transaction, with everything in it sent; None where it has written nothing, and on SQLite.

    SQLite needs none: nothing is between it and the gateway that could lose its answer.
    """
    session.flush()
    if session.get_bind().dialect.name != "postgresql":
        return None
    found = session.connection().execute(_ID).scalar()
    return None if found is None else str(found)


def committed(engine: Engine, transaction: str) -> bool | None:
    """Whether a transaction was committed; None when that cannot be found out in time.

    https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
    """
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            with engine.connect() as connection:
                status = connection.execute(_STATUS, {"id": transaction}).scalar()
        except (exc.DBAPIError, exc.TimeoutError):
            status = None
        if status in ("committed", "aborted"):
            return bool(status == "committed")
        time.sleep(PAUSE_SECONDS)
    return None

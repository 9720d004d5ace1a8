"""Connections to a PostgreSQL server, also through a pooler that lends them for a transaction each."""

from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.engine import URL, Dialect, Engine, ExceptionContext

from shared.errors import Unavailable
from shared.storage import facts, json_text

if TYPE_CHECKING:
    from psycopg import Connection

PSYCOPG = "psycopg"
TIMEOUT_MS = 15_000
REACHING = {"connect_timeout": 5, "keepalives_idle": 10, "tcp_user_timeout": TIMEOUT_MS}
"""A server that accepts and then says nothing must not hold a thread for ever, so everything has a limit."""
OPTIONS = f"-c statement_timeout={TIMEOUT_MS} -c lock_timeout={TIMEOUT_MS}"
LIMIT_TRANSACTION = f"SET LOCAL statement_timeout = {TIMEOUT_MS}; SET LOCAL lock_timeout = {TIMEOUT_MS}"
REFUSED_OPTIONS = "startup parameter"
"""What PgBouncer says of options that it does not pass on, unless `ignore_startup_parameters` names them."""
READ_ONLY = "25006"
"""PostgreSQL's state for a write in a read-only transaction."""
POOLED = "pooled"
"""In the notes of a connection that is not with one backend."""


def engine(url: URL, *, workers: int, more: int) -> Engine:
    """An engine for so many threads, and some more now and then."""
    psycopg = url.get_driver_name() == PSYCOPG
    made = sqlalchemy.create_engine(
        url,
        hide_parameters=True,
        json_serializer=json_text.dumps,
        pool_size=workers,
        max_overflow=more,
        pool_timeout=TIMEOUT_MS / 1000,
        pool_pre_ping=True,
        pool_recycle=1800,
        connect_args={**REACHING, "options": OPTIONS} if psycopg else {},
    )
    if psycopg:
        event.listen(made, "handle_error", _leave_read_only)
        event.listen(made, "do_connect", _connected)
        event.listen(made, "begin", _limit_pooled)
    return made


def listening(made: Engine, url: URL) -> "Connection":
    """A connection of its own that listens for changes. Blocking. Raises Unavailable."""
    import psycopg

    arguments, options = made.dialect.create_connect_args(url)
    try:
        connection = psycopg.connect(*arguments, **{**options, **REACHING}, autocommit=True)
    except psycopg.Error as error:
        raise _not_heard(error) from error
    try:
        connection.execute(f"LISTEN {facts.CHANNEL}")
    except psycopg.Error as error:
        connection.close()
        raise _not_heard(error) from error
    return connection


def _not_heard(error: Exception) -> Unavailable:
    return Unavailable("PostgreSQL does not tell of changes.", operator_detail=str(error))


def _connected(dialect: Dialect, record: Any, arguments: Any, options: dict[str, Any]) -> Any:
    """Behind a pooler each transaction may have another backend, which knows neither the session's settings nor the
    statements that were prepared.
    """
    try:
        connection = dialect.connect(*arguments, **options)
    except dialect.loaded_dbapi.OperationalError as error:
        if REFUSED_OPTIONS not in str(error):
            raise
        connection = dialect.connect(*arguments, **{name: options[name] for name in options if name != "options"})
    if record is not None and not _own_backend(connection):
        connection.prepare_threshold = None
        record.info[POOLED] = True
    return connection


def _leave_read_only(context: ExceptionContext) -> None:
    """Behind the same name there may be a new primary by now: all connections are made anew, each at its next use."""
    if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
        context.is_disconnect = True


def _own_backend(connection: Any) -> bool:
    """Whether the process at the other end is the one that the connection was opened with."""
    (found,) = connection.execute("SELECT pg_backend_pid()").fetchone()
    connection.rollback()
    return bool(found == connection.info.backend_pid)


def _limit_pooled(connection: sqlalchemy.Connection) -> None:
    if connection.info.get(POOLED):
        connection.exec_driver_sql(LIMIT_TRANSACTION)

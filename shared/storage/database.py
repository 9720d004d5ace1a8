"""The database: synchronous sessions in a worker thread, so that the event loop never waits for a disk."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import anyio
import anyio.to_thread
import sqlalchemy
from sqlalchemy import event, exc
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.pool import QueuePool
from sqlmodel import Session

from shared.errors import Conflict, GatewayError, InvalidInput, Unavailable
from shared.storage import json_text, outcomes, readable, server

if TYPE_CHECKING:
    from psycopg import Connection as PostgresConnection

T = TypeVar("T")

BUSY_TIMEOUT_MS = 10_000
WORKERS = 4
REPORTERS = 2
"""Threads for reports; one of them at most writes meanwhile, on a connection of its own."""
REPORT_SECONDS = 60
PROGRESS_STEPS = 1_000_000
"""SQLite's steps between looks at the time limit of a report; they take some ten milliseconds."""
LOST_A_RACE = frozenset({"40001", "40P01"})
"""PostgreSQL's states for a transaction that another one undid: the server is well."""
TIMED_OUT = "57014"
"""PostgreSQL's state for a statement that took too long: the server is well."""
OUTCOME_UNKNOWN = "outcome_unknown"
"""The code of the error when a COMMIT got no answer and the server could not be asked what became of it."""
WRITES_NOTHING = sqlalchemy.text("UPDATE facts SET name = name WHERE 1 = 0")


class Database(AbstractAsyncContextManager["Database"]):
    """One database, SQLite or PostgreSQL, by SQLAlchemy URL.

    `run` gives the work a session inside one transaction: it commits when the work returns and rolls back when it
    raises. On SQLite a transaction takes the write lock at once (`BEGIN IMMEDIATE`), so that read-then-write is
    atomic between processes too; `read` does not take it. `report` is for reading that may take long: it has threads and a
    time limit of its own.
    """

    def __init__(self, url: str) -> None:
        self.url: URL = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.reachable = True
        self.unreadable = readable.UnreadableRows()
        self._takes_writes = True
        self._engine = (
            _sqlite_engine(self.url) if self.is_sqlite else server.engine(self.url, workers=WORKERS, more=REPORTERS + 1)
        )
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="database")
        self._reporters = ThreadPoolExecutor(REPORTERS, thread_name_prefix="reports")
        self._observer: sqlite3.Connection | None = None
        self._seen: int | None = None

    @property
    def engine(self) -> Engine:
        """For migrations, which run before anything else does."""
        return self._engine

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await anyio.to_thread.run_sync(self._close)

    async def run(self, work: Callable[[Session], T]) -> T:
        """Do some reading and writing in one transaction, in a worker thread. Raises Unavailable, Conflict, InvalidInput."""
        return await self._in_thread(partial(self.run_sync, work))

    async def read(self, work: Callable[[Session], T], *, seconds: float | None = None) -> T:
        """Do some reading, in a worker thread; with another time limit where one is given. Raises Unavailable."""
        return await self._in_thread(partial(self.run_sync, work, write=False, seconds=seconds))

    async def report(self, work: Callable[[Session], T], *, seconds: float = REPORT_SECONDS) -> T:
        """Do some reading that may take long, beside all other work. Raises Unavailable, at the time limit too."""
        return await self._in_thread(partial(self.run_sync, work, write=False, seconds=seconds), self._reporters)

    @property
    def writable(self) -> bool:
        """Whether it answered last, and took the last write."""
        return self.reachable and self._takes_writes

    async def try_writing(self) -> bool:
        """Whether the database takes writes, tried with one that changes no row. A full disk may not show in it."""
        try:
            await self.run(lambda session: session.connection().execute(WRITES_NOTHING))
        except Unavailable:
            return False
        return True

    def may_have_changed(self) -> bool:
        """Whether any connection, of any process, may have committed something since the last call.

        SQLite tells it from its shared memory in some microseconds, so this needs no thread. Of a server nothing is
        known without asking, so the answer is yes. https://www.sqlite.org/pragma.html#pragma_data_version
        """
        if self.log_file is None:
            return True
        try:
            if self._observer is None:
                self._observer = sqlite3.connect(
                    str(self.url.database), timeout=0, isolation_level=None, check_same_thread=False
                )
            (version,) = self._observer.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:
            return True
        before, self._seen = self._seen, int(version)
        return before != self._seen

    @property
    def log_file(self) -> Path | None:
        """SQLite's write-ahead log, which every commit writes; None without a file. It is there once `may_have_changed`
        was called.
        """
        if not self.is_sqlite or not self.url.database or self.url.database == ":memory:":
            return None
        return Path(f"{self.url.database}-wal")

    @property
    def notifies(self) -> bool:
        """Whether it may tell of changes on a connection that listens."""
        return self.url.get_driver_name() == server.PSYCOPG

    def listening_connection(self) -> "PostgresConnection":
        """A connection of its own that listens for changes. Blocking. Raises Unavailable."""
        return server.listening(self._engine, self.url)

    async def _in_thread(self, work: Callable[[], T], threads: ThreadPoolExecutor | None = None) -> T:
        """What was begun is carried through, also when the task that waits for it is cancelled."""
        with anyio.CancelScope(shield=True):
            answer = await asyncio.get_running_loop().run_in_executor(threads or self._threads, work)
        return answer  # noqa: RET504 - inside the block mypy misses it

    def _close(self) -> None:
        """Once the threads are done: a task that was cancelled has left its work in one of them."""
        self._threads.shutdown()
        self._reporters.shutdown()
        if self._observer is not None:
            self._observer.close()
        self._engine.dispose()

    def run_sync(self, work: Callable[[Session], T], *, write: bool = True, seconds: float | None = None) -> T:
        """The same as `run` (or `read`, or `report`), in this thread: for start-up and the command line.

        A statement that a migration made invalid after it was prepared ("cached plan must not change result type") fails
        once; the rollback forgets it, and the work is done again.
        """
        try:
            return self._transaction(work, write=write, seconds=seconds)
        except exc.NotSupportedError:
            pass
        try:
            return self._transaction(work, write=write, seconds=seconds)
        except exc.NotSupportedError as error:
            raise self._failure(error, write=write) from error

    def _transaction(self, work: Callable[[Session], T], *, write: bool, seconds: float | None) -> T:
        transaction: str | None = None
        try:
            with self._engine.connect() as connection:
                connection.info["write"] = write
                if not (write or self.is_sqlite):
                    connection = connection.execution_options(isolation_level="REPEATABLE READ")
                noted = {readable.INFO: self.unreadable}
                limit = nullcontext() if seconds is None else self._limited(connection, seconds)
                with Session(connection, expire_on_commit=False, info=noted) as session, session.begin(), limit:
                    answer = work(session)
                    transaction = outcomes.transaction_id(session) if write else None
        except exc.NotSupportedError:
            raise
        except (exc.DBAPIError, exc.TimeoutError, StaleDataError, OverflowError, UnicodeEncodeError) as error:
            if transaction is None or not self._committed(transaction, error):
                raise self._failure(error, write=write) from error
        self.reachable = True
        self._takes_writes = self._takes_writes or write
        return answer

    def _committed(self, transaction: str, error: Exception) -> bool:
        """Whether a transaction whose COMMIT failed was committed all the same. Raises Unavailable when nobody knows."""
        found = outcomes.committed(self._engine, transaction) if isinstance(error, exc.OperationalError) else False
        if found is None:
            self.reachable = False
            raise Unavailable(
                "The database went away while it wrote this, which may be stored or not. Look before you send it "
                "again, or it may be there twice.",
                operator_detail=str(error),
                code=OUTCOME_UNKNOWN,
            ) from error
        return found

    @contextmanager
    def _limited(self, connection: sqlalchemy.Connection, seconds: float) -> Iterator[None]:
        """End statements that take longer in all (SQLite) or each (PostgreSQL)."""
        if not self.is_sqlite:
            connection.execute(sqlalchemy.text(f"SET LOCAL statement_timeout = {int(seconds * 1000)}"))
            yield
            return
        driver: Any = connection.connection.dbapi_connection
        end = time.monotonic() + seconds
        driver.set_progress_handler(lambda: time.monotonic() >= end, PROGRESS_STEPS)
        try:
            yield
        finally:
            driver.set_progress_handler(None, 0)

    def _failure(self, error: Exception, *, write: bool) -> GatewayError:
        """The gateway's error for one of the driver or the pool, and what it says of the database's state."""
        detail = str(error)
        original = getattr(error, "orig", None)
        state = getattr(original, "sqlstate", None)
        if isinstance(error, exc.DataError | OverflowError | UnicodeEncodeError):
            return InvalidInput(
                "The database does not take one of these values; it is too large or of the wrong kind.",
                operator_detail=detail,
                code="value_refused",
            )
        if isinstance(error, exc.IntegrityError | StaleDataError):
            return Conflict(
                "This conflicts with something that is stored, and nothing was done; read it again, then retry.",
                operator_detail=detail,
            )
        if state in LOST_A_RACE:
            return Unavailable(
                "Another process changed the same at the same moment, and nothing was done; send it again.",
                operator_detail=detail,
            )
        if not write and (state == TIMED_OUT or getattr(original, "sqlite_errorname", None) == "SQLITE_INTERRUPT"):
            return Unavailable(
                "The database took too long for this, and it was given up; ask for a shorter span, or try again later.",
                operator_detail=detail,
                code="took_too_long",
            )
        self._takes_writes = self._takes_writes and not write
        if state == server.READ_ONLY:
            return Unavailable(
                "The database takes no writes now: it is read-only, as during a fail-over; try again later.",
                operator_detail=detail,
            )
        self.reachable = False
        if type(error) is exc.DatabaseError:  # the bare class is SQLite's for a damaged file, or for another format
            return Unavailable(
                "The database cannot be read: it is damaged, or no database; check DATABASE_URL, or restore a copy.",
                operator_detail=detail,
            )
        return Unavailable(
            "The database does not answer; check DATABASE_URL and the disk, then try again.", operator_detail=detail
        )


def _sqlite_engine(url: URL) -> Engine:
    if url.database and url.database != ":memory:":
        path = Path(url.database)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)  # SQLite gives its other files the same mode
    engine = sqlalchemy.create_engine(
        url,
        hide_parameters=True,
        json_serializer=json_text.dumps,
        poolclass=QueuePool,
        pool_size=WORKERS,
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1000},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None  # pysqlite would begin late and deferred; _begin_sqlite does it right
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",  # acknowledged means on disk, also after a power cut
        "foreign_keys=ON",
        "cache_size=-1024",  # KiB for each of up to four connections; the rest is the system's to keep
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sqlalchemy.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.info.get("write") else "BEGIN")

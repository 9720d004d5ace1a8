"""The schema: applied at start, by one of many, the same as the tables."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlmodel import SQLModel

from shared.storage import schema
from shared.storage.database import Database
from tests.support.databases import PostgresServer

ROOT = Path(__file__).parents[3]
UPGRADE = "import sys; from shared.storage import schema; from shared.storage.database import Database; schema.upgrade(Database(sys.argv[1]))"


def empty_url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if kind == "sqlite":
        return f"sqlite:///{tmp_path / 'data' / 'empty.sqlite3'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database("template0")


def test_the_newest_revision_is_the_one_named_in_code() -> None:
    revisions = sorted(path.name.split("_")[0] for path in schema.MIGRATIONS.glob("versions/[0-9]*.py"))
    assert revisions[-1] == schema.HEAD


async def test_the_migrations_make_the_tables_of_the_code(database: Database) -> None:
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_several_processes_that_start_at_once_upgrade_once(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = empty_url(kind, request, tmp_path)
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", UPGRADE, url, cwd=ROOT, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    ended = await asyncio.gather(*(process.communicate() for process in processes))
    assert [process.returncode for process in processes] == [0] * 4, b"\n".join(error for _, error in ended).decode()
    async with Database(url) as database:
        assert await database.read(lambda session: schema._current(session.connection())) == schema.HEAD

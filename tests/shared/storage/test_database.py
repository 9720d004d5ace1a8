"""The database's word on changes, and reports beside other work."""

import asyncio
import threading

import pytest
from sqlalchemy import text
from sqlmodel import Session

from shared.errors import Unavailable
from shared.storage import database as database_module
from shared.storage import facts
from shared.storage.database import Database

ENDLESS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    "postgresql": "SELECT pg_sleep(1000)",
}


def change(session: Session) -> None:
    facts.next_version(session, "name")


async def test_no_commit_of_anybody_goes_unnoticed(database: Database) -> None:
    assert database.may_have_changed()
    async with Database(database.url.render_as_string(hide_password=False)) as other:
        for _ in range(3):
            for writer in (database, other):
                await writer.run(change)
                assert database.may_have_changed()


async def test_a_file_that_nobody_changes_says_so(database: Database) -> None:
    assert database.may_have_changed()
    await database.read(lambda session: facts.read(session, "name"))
    assert database.may_have_changed() is not database.is_sqlite


async def test_a_report_that_takes_too_long_is_given_up_and_the_database_counts_as_there(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "PROGRESS_STEPS", 1000)
    endless = text(ENDLESS[database.url.get_backend_name()])
    for begun in (database.report, database.read):
        with pytest.raises(Unavailable, match="took too long") as refused:
            await begun(lambda session: session.connection().execute(endless).all(), seconds=0.1)
        assert refused.value.code == "took_too_long"
        assert database.writable
    assert await database.read(lambda session: facts.read(session, "name")) is None


async def test_however_many_reports_there_are_others_read_and_write(database: Database) -> None:
    over = threading.Event()
    reports = [asyncio.create_task(database.report(lambda _: over.wait(20))) for _ in range(9)]
    await database.run(change)
    async with asyncio.timeout(10):
        await asyncio.gather(*(database.read(lambda session: facts.read(session, "name")) for _ in range(9)))
    over.set()
    assert all(await asyncio.gather(*reports))

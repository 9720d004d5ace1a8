"""One writer at a time."""

import anyio
import pytest
from sqlmodel import Session

from shared.errors import Unavailable
from shared.storage import exclusive, facts
from shared.storage.database import Database
from tests.support.databases import another_process_after


async def test_a_read_and_the_write_after_it_are_never_interleaved(database: Database) -> None:
    def count(session: Session) -> None:
        exclusive.alone(session, exclusive.SEALED)
        facts.write(session, "counted", facts.read(session, "counted", 0) + 1)

    async with (
        Database(database.url.render_as_string(hide_password=False)) as other,
        anyio.create_task_group() as tasks,
    ):
        for _ in range(10):
            tasks.start_soon(database.run, count)
            tasks.start_soon(other.run, count)
    assert await database.read(lambda session: facts.read(session, "counted")) == 20


async def test_who_loses_a_race_is_told_so_and_the_database_still_counts_as_well(database: Database) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite has one writer at a time, so nobody loses")
    await database.run(lambda session: facts.write(session, "raced", 1))

    def read_then_hold(session: Session) -> None:
        facts.read(session, "raced")
        facts.next_version(session, "raced")

    meanwhile = another_process_after(database, 1, lambda session: facts.write(session, "raced", 2))
    with meanwhile, pytest.raises(Unavailable) as lost:
        await database.read(read_then_hold)
    assert "send it again" in lost.value.message
    assert database.reachable is True

"""One writer at a time."""

import anyio
from sqlmodel import Session

from shared.storage import exclusive, facts
from shared.storage.database import Database


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

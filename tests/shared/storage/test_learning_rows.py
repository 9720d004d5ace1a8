import asyncio
from functools import partial
from typing import Any

from shared.storage import learning_rows
from shared.storage.database import Database


async def test_changes_come_one_after_the_other(database_url: str) -> None:
    async with Database(database_url) as one, Database(database_url) as other:
        more = partial(learning_rows.change, work=lambda stored: (stored or 0) + 1)
        await asyncio.gather(*(database.run(more) for database in (one, other) for _ in range(10)))
        assert await one.read(learning_rows.load) == 20


async def test_none_leaves_what_is_stored(database: Database) -> None:
    def nothing(_: Any) -> None:
        return None

    assert await database.read(learning_rows.load) is None
    await database.run(partial(learning_rows.change, work=lambda _: {"a": 1}))
    await database.run(partial(learning_rows.change, work=nothing))
    assert await database.read(learning_rows.load) == {"a": 1}

"""The database's word on changes."""

from sqlmodel import Session

from shared.storage import facts
from shared.storage.database import Database


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

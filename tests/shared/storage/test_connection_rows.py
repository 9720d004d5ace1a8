"""Rows of saved connections."""

from datetime import UTC, datetime

from sqlmodel import Session

from shared.storage import connection_rows
from shared.storage.database import Database
from shared.storage.tables import ConnectionRow

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def row(row_id: str, name: str, owner: str) -> ConnectionRow:
    return ConnectionRow(
        id=row_id, name=name, owner=owner, type="local", data={"cwd": "/"}, created_at=NOW, updated_at=NOW
    )


async def test_rows_are_seen_by_their_owner_only(database: Database) -> None:
    def write(session: Session) -> None:
        for made in (row("1", "b", "me"), row("2", "a", "me"), row("3", "a", "other")):
            connection_rows.save(session, made)

    await database.run(write)

    def look(session: Session) -> None:
        assert [found.id for found in connection_rows.of_owner(session, "me")] == ["2", "1"]
        assert connection_rows.count(session, "me") == 2
        assert connection_rows.find(session, "me", "3") is None
        found = connection_rows.named(session, "other", "a")
        assert found is not None
        assert (found.id, found.data) == ("3", {"cwd": "/"})
        assert connection_rows.named(session, "me", "c") is None

    await database.read(look)


async def test_a_row_is_deleted_by_its_owner_only(database: Database) -> None:
    await database.run(lambda session: connection_rows.save(session, row("1", "a", "me")))
    assert not await database.run(lambda session: connection_rows.delete(session, "other", "1"))
    assert await database.run(lambda session: connection_rows.delete(session, "me", "1"))
    assert not await database.run(lambda session: connection_rows.delete(session, "me", "1"))

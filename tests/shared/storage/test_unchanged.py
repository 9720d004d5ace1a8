"""Tables that are read again after a change: what did not change is not made anew."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import Session, col, update

from shared.domain.keys import ApiKey
from shared.storage import api_key_rows, unchanged
from shared.storage.database import Database
from shared.storage.tables import ApiKeyRow

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def add(session: Session, number: int) -> bool:
    key = ApiKey(id=f"key-{number}", name="n", prefix="mgw_x", scopes=["chat"], created_at=NOON, expires_at=None)
    return api_key_rows.add(
        session, key.model_copy(update={"created_at": NOON + timedelta(hours=number)}), f"h{number}"
    )


def change(session: Session, key_id: str, **values: object) -> bool:
    session.connection().execute(update(ApiKeyRow).where(col(ApiKeyRow.id) == key_id).values(**values))
    return True


@pytest.mark.parametrize("singly", [0, unchanged.SINGLY])
async def test_only_rows_that_differ_are_made_into_values_again(
    database: Database, monkeypatch: pytest.MonkeyPatch, singly: int
) -> None:
    monkeypatch.setattr(unchanged, "SINGLY", singly)
    await database.run(lambda session: [add(session, number) for number in (3, 1, 2)])
    first = await database.read(api_key_rows.load)
    assert list(first.keys) == ["h1", "h2", "h3"]

    def work(session: Session) -> bool:
        api_key_rows.delete(session, "key-1")
        add(session, 0)
        return change(session, "key-2", scopes=["chat", "admin"])

    _, second = await database.run(lambda session: api_key_rows.changed(session, work, first))
    assert list(second.keys) == ["h0", "h2", "h3"]
    assert second.keys["h2"].scopes == ["chat", "admin"]
    assert second.keys["h3"] is first.keys["h3"], "it did not change"
    assert second.keys == (await database.read(api_key_rows.load)).keys


async def test_a_row_that_can_no_longer_be_read_counts_for_nothing_until_it_can(database: Database) -> None:
    await database.run(lambda session: [add(session, number) for number in (1, 2)])
    state = await database.read(api_key_rows.load)
    for scopes, readable in ((["fly"], False), (["fly"], False), (["chat"], True)):
        await database.run(lambda session, scopes=scopes: change(session, "key-2", scopes=scopes))  # type: ignore[misc]
        known = state
        state = await database.read(lambda session, known=known: api_key_rows.load(session, known))  # type: ignore[misc]
        assert ("h2" in state.keys) is readable
        assert (database.unreadable.counts == {}) is readable
        assert state.keys["h1"] is known.keys["h1"]

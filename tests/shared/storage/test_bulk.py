"""Many rows at once arrive as they were given, in few statements."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import Session, col, select

from shared.errors import Conflict
from shared.storage import bulk
from shared.storage.database import Database
from shared.storage.tables import DecisionRow
from tests.support.databases import counting

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def rows(count: int) -> list[dict[str, Any]]:
    return [
        {
            "at": NOW + timedelta(milliseconds=number),
            "request_id": f"request-{number}",
            "caller": "key-'1'?",
            "data": {"number": number, "text": 'é\n"quoted" ☃'},
            "score": None if number % 2 else number / 10,
            "text": None,
            "trace_id": "",
            "row_id": number,
        }
        for number in range(count)
    ]


def add(given: list[dict[str, Any]]) -> Any:
    return lambda session: bulk.add(session, DecisionRow.__table__, given)  # type: ignore[attr-defined]


def stored(session: Session) -> list[dict[str, Any]]:
    found = session.exec(select(DecisionRow).order_by(col(DecisionRow.id)))
    return [row.model_dump(exclude={"id"}) for row in found]


@pytest.mark.parametrize("count", [1, 127, 500])
async def test_rows_are_read_as_they_were_given_and_in_their_order(database: Database, count: int) -> None:
    given = rows(count)
    await database.run(add(given))
    assert await database.read(stored) == given


async def test_a_refused_row_leaves_none_of_its_batch(database: Database) -> None:
    given = [*rows(40), {**rows(1)[0], "caller": None}]
    with pytest.raises(Conflict) as caught:
        await database.run(add(given))
    assert "null" in caught.value.operator_detail.lower()
    assert await database.read(stored) == []


async def test_five_hundred_rows_take_a_few_statements(database: Database) -> None:
    """For each statement SQLite's driver lets go of the interpreter, and waits for a busy event loop to get it back."""
    with counting(database) as statements:
        await database.run(add(rows(500)))
    assert len(statements) <= 12


async def test_batches_of_any_length_have_few_kinds_of_statement(database: Database) -> None:
    """The driver keeps each kind, prepared, on every connection."""
    with counting(database) as statements:
        for count in range(1, 128):
            await database.run(add(rows(count)))
    assert len(set(statements)) <= 10


async def test_rows_that_are_stored_already_are_skipped(database: Database) -> None:
    given = rows(200)
    await database.run(add(given[:150]))
    await database.run(add(given))
    assert await database.read(stored) == given


async def test_rows_of_versions_without_ids_are_never_taken_for_the_same(database: Database) -> None:
    given = [{**rows(1)[0], "row_id": None}] * 2
    await database.run(add(given))
    assert await database.read(stored) == given

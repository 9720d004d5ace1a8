from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial

import pytest
from sqlmodel import Session

from shared.storage import decision_rows, feedback_rows
from shared.storage.database import Database
from shared.storage.feedback_rows import Vote
from shared.storage.tables import DecisionRow

AT = datetime(2026, 11, 24, tzinfo=UTC)

Row = tuple[str, str, int]
Given = Callable[..., Awaitable[None]]


@pytest.fixture(params=["packed", "older"])
def given(request: pytest.FixtureRequest, database: Database) -> Given:
    """Puts rows in, of this version or of one before it."""

    async def add(*rows: Row) -> None:
        await database.run(partial(_add if request.param == "packed" else _add_older, rows=rows))

    return add


def row(request_id: str, caller: str, lesson: int) -> Row:
    return request_id, caller, lesson


def _add(session: Session, rows: Sequence[Row]) -> None:
    made = [
        decision_rows.row_of(
            AT, number, request_id=request_id, caller=caller, trace_id="", data=f'{{"lesson":{lesson}}}'
        )
        for number, (request_id, caller, lesson) in enumerate(rows)
    ]
    decision_rows.add(session, [{**each, "score": None, "text": None} for each in made])


def _add_older(session: Session, rows: Sequence[Row]) -> None:
    for request_id, caller, lesson in rows:
        session.add(DecisionRow(at=AT, request_id=request_id, caller=caller, data={"lesson": lesson}))
        session.flush()


async def vote(database: Database, request_id: str, caller: str, score: float) -> Vote | None:
    return await database.run(partial(feedback_rows.vote, caller=caller, request_id=request_id, score=score))


async def test_a_vote_tells_what_stood_there_before(database: Database, given: Given) -> None:
    await given(row("r", "me", 1))
    assert await vote(database, "r", "me", 0.5) == Vote({"lesson": 1}, None)
    assert await vote(database, "r", "me", 1.0) == Vote({"lesson": 1}, 0.5)
    assert await vote(database, "r", "me", 0.0) == Vote({"lesson": 1}, 1.0)


async def test_another_callers_request_is_none(database: Database, given: Given) -> None:
    await given(row("r", "me", 1))
    assert await vote(database, "r", "you", 0.0) is None
    assert await vote(database, "other", "me", 0.0) is None
    assert await vote(database, "r", "me", 1.0) == Vote({"lesson": 1}, None)


async def test_of_several_rows_it_is_the_newest(database: Database, given: Given) -> None:
    await given(row("r", "me", 1), row("r", "me", 2), row("r", "you", 3))
    assert await vote(database, "r", "me", 1.0) == Vote({"lesson": 2}, None)

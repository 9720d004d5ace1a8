from datetime import UTC, datetime
from functools import partial

from sqlmodel import Session

from shared.storage import feedback_rows
from shared.storage.database import Database
from shared.storage.feedback_rows import Vote
from shared.storage.tables import DecisionRow


def row(request_id: str, caller: str, lesson: int) -> DecisionRow:
    at = datetime(2026, 11, 24, tzinfo=UTC)
    return DecisionRow(at=at, request_id=request_id, caller=caller, data={"lesson": lesson})


async def given(database: Database, *rows: DecisionRow) -> None:
    def add(session: Session) -> None:
        for one in rows:
            session.add(one)
            session.flush()

    await database.run(add)


async def vote(database: Database, request_id: str, caller: str, score: float) -> Vote | None:
    return await database.run(partial(feedback_rows.vote, caller=caller, request_id=request_id, score=score))


async def test_a_vote_tells_what_stood_there_before(database: Database) -> None:
    await given(database, row("r", "me", 1))
    assert await vote(database, "r", "me", 0.5) == Vote({"lesson": 1}, None)
    assert await vote(database, "r", "me", 1.0) == Vote({"lesson": 1}, 0.5)
    assert await vote(database, "r", "me", 0.0) == Vote({"lesson": 1}, 1.0)


async def test_another_callers_request_is_none(database: Database) -> None:
    await given(database, row("r", "me", 1))
    assert await vote(database, "r", "you", 0.0) is None
    assert await vote(database, "other", "me", 0.0) is None
    assert await vote(database, "r", "me", 1.0) == Vote({"lesson": 1}, None)


async def test_of_several_rows_it_is_the_newest(database: Database) -> None:
    await given(database, row("r", "me", 1), row("r", "me", 2), row("r", "you", 3))
    assert await vote(database, "r", "me", 1.0) == Vote({"lesson": 2}, None)

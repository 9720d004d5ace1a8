"""Sums of what usage rows cost."""

from datetime import UTC, datetime
from typing import Any

from sqlmodel import Session

from shared.storage import spending_rows, usage_rows
from shared.storage.database import Database
from shared.storage.spending_rows import Spending

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def row(caller: str, pico: int | None, at: datetime = NOON, **tags: str) -> dict[str, Any]:
    return {
        "at": at,
        "request_id": "r",
        "caller": caller,
        "model_id": "m",
        "provider": "p",
        "layer": "L0",
        "prompt_tokens": 1,
        "completion_tokens": 1,
        "cached_tokens": 0,
        "cost_pico": pico,
        "outcome": "ok",
        "estimated": False,
        "duration_ms": 1,
        "tags": tags,
    }


async def add(database: Database, *rows: dict[str, Any]) -> None:
    await database.run(lambda session: usage_rows.add(session, rows))


async def test_sums_by_caller_and_the_tags_asked_for(database: Database) -> None:
    odd = "ü it's %s 1.5"
    await add(
        database,
        row("a", 10**13, team="x"),
        row("a", 5, team="x", other="y"),
        row("a", 7),
        row("b", 3, **{odd: "z"}),
        row("b", None, team="x"),
        row("b", 0, team="x"),
    )

    def sums(session: Session, *tags: str) -> set[Spending]:
        return {*spending_rows.since(session, 0, None, tags)}

    assert await database.read(sums) == {Spending("a", (), 10**13 + 12), Spending("b", (), 3)}
    assert await database.read(lambda session: sums(session, "team", odd)) == {
        Spending("a", ("x", None), 10**13 + 5),
        Spending("a", (None, None), 7),
        Spending("b", (None, "z"), 3),
    }


async def test_only_rows_after_one_and_from_a_moment_on(database: Database) -> None:
    assert await database.read(spending_rows.newest) == 0
    await add(database, row("a", 1), row("a", 2, NOON.replace(day=5)))
    newest = await database.read(spending_rows.newest)
    later = await database.read(lambda session: spending_rows.since(session, 0, NOON.replace(hour=13), ()))
    assert later == [Spending("a", (), 2)]
    assert await database.read(lambda session: spending_rows.since(session, newest, None, ())) == []
    await add(database, row("a", 4))
    assert await database.read(lambda session: spending_rows.since(session, newest, None, ())) == [Spending("a", (), 4)]

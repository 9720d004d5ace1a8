"""Sums of what usage rows cost."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import Session, col, delete

from shared.storage import spending_rows, usage_rows
from shared.storage.database import Database
from shared.storage.spending_rows import Spending
from shared.storage.tables import UsageHourRow
from shared.storage.usage_summing import Summing
from tests.support.databases import counting

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


ODD = "ü it's %s 1.5"
ROWS = (
    row("a", 10**13, team="x"),
    row("a", 5, team="x", other="y"),
    row("a", 7),
    row("b", 3, **{ODD: "z"}),
    row("b", None, team="x"),
    row("b", 0, team="x"),
    row("b", 1, team=""),
    row("c", 2, **{ODD: "n\x00l"}),
)


async def sums_of(database: Database, tags: Sequence[str]) -> Spending:
    found = await database.read(lambda session: spending_rows.altogether(session, None, tags))
    rows_alone = await database.read(lambda session: spending_rows.since(session, 0, None, tags))
    assert found == rows_alone
    return found


async def test_sums_by_caller_and_the_tags_asked_for(database: Database) -> None:
    await add(database, *ROWS)
    callers = {("all",): 10**13 + 18, ("key", "a"): 10**13 + 12, ("key", "b"): 4, ("key", "c"): 2}
    assert await sums_of(database, ()) == callers
    found = await sums_of(database, ("team", ODD))
    value = found.keys() - {("tag", "team", "x"), ("tag", "team", ""), ("tag", ODD, "z"), *callers}
    assert found == {
        **callers,
        ("tag", "team", "x"): 10**13 + 5,
        ("tag", "team", ""): 1,
        ("tag", ODD, "z"): 3,
        **dict.fromkeys(value, 2),
    }
    assert len(value) == 1


@pytest.mark.parametrize("tags", [(), ("team",), ("team", ODD)])
async def test_whole_hours_come_from_their_sums_and_no_row_counts_twice(
    database: Database, tags: Sequence[str]
) -> None:
    await add(database, *ROWS, *(each | {"at": NOON + timedelta(hours=1, minutes=3)} for each in ROWS))
    before = await sums_of(database, tags)
    summing = Summing(database, lambda: NOON + timedelta(hours=2, minutes=20))
    while await summing.one_hour():
        pass
    assert await sums_of(database, tags) == before
    await add(database, row("a", 9, NOON + timedelta(hours=2, minutes=1), team="x"))
    with counting(database) as statements:
        found = await database.read(lambda session: spending_rows.altogether(session, NOON.replace(hour=0), tags))
    assert found[("all",)] == before[("all",)] + 9
    raw = [statement for statement in statements if re.search(r"FROM usage\b", statement)]
    assert all("usage.at >= " in statement for statement in raw)


async def test_hours_that_an_older_version_summed_up_are_summed_up_by_tag_later(database: Database) -> None:
    await add(database, *ROWS, *(each | {"at": NOON + timedelta(hours=1)} for each in ROWS))
    before = await sums_of(database, ("team",))
    summing = Summing(database, lambda: NOON + timedelta(hours=3))
    for _ in range(3):
        await summing.one_hour()
    tagged = col(UsageHourRow.by).startswith("tag")
    await database.run(lambda session: session.exec(delete(UsageHourRow).where(tagged, col(UsageHourRow.hour) == NOON)))
    assert await sums_of(database, ("team",)) == before
    assert await summing.one_hour()
    assert not await summing.one_hour()
    assert await sums_of(database, ("team",)) == before


async def test_only_rows_after_one_and_from_a_moment_on(database: Database) -> None:
    def since(row: int, start: datetime | None = None) -> Callable[[Session], Spending]:
        return lambda session: spending_rows.since(session, row, start, ())

    assert await database.read(usage_rows.newest) == 0
    await add(database, row("a", 1), row("a", 2, NOON.replace(day=5)))
    newest = await database.read(usage_rows.newest)
    assert await database.read(since(0, NOON.replace(hour=13))) == {("all",): 2, ("key", "a"): 2}
    assert await database.read(since(newest)) == {}
    await add(database, row("a", 4))
    assert await database.read(since(newest)) == {("all",): 4, ("key", "a"): 4}

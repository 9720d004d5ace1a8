"""Sums over hours that are summed up are those over the rows, to the last digit, on both databases."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from sqlmodel import Session, SQLModel, update

from shared.storage import facts, usage_hours, usage_rows, usage_sums
from shared.storage.database import Database
from shared.storage.tables import UsageHourRow
from shared.storage.usage_rows import EVERYTHING, Filters
from shared.usage import ledger as ledger_module
from shared.usage.ledger import Entry, Ledger
from tests.support.clock import Clock
from tests.support.databases import counting

pytestmark = pytest.mark.slow

START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 4
AN_HOUR = 8
"""So many attempts are made in every third hour; between these nothing happens."""


def entry(number: int, chance: random.Random) -> Entry:
    """Attempts at requests, two in a row for the same one now and then; later ones are told apart by our own id."""
    old = number < 96
    return Entry(
        at=START + timedelta(hours=number // AN_HOUR * 3, seconds=number % AN_HOUR),
        request_id="" if chance.random() < 0.1 else f"r{number // (2 if old else 16)}",
        caller=("local", "key-1", "key-2")[number // 2 % 3],
        model_id=chance.choice(["a", "b", "é", "Z"]),
        provider=chance.choice(["p", "q"]),
        layer=chance.choice(["L0", "L1"]),
        prompt_tokens=chance.randrange(500_000_000),
        completion_tokens=chance.randrange(100),
        cached_tokens=chance.randrange(10),
        cost=None if chance.random() < 0.2 else Decimal(chance.randrange(10**6)) / 10**5,
        outcome=chance.choice(["ok", "ok", "cancelled"]),
        estimated=False,
        duration_ms=1,
        tags=({"team": "x"}, {"team": "y", "env": "é"}, {}, {"team": ""})[number // 2 % 4],
        purpose=chance.choice(["answer", "answer", "hedge"]),
        chat_id="" if old else f"c{number // 2}",
    )


@pytest.fixture
def clock() -> Clock:
    made = Clock()
    made.now = START + timedelta(days=DAYS, minutes=20)
    return made


@pytest.fixture
async def ledger(database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setattr(ledger_module, "PAUSE_SECONDS", 0)
    chance = random.Random(7)
    made = Ledger(database, clock)
    for number in range(DAYS * 24 // 3 * AN_HOUR):
        made.record(entry(number, chance))
    await made.flush()
    return made


@pytest.fixture(scope="module")
def sums() -> dict[str, list[dict[str, Any]]]:
    """The rows of all summed hours by the kind of database: summed up once, and copied for the tests after."""
    return {}


@pytest.fixture
async def summed(database: Database, ledger: Ledger, sums: dict[str, list[dict[str, Any]]]) -> Ledger:
    """The ledger, once all hours are summed up."""
    table, kind = SQLModel.metadata.tables["usage_hours"], database.engine.dialect.name

    def copy(session: Session) -> None:
        session.connection().execute(table.insert(), sums[kind])
        facts.write(session, usage_hours.UNTIL, (START + timedelta(days=DAYS)).isoformat())

    def rows(session: Session) -> list[dict[str, Any]]:
        return [dict(row) for row in session.connection().execute(table.select()).mappings()]

    if kind in sums:
        await database.run(copy)
    else:
        await ledger.sum_up()
        sums[kind] = await database.read(rows)
    return ledger


async def both(database: Database, *span: datetime, group_by: str | None, **more: Any) -> tuple[Any, Any]:
    """What the sums say, and what the rows do."""
    fast = await database.read(lambda session: usage_sums.summed(session, *span, group_by, **more))
    slow = await database.read(lambda session: usage_rows.summed(session, *span, group_by, **more))
    return fast, slow


SPANS = [
    (START, START + timedelta(days=DAYS)),
    (START + timedelta(hours=6, seconds=3), START + timedelta(days=2, seconds=4)),
    (START + timedelta(hours=6, seconds=3), START + timedelta(hours=6, seconds=6)),
    (START - timedelta(days=9), START + timedelta(days=99)),
]
GROUP_BYS = [
    (None, "day", "hour", "key"),
    ("model", "layer", "provider", "purpose", "outcome"),
    ("tag:team", "tag:env", "tag:none"),
]
FILTERS = [
    EVERYTHING,
    Filters(key="key-1"),
    Filters(model="a"),
    Filters(model="a", layer="L1"),
    Filters(tag=("team", "x")),
    Filters(tag=("team", ""), key="key-1"),
    Filters(tag=("team", "y"), model="a"),
]


@pytest.mark.parametrize("group_bys", GROUP_BYS, ids=str)
async def test_they_say_the_same(database: Database, summed: Ledger, group_bys: Sequence[str | None]) -> None:
    for group_by, filters in product(group_bys, FILTERS):
        for span in SPANS:
            fast, slow = await both(database, *span, group_by=group_by, filters=filters)
            assert fast == slow, (group_by, filters)
        fast, slow = await both(database, *SPANS[0], group_by=group_by, filters=filters, limit=2)
        assert fast == slow, (group_by, filters)


@pytest.mark.parametrize("group_by", ["day", "model", "tag:team"])
async def test_past_hours_are_read_from_their_sums_alone(database: Database, summed: Ledger, group_by: str) -> None:
    with counting(database) as statements:
        await database.read(lambda session: usage_sums.summed(session, *SPANS[0], group_by))
    assert not [statement for statement in statements if "FROM usage\n" in statement or "FROM usage " in statement]
    assert [statement for statement in statements if "FROM usage_hours" in statement]


async def test_what_comes_late_is_counted(database: Database, summed: Ledger) -> None:
    """The hours before it stay as they are; it and those after are summed up anew."""
    at = START + timedelta(days=DAYS - 1, seconds=3)
    summed.record(replace(entry(3, random.Random(1)), at=at, request_id="late"))
    await summed.flush()
    assert await database.read(usage_hours.summed_until) == START + timedelta(days=DAYS - 1)
    fast, slow = await both(database, *SPANS[0], group_by="day")
    assert fast == slow
    await summed.sum_up()
    assert await both(database, *SPANS[0], group_by="day") == (slow, slow)


async def test_hours_that_may_still_grow_are_left(database: Database, summed: Ledger, clock: Clock) -> None:
    clock.advance(minutes=30)
    summed.record(replace(entry(3, random.Random(1)), at=clock.now, request_id="now"))
    await summed.flush()
    await summed.sum_up()
    until = await database.read(usage_hours.summed_until)
    assert until == START + timedelta(days=DAYS)
    fast, slow = await both(database, START, clock.now + timedelta(hours=1), group_by="hour")
    assert fast == slow
    assert fast[-1]["attempts"] == 1


async def test_others_write_while_hours_are_summed_up(
    database: Database, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "PAUSE_SECONDS", 3600)
    summing = asyncio.create_task(ledger.sum_up())
    async with asyncio.timeout(5):
        while await database.read(usage_hours.summed_until) is None:  # noqa: ASYNC110 - it is done in a thread
            await asyncio.sleep(0.01)
        await database.run(lambda session: facts.write(session, "another's", 1))
    assert await database.read(usage_hours.summed_until) == START + timedelta(hours=1)
    assert not summing.done()
    summing.cancel()


async def test_nothing_at_all_is_summed_up_too(database: Database, clock: Clock) -> None:
    await Ledger(database, clock).sum_up()
    fast, slow = await both(database, *SPANS[0], group_by=None)
    assert fast == slow
    assert await database.read(usage_hours.summed_until) == START + timedelta(days=DAYS)


@pytest.fixture
def meanwhile(database: Database, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Awaitable[None]]], None]:
    """Have something done once, when the first sums of an hour are written."""

    def once(act: Callable[[], Awaitable[None]]) -> None:
        report, left = database.report, [act]

        async def meddled(*work: Any, **more: Any) -> None:
            await report(*work, **more)
            if left:
                await left.pop()()

        monkeypatch.setattr(database, "report", meddled)

    return once


Meanwhile = Callable[[Callable[[], Awaitable[None]]], None]


async def test_what_comes_late_while_its_hour_is_summed_up_is_counted(
    database: Database, ledger: Ledger, clock: Clock, meanwhile: Meanwhile
) -> None:
    another = Ledger(database, clock)

    async def late() -> None:
        another.record(replace(entry(3, random.Random(1)), request_id="late"))
        await another.flush()

    meanwhile(late)
    await ledger.sum_up()
    fast, slow = await both(database, *SPANS[0], group_by="hour")
    assert fast == slow
    assert fast[0]["attempts"] == AN_HOUR + 1


async def test_sums_that_an_older_version_adds_meanwhile_count_once(
    database: Database, ledger: Ledger, meanwhile: Meanwhile
) -> None:
    """It knows nothing of turns, adds to the sums that it finds, and moves on."""

    def add(session: Session) -> None:
        session.connection().execute(update(UsageHourRow).values(attempts=UsageHourRow.attempts * 2))
        facts.write(session, usage_hours.UNTIL, (START + timedelta(hours=1)).isoformat())

    async def older() -> None:
        await database.run(add)

    meanwhile(older)
    await ledger.sum_up()
    fast, slow = await both(database, *SPANS[0], group_by="hour")
    assert fast == slow


async def test_an_hour_of_a_process_that_was_killed_is_summed_up_by_another(
    database: Database, ledger: Ledger, clock: Clock, meanwhile: Meanwhile
) -> None:
    begun, never = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        begun.set()
        await never.wait()

    meanwhile(hang)
    summing = asyncio.create_task(ledger.sum_up())
    await asyncio.wait_for(begun.wait(), 5)
    another = Ledger(database, clock)
    await another.sum_up()
    assert await database.read(usage_hours.summed_until) is None, "one process at a time"
    clock.advance(minutes=5)
    await another.sum_up()
    never.set()
    await summing
    fast, slow = await both(database, *SPANS[0], group_by="hour")
    assert fast == slow

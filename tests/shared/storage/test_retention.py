"""Old rows: deleted in batches, by one process at a time; what they say is kept in the sums of their hours."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from sqlmodel import Session, col, delete, func, select

from shared.errors import InvalidInput
from shared.storage import facts, retention, spending_rows, usage_hours, usage_rows, usage_summing, usage_sums
from shared.storage.database import Database
from shared.storage.retention import Retention
from shared.storage.tables import UsageHourRow, UsageRow
from shared.storage.usage_rows import EVERYTHING, Filters
from shared.usage.ledger import Entry, Ledger
from tests.support.clock import Clock

START = datetime(2026, 3, 1, 22, tzinfo=UTC)
HOURS = 6
KEPT = START + timedelta(hours=4)
SPAN = (START - timedelta(days=40), START + timedelta(days=2))
GROUPS = (None, "day", "hour", "key", "model", "outcome", "tag:team")


def entry(number: int, **more: Any) -> Entry:
    values: dict[str, Any] = {
        "at": START + timedelta(minutes=10 * number),
        "request_id": f"r{number}",
        "chat_id": f"c{number // 2}",
        "caller": ("key-1", "key-2")[number // 2 % 2],
        "model_id": ("a", "b")[number % 2],
        "provider": "p",
        "layer": "L1",
        "prompt_tokens": number,
        "completion_tokens": 1,
        "cached_tokens": 0,
        "cost": Decimal(number) / 1000,
        "outcome": ("ok", "failed")[number % 3 == 0],
        "estimated": False,
        "duration_ms": 1,
        "tags": ({}, {"team": "x"}, {"team": "y"})[number // 2 % 3],
    }
    return Entry(**{**values, **more})


@pytest.fixture
def clock() -> Clock:
    made = Clock()
    made.now = START + timedelta(hours=HOURS, minutes=20)
    return made


@pytest.fixture
async def ledger(database: Database, clock: Clock) -> Ledger:
    made = Ledger(database, clock)
    for number in range(HOURS * 6):
        made.record(entry(number))
    await made.flush()
    return made


def keeping(database: Database, clock: Clock) -> Retention:
    return Retention(database, clock, {"usage": partial(usage_summing.prune, before=KEPT)})


def told(session: Session) -> Any:
    """All that reports and budgets say."""
    reports = [usage_sums.summed(session, *SPAN, group_by) for group_by in GROUPS]
    budgets = [spending_rows.altogether(session, start, ("team",)) for start in (None, START, START.replace(hour=0))]
    return reports, budgets


def rows(session: Session) -> int:
    return session.exec(select(func.count()).select_from(UsageRow)).one()


def oldest(session: Session) -> datetime:
    return session.exec(select(UsageRow.at).order_by(col(UsageRow.at))).first() or datetime.max


async def test_rows_go_and_reports_and_budgets_stay_as_they_were(
    database: Database, ledger: Ledger, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 5)
    before = await database.read(told)
    assert await keeping(database, clock).prune() == {"usage": 0}, "their hours have no sums yet"
    await ledger.sum_up()
    clock.advance(hours=1)
    assert await keeping(database, clock).prune() == {"usage": 24}
    assert await database.read(oldest) == KEPT
    assert await database.read(told) == before


async def test_what_the_deleted_rows_alone_would_tell_is_refused(
    database: Database, ledger: Ledger, clock: Clock
) -> None:
    async def ask(start: datetime, group_by: str | None = "model", filters: Filters = EVERYTHING) -> None:
        end = START + timedelta(days=1)
        await database.read(lambda session: usage_sums.summed(session, start, end, group_by, filters=filters))

    await ledger.sum_up()
    await keeping(database, clock).prune()
    both = Filters(model="a", layer="L1")
    for start, filters in ((START, both), (START + timedelta(minutes=1), EVERYTHING)):
        with pytest.raises(InvalidInput, match=r"2026-03-02T02:00Z.*USAGE_DAYS"):
            await ask(start, filters=filters)
    await ask(KEPT, filters=both)
    await ask(KEPT + timedelta(minutes=1))
    await ask(START, filters=Filters(model="a", key="key-1"))


async def test_what_comes_later_than_its_hour_is_kept_is_counted_once(
    database: Database, ledger: Ledger, clock: Clock
) -> None:
    await ledger.sum_up()
    await keeping(database, clock).prune()
    (before,) = await database.read(lambda session: usage_sums.summed(session, *SPAN, None))
    late = [entry(3, request_id="late", chat_id="late"), entry(100, at=START - timedelta(days=30), chat_id="l2")]
    for each in late:
        ledger.record(each)
    ledger.record(entry(40, at=KEPT + timedelta(minutes=5), chat_id="l3"))
    await ledger.flush()
    for _ in range(2):
        (after,) = await database.read(lambda session: usage_sums.summed(session, *SPAN, None))
        assert {name: after[name] - before[name] for name in ("requests", "attempts", "prompt_tokens")} == {
            "requests": 3,
            "attempts": 3,
            "prompt_tokens": 143,
        }
        spent = await database.read(lambda session: spending_rows.altogether(session, None, ("team",)))
        assert spent["all",] == after["cost_pico"]
        await ledger.sum_up()
        clock.advance(hours=1)
        await keeping(database, clock).prune()
    assert await database.read(oldest) >= KEPT


async def test_the_newest_row_stays_so_that_no_id_comes_twice(database: Database, ledger: Ledger, clock: Clock) -> None:
    newest = await database.read(usage_rows.newest)
    await ledger.sum_up()
    everything = {"usage": partial(usage_summing.prune, before=START + timedelta(days=9))}
    assert await Retention(database, clock, everything).prune() == {"usage": HOURS * 6 - 1}
    assert await database.read(usage_rows.newest) == newest


async def test_nothing_is_deleted_before_it_is_summed_up_by_tag(
    database: Database, ledger: Ledger, clock: Clock
) -> None:
    await ledger.sum_up()
    tags = delete(UsageHourRow).where(col(UsageHourRow.by) == usage_hours.TAGGED)
    await database.run(lambda session: session.exec(tags))
    assert await keeping(database, clock).prune() == {"usage": 0}


@pytest.fixture
async def endless(
    database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[asyncio.Task[Any]]:
    """A process that is pausing after its first batch."""
    monkeypatch.setattr(retention, "SHORTEST_PAUSE", 3600)
    deleted = asyncio.Event()
    loop = asyncio.get_running_loop()

    def step(_: Session, limit: int) -> int:
        loop.call_soon_threadsafe(deleted.set)
        return limit

    pruning = asyncio.create_task(Retention(database, clock, {"endless": step}).prune())
    await asyncio.wait_for(deleted.wait(), 5)
    yield pruning
    pruning.cancel()


async def test_one_process_deletes_at_a_time_and_another_takes_over_when_it_has_gone(
    database: Database, clock: Clock, endless: asyncio.Task[Any]
) -> None:
    async with asyncio.timeout(5):
        await database.run(lambda session: facts.write(session, "after its batch", 1))
    assert await keeping(database, clock).prune() == {}
    clock.advance(minutes=4)
    assert await keeping(database, clock).prune() == {}
    clock.advance(minutes=1)
    assert await keeping(database, clock).prune() == {"usage": 0}
    assert await keeping(database, clock).prune() == {"usage": 0}, "one that is done leaves the turn to the next"


async def test_others_write_between_two_batches(database: Database, endless: asyncio.Task[Any]) -> None:
    async with asyncio.timeout(5):
        await database.run(lambda session: facts.write(session, "another's", 1))
    assert not endless.done()

"""The log of decisions: without text unless wanted, bounded, written in batches, forgotten after some days."""

import asyncio
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from shared.domain.routing import Dropped, Plan
from shared.routing.replay import decisions as decisions_module
from shared.routing.replay.decision import Decision
from shared.routing.replay.decision_record import restored
from shared.routing.replay.decisions import Decisions
from shared.storage import decision_rows
from shared.storage.database import Database
from tests.support.clock import Clock
from tests.support.databases import away
from tests.support.decisions import ANNA, SECRET, a_model, asked, decided, made
from tests.support.footprint import sizes

ROOT = Path(__file__).parents[3]
MODEL = a_model("first")


def one(request_id: str = "r-1", at: datetime | None = None, **body: Any) -> Decision:
    """A decision; it has its request where it has a body."""
    decision = decided(asked(**body), [MODEL], [made(MODEL)], caller=replace(ANNA, request_id=request_id))
    return replace(decision, at=at or decision.at, request=decision.request if body else None)


async def rows(database: Database) -> list[decision_rows.Stored]:
    """All of them, the oldest first."""
    start, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2080, 1, 1, tzinfo=UTC)
    found = partial(decision_rows.page, start=start, end=end, before=None, limit=100_000)
    return [*reversed(await database.read(found))]


async def count(database: Database) -> int:
    return len(await rows(database))


async def test_a_decision_is_stored_without_its_text(database: Database) -> None:
    decisions = Decisions(database, Clock(), days=30)
    decisions.record(one())
    await decisions.flush()
    (row,) = await rows(database)
    assert (row.request_id, row.caller, row.text, row.score) == ("r-1", "user-1", None, None)
    assert SECRET not in str(row.data)
    record = restored(row.data)
    assert record is not None
    assert (record.model, record.outcome) == ("first", "ok")


async def test_its_text_is_stored_where_that_is_wanted(database: Database) -> None:
    decisions = Decisions(database, Clock(), days=30, with_text=True)
    decisions.record(one(text="wörds\x00"))
    await decisions.flush()
    (row,) = await rows(database)
    assert row.text == '[{"role":"user","content":"wörds\\u0000"}]'


async def test_messages_are_not_taken_while_many_wait(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decisions_module, "TEXTS", 2)
    decisions = Decisions(database, Clock(), days=30, with_text=True)
    decisions.record(one())
    assert decisions.takes_text
    decisions.record(one())
    assert not decisions.takes_text
    await decisions.flush()
    assert decisions.takes_text
    assert not Decisions(database, Clock(), days=30).takes_text


async def test_with_no_days_nothing_is_stored(database: Database) -> None:
    decisions = Decisions(database, Clock(), days=0)
    decisions.record(one())
    await decisions.flush()
    assert await rows(database) == []


async def test_a_flood_is_bounded_counted_and_does_not_wait(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decisions_module, "CAPACITY", 700)
    clock = Clock()
    decisions = Decisions(database, clock, days=30)
    for number in range(1_000):  # one a microsecond: the order of more in one is not kept
        decisions.record(one(f"r-{number}", clock() + timedelta(microseconds=number)))
    assert decisions.lost == 300
    await decisions.flush()
    assert [row.request_id for row in await rows(database)] == [f"r-{number}" for number in range(700)]
    decisions.record(one("after"))
    await decisions.aclose()
    assert await count(database) == 701


async def test_of_a_large_registry_only_what_is_stored_is_kept_in_memory(database: Database) -> None:
    decisions = Decisions(database, Clock(), days=30)
    models = [a_model(f"model-{number}") for number in range(300)]
    for number in range(20):
        plan = Plan((MODEL,), tuple(Dropped(model, f"reason {number} {model.id}") for model in models))
        decisions.record(
            replace(one(f"r-{number}"), plan=plan, notes={"crossCheck": {"verdict": "upheld", "reason": "x"}})
        )
    before = sizes(decisions)
    assert before["WriteBehind._queue"] == 20
    assert "Plan.dropped" not in before, "a plan names every model there is"
    await decisions.flush()
    stored = [row.data for row in await rows(database)]
    assert {len(data["plan"]["dropped"]) for data in stored} == {10}
    assert stored[0]["notes"] == {"crossCheck": "upheld"}


async def test_what_the_database_does_not_take_yet_is_written_later(database: Database) -> None:
    decisions = Decisions(database, Clock(), days=30)
    decisions.record(one())
    with away(database):
        await decisions.aclose()
    assert await rows(database) == []
    await decisions.aclose()
    assert len(await rows(database)) == 1


async def test_a_vote_that_came_before_the_row_is_in_it(database: Database) -> None:
    votes = {("user-1", "r-1"): 0.25}
    decisions = Decisions(database, Clock(), days=30, vote_of=lambda caller, request: votes.get((caller, request)))
    decisions.record(one("r-1"))
    decisions.record(one("r-2"))
    await decisions.flush()
    assert [row.score for row in await rows(database)] == [0.25, None]


async def test_what_is_old_is_forgotten_in_steps(database: Database) -> None:
    clock = Clock()
    decisions = Decisions(database, clock, days=30)
    for days in (40, 35, 31, 29, 0):
        decisions.record(one(f"{days} days", clock() - timedelta(days=days)))
    await decisions.flush()

    async def prune(of: Decisions = decisions) -> int:
        return await database.run(lambda session: of.prune(session, 2))

    assert [await prune(), await prune(), await prune()] == [2, 1, 0]
    assert [row.request_id for row in await rows(database)] == ["29 days", "0 days"]
    assert await prune(Decisions(database, clock, days=0)) == 1, "kept no longer, but for what is just being written"


async def test_only_the_newest_are_kept_where_there_are_too_many(database: Database) -> None:
    clock = Clock()
    decisions = Decisions(database, clock, days=30, most=3)
    for number in range(5):
        decisions.record(one(f"r-{number}", clock() + timedelta(seconds=number)))
    await decisions.flush()
    clock.advance(minutes=1)
    assert await database.run(lambda session: decisions.prune(session, 100)) == 2
    assert [row.request_id for row in await rows(database)] == ["r-2", "r-3", "r-4"]
    assert await database.run(lambda session: decisions.prune(session, 100)) == 0


async def test_pages_go_from_the_newest_back_and_hold_what_was_asked_for(database: Database) -> None:
    clock = Clock()
    decisions = Decisions(database, clock, days=30)
    for number in range(6):
        decisions.record(one(f"r-{number}", clock() + timedelta(hours=number)))
    await decisions.flush()

    async def page(before: int | None) -> list[decision_rows.Stored]:
        start, end = clock() + timedelta(hours=1), clock() + timedelta(hours=5)
        read = decision_rows.page
        return [*await database.read(lambda session: read(session, start=start, end=end, before=before, limit=3))]

    first = await page(None)
    assert [row.request_id for row in first] == ["r-4", "r-3", "r-2"]
    assert [row.request_id for row in await page(first[-1].id)] == ["r-1"]
    assert first[0].at == clock() + timedelta(hours=4)


async def test_the_newest_decision_on_a_request_is_found_for_whom_it_belongs_to(database: Database) -> None:
    decisions = Decisions(database, Clock(), days=30)
    for outcome in ("unavailable", "ok"):
        decisions.record(replace(one(), outcome=outcome))
    await decisions.flush()
    newest = decision_rows.newest
    found = await database.read(lambda session: newest(session, "r-1", caller="user-1"))
    assert found is not None
    assert found.data["outcome"] == "ok"
    assert await database.read(lambda session: newest(session, "r-1", caller="user-2")) is None
    assert await database.read(lambda session: newest(session, "r-2")) is None


async def test_a_kill_leaves_what_was_written_whole(database: Database) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.decision_writer",
        database.url.render_as_string(hide_password=False),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    for _ in range(3):
        written = int(await asyncio.wait_for(process.stdout.readline(), 20))
    process.kill()
    rest, _ = await asyncio.wait_for(process.communicate(), 5)
    written = max([written, *(int(line) for line in rest.split(b"\n")[:-1])])
    found = await rows(database)
    assert len(found) >= written
    assert all(restored(row.data) is not None for row in found)
    assert {row.request_id for row in found} >= {f"r-{number}" for number in range(written)}

"""The audit trail."""

import asyncio
import sys
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlmodel import Session, col, delete, select, update
from structlog.testing import capture_logs

from shared.domain.audit import AuditEntry, AuditQuery
from shared.domain.identity import LOCAL, Caller
from shared.errors import InvalidInput, Unavailable
from shared.security.audit import AuditTrail
from shared.security.redaction import MASK, Redactor
from shared.storage import audit_rows
from shared.storage.database import Database
from shared.storage.tables import AuditRow
from tests.support.databases import PostgresServer, away

ROOT = Path(__file__).parents[3]
ANNA = Caller(id="user-1", kind="user", name="anna", scopes=frozenset(), address="10.0.0.1", request_id="r-1")


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
async def trail(database: Database) -> AuditTrail:
    return AuditTrail(database, now, Redactor(["a known secret"]))


async def writer(database: Database, name: str, count: int) -> asyncio.subprocess.Process:
    url = database.url.render_as_string(hide_password=False)
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.audit_writer",
        url,
        name,
        str(count),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )


async def cancelled(work: Coroutine[Any, Any, None]) -> None:
    """Begin some work, and cancel it while it waits."""
    task = asyncio.create_task(work)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def written_by(trail: AuditTrail, name: str) -> list[int]:
    page = await trail.query(AuditQuery(caller=name, limit=1000))
    assert page.next_cursor is None
    return [entry.details["number"] for entry in page.entries]


@pytest.fixture
async def rows(database: Database, trail: AuditTrail) -> Database:
    """With five entries that nobody has touched yet."""
    for number in range(5):
        await trail.record(ANNA, "test", {"number": number}, "ok")
    assert (await trail.verify()).valid
    return database


async def test_an_entry_holds_who_did_what_and_how_it_ended(trail: AuditTrail) -> None:
    before = now()
    await trail.record(ANNA, "create_key", {"name": "laptop", "scopes": ["chat"]}, "ok")
    await trail.record(LOCAL, "delete_key", {}, "key_not_found")
    newer, older = (await trail.query(AuditQuery())).entries
    assert (older.sequence, older.caller, older.address, older.request_id) == (1, "user-1", "10.0.0.1", "r-1")
    assert (older.action, older.outcome) == ("create_key", "ok")
    assert older.details == {"name": "laptop", "scopes": ["chat"]}
    assert (before - older.at).total_seconds() < 0.01
    assert (newer.sequence, newer.previous_hash) == (2, older.hash)


async def test_an_empty_trail_is_whole(trail: AuditTrail) -> None:
    check = await trail.verify()
    assert (check.valid, check.entries, check.first_broken) == (True, 0, None)


async def test_a_long_trail_is_whole(trail: AuditTrail) -> None:
    await asyncio.gather(*(trail.record(ANNA, "test", {"number": n}, "ok") for n in range(2100)))
    check = await trail.verify()
    assert (check.valid, check.entries) == (True, 2100)


@pytest.mark.parametrize(
    "change",
    [
        {"details": {"number": 9}},
        {"caller": "user-2"},
        {"outcome": "forbidden"},
        {"action": "other"},
        {"address": "10.0.0.2"},
        {"request_id": "r-2"},
        {"at": datetime(2020, 1, 1, tzinfo=UTC)},
        {"hash": "0" * 64},
        {"previous_hash": "0" * 64},
    ],
)
async def test_any_changed_field_is_found(rows: Database, trail: AuditTrail, change: dict[str, Any]) -> None:
    def tamper(session: Session) -> None:
        row = session.get(AuditRow, 3)
        assert row is not None
        row.sqlmodel_update(change)
        session.add(row)

    await rows.run(tamper)
    check = await trail.verify()
    assert (check.valid, check.first_broken) == (False, 3)
    assert check.reason


@pytest.mark.parametrize(("gone", "broken"), [([1], 1), ([3], 3), ([5], 5), ([4, 5], 4), ([1, 2, 3, 4, 5], 1)])
async def test_any_missing_entry_is_found(rows: Database, trail: AuditTrail, gone: list[int], broken: int) -> None:
    await rows.run(lambda session: session.exec(delete(AuditRow).where(col(AuditRow.sequence).in_(gone))))
    check = await trail.verify()
    assert (check.valid, check.first_broken) == (False, broken)
    await trail.record(ANNA, "after", {}, "ok")
    assert (await trail.verify()).first_broken == broken


async def test_entries_that_changed_places_are_found(rows: Database, trail: AuditTrail) -> None:
    def swap(session: Session) -> None:
        second, third = session.exec(select(AuditRow).where(col(AuditRow.sequence).in_([2, 3]))).all()
        second.packed, third.packed = third.packed, second.packed
        session.add_all([second, third])

    await rows.run(swap)
    assert (await trail.verify()).first_broken == 2


async def test_an_added_entry_is_found(rows: Database, trail: AuditTrail) -> None:
    def smuggle(session: Session) -> None:
        row = session.get(AuditRow, 5)
        assert row is not None
        session.add(AuditRow(**{**row.model_dump(), "sequence": 6, "previous_hash": row.hash, "row_id": 6}))

    await rows.run(smuggle)
    assert (await trail.verify()).first_broken == 6


async def test_several_processes_write_one_whole_chain(trail: AuditTrail, database: Database) -> None:
    processes = [await writer(database, name, 50) for name in ("a", "b")]
    await asyncio.gather(*(trail.record(LOCAL, "test", {"number": n}, "ok") for n in range(50)))
    for process in processes:
        await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode == 0
    for name in ("a", "b", "local"):
        assert sorted(await written_by(trail, name)) == [*range(50)]
    check = await trail.verify()
    assert (check.valid, check.entries) == (True, 150)


async def test_a_kill_loses_nothing_that_was_acknowledged(trail: AuditTrail, database: Database) -> None:
    process = await writer(database, "victim", 0)
    assert process.stdout is not None
    acknowledged = [int(await asyncio.wait_for(process.stdout.readline(), 20)) for _ in range(30)]
    process.kill()
    rest, _ = await asyncio.wait_for(process.communicate(), 5)
    acknowledged += [int(line) for line in rest.split(b"\n")[:-1]]
    page = await trail.query(AuditQuery(caller="victim", limit=1000))
    assert set(acknowledged) <= {entry.details["number"] for entry in page.entries}
    assert (await trail.verify()).valid
    await trail.record(ANNA, "after", {}, "ok")
    assert (await trail.verify()).valid


async def test_a_cancelled_caller_still_leaves_its_entry(trail: AuditTrail) -> None:
    await cancelled(trail.record(ANNA, "cancelled", {}, "ok"))
    await trail.aclose()
    assert [entry.action for entry in (await trail.query(AuditQuery())).entries] == ["cancelled"]


async def test_secrets_never_reach_the_table(trail: AuditTrail) -> None:
    details = {
        "command": "curl -H 'Authorization: Bearer abcdefgh' --data 'a known secret'",
        "password": "hunter2",
        "env": {"OPENAI_API_KEY": "sk-proj-AbCdEfGhIjKl"},
    }
    caller = Caller(id="mgw_AbCdEfGhIjKlMnOp", kind="key", name="k", scopes=frozenset())
    await trail.record(caller, "run_command", details, "ok")
    (entry,) = (await trail.query(AuditQuery())).entries
    text = entry.model_dump_json()
    for secret in ("abcdefgh", "a known secret", "hunter2", "sk-proj", "mgw_"):
        assert secret not in text
    assert text.count(MASK) >= 4


async def test_whatever_is_recorded_fits_and_verifies(trail: AuditTrail) -> None:
    hostile = Caller(
        id="c\x00" * 500, kind="key", name="k", scopes=frozenset(), address="\ud800" * 99, request_id="r\n" * 500
    )
    details = {
        "nul\x00key": "nul\x00value",
        "surrogate": "\ud800",
        "emoji": "🦀" * 10_000,
        "many": {f"f{n}": "x" * 3000 for n in range(200)},
        "float": 0.1 + 0.2,
        "big": 2**200,
        "nan": float("nan"),
    }
    await trail.record(hostile, "a" * 500, details, "o" * 500)
    (entry,) = (await trail.query(AuditQuery())).entries
    assert len(entry.model_dump_json()) < 60_000
    assert (await trail.verify()).valid
    await trail.record(ANNA, "test", {"float": 0.1 + 0.2, "small": 1e-300, "int": 2**62, "text": "ü🦀"}, "ok")
    assert (await trail.verify()).valid


async def test_a_query_pages_through_everything(rows: Database, trail: AuditTrail) -> None:
    seen: list[AuditEntry] = []
    cursor = None
    while True:
        page = await trail.query(AuditQuery(limit=2, cursor=cursor))
        seen += page.entries
        cursor = page.next_cursor
        if cursor is None:
            break
    assert [entry.sequence for entry in seen] == [5, 4, 3, 2, 1]


async def test_while_the_database_is_away_nothing_that_needs_a_trace_may_begin(postgres: PostgresServer) -> None:
    url = postgres.new_database()
    async with Database(url) as database:
        trail = AuditTrail(database, now, Redactor())
        await trail.require()
        postgres.drop(url)
        with capture_logs() as logs, pytest.raises(Unavailable):
            await trail.record(ANNA, "run_command", {"command": "ls --password x"}, "ok")
        (logged,) = logs
        assert logged["log_level"] == "error"
        assert logged["entry"]["details"] == {"command": f"ls --password {MASK}"}
        with pytest.raises(Unavailable):
            await trail.require()


async def test_a_database_found_away_by_others_is_enough_to_refuse(postgres: PostgresServer) -> None:
    url = postgres.new_database()
    async with Database(url) as database:
        trail = AuditTrail(database, now, Redactor())
        postgres.drop(url)
        assert not await database.try_writing()
        with pytest.raises(Unavailable, match="audit"):
            await trail.require()


async def test_after_a_gap_the_trail_says_how_much_is_missing(trail: AuditTrail, database: Database) -> None:
    await trail.record(ANNA, "before", {}, "ok")
    with away(database):
        with capture_logs():
            for _ in range(2):
                with pytest.raises(Unavailable):
                    await trail.record(ANNA, "lost", {}, "ok")
        with pytest.raises(Unavailable):
            await trail.require()
    await trail.require()
    await trail.require()
    await trail.record(ANNA, "after", {}, "ok")
    entries = (await trail.query(AuditQuery())).entries
    assert [(entry.action, entry.details) for entry in reversed(entries)] == [
        ("before", {}),
        ("audit_gap", {"lost": 2}),
        ("after", {}),
    ]
    assert (await trail.verify()).valid


async def test_a_cancelled_caller_whose_entry_cannot_be_written_is_not_forgotten(
    trail: AuditTrail, database: Database
) -> None:
    with away(database):
        with capture_logs() as logs:
            await cancelled(trail.record(ANNA, "lost", {"command": "ls"}, "ok"))
            await trail.aclose()
        await cancelled(trail.require())
        await trail.aclose()
    assert [(log["log_level"], log["entry"]["details"]) for log in logs] == [("error", {"command": "ls"})]
    await trail.require()
    entries = (await trail.query(AuditQuery())).entries
    assert [(entry.action, entry.details) for entry in entries] == [("audit_gap", {"lost": 1})]


async def test_a_note_comes_before_what_is_recorded_after_it(trail: AuditTrail) -> None:
    trail.note(ANNA, "chat", "ok", details=lambda: {"model": "m"})
    await trail.record(ANNA, "execute_command", {}, "ok")
    newer, older = (await trail.query(AuditQuery())).entries
    assert (older.action, older.details) == ("chat", {"model": "m"})
    assert newer.action == "execute_command"
    assert (await trail.verify()).valid


async def test_notes_wait_for_a_database_that_is_away_and_are_counted_when_there_are_too_many(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.security.audit.NOTES", 3)
    monkeypatch.setattr("shared.security.audit.WHOLE_NOTES", 2)
    async with Database(postgres.new_database()) as database:
        trail = AuditTrail(database, now, Redactor())
        with away(database):
            for number in range(5):
                trail.note(ANNA, "chat", "ok", details=partial(dict, number=number))
            with pytest.raises(Unavailable):
                await trail.flush()
        await trail.flush()
        await trail.require()
        entries = [*reversed((await trail.query(AuditQuery())).entries)]
        assert [entry.details for entry in entries] == [{"number": 0}, {"number": 1}, {"number": 2}, {"lost": 2}]
        assert (await trail.verify()).valid


async def test_notes_are_written_by_themselves(trail: AuditTrail, database: Database) -> None:
    writing = asyncio.create_task(trail.run())
    trail.note(ANNA, "chat", "ok", details=dict)
    written = asyncio.Event()
    event.listen(database.engine, "commit", lambda _: written.set())
    await asyncio.wait_for(written.wait(), 10)
    writing.cancel()
    with suppress(asyncio.CancelledError):
        await writing
    assert [entry.action for entry in (await trail.query(AuditQuery())).entries] == ["chat"]


async def test_what_led_to_an_entry_is_covered_by_the_chain(trail: AuditTrail, database: Database) -> None:
    trail.causes.remember("toolCall", ANNA, "call-1")
    await trail.record(replace(ANNA, request_id="r-2", tool_call_id="call-1"), "execute_command", {}, "ok")
    (entry,) = (await trail.query(AuditQuery(cause_request_id="r-1"))).entries
    assert (entry.cause_request_id, entry.details) == ("r-1", {"causeBy": "toolCall"})
    assert (await trail.verify()).valid
    await database.run(lambda session: session.execute(update(AuditRow).values(cause_request_id="r-9")))
    assert (await trail.verify()).reason == "it was changed"


def unbuilt() -> dict[str, Any]:
    raise KeyError("choices")


@pytest.mark.parametrize("waiting", [1, 600])
async def test_a_note_that_can_never_be_written_holds_up_no_other(trail: AuditTrail, waiting: int) -> None:
    trail.note(ANNA, "chat", "ok", details=dict)
    trail.note(ANNA, "broken", "ok", details=unbuilt)
    for _ in range(waiting):
        trail.note(ANNA, "chat", "ok", details=unbuilt if waiting > 1 else dict)
    with capture_logs() as logs:
        await trail.record(ANNA, "command", {}, "ok")
        await trail.flush()
    dropped = 601 if waiting > 1 else 1
    assert (trail.dropped, trail.queued) == (dropped, 0)
    assert next(log["action"] for log in logs if log["log_level"] == "error") == "broken"
    await trail.require()
    entries = [*reversed((await trail.query(AuditQuery())).entries)]
    assert [entry.action for entry in entries if entry.action != "chat"] == ["command", "audit_gap"]
    assert entries[-1].details == {"lost": dropped}
    assert (await trail.verify()).valid


async def test_what_the_database_refuses_of_one_entry_fails_that_entry_alone(
    trail: AuditTrail, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = audit_rows.append

    def refusing(session: Session, entries: Any, *more: Any, **options: Any) -> None:
        if any(queued.entry.action == "refused" for queued in entries):
            raise InvalidInput("The database does not take one of these values.", operator_detail="too large")
        append(session, entries, *more, **options)

    monkeypatch.setattr(audit_rows, "append", refusing)
    trail.note(ANNA, "refused", "ok", details=dict)
    with capture_logs():
        outcomes = await asyncio.gather(
            *(trail.record(ANNA, action, {}, "ok") for action in ("one", "refused", "two")), return_exceptions=True
        )
    assert [type(outcome) for outcome in outcomes] == [type(None), InvalidInput, type(None)]
    assert (trail.dropped, trail.lost) == (1, 2)
    assert {entry.action for entry in (await trail.query(AuditQuery())).entries} == {"one", "two"}
    assert (await trail.verify()).valid

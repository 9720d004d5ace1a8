"""Audit rows."""

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlmodel import Session, select

from shared.domain.audit import AuditEntry, AuditQuery
from shared.storage import audit_rows
from shared.storage.database import Database
from shared.storage.tables import AuditRow

NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


def entry(action: str, **values: object) -> AuditEntry:
    fields = {
        "at": NOON,
        "caller": "user-1",
        "address": "::1",
        "request_id": "r",
        "outcome": "ok",
        "details": {"a": [1]},
    }
    return AuditEntry.model_validate({"sequence": 0, "action": action, **fields, **values})


def link(placed: AuditEntry) -> str:
    return f"{placed.previous_hash}{placed.sequence}"


def append(session: Session, entries: Iterable[AuditEntry], *, again: bool = False) -> None:
    """Under ids that tell entries apart by what they say."""
    queued = [audit_rows.Queued(hash(entry.model_dump_json()), entry) for entry in entries]
    audit_rows.append(session, queued, link, again=again)


async def test_entries_are_numbered_and_linked_across_transactions(database: Database) -> None:
    await database.run(lambda session: append(session, [entry("a"), entry("b")]))
    await database.run(lambda session: append(session, [entry("c")]))
    head, _, entries = await database.read(lambda session: audit_rows.page(session, 0, 10))
    assert head == (3, "123")
    assert [(found.action, found.previous_hash, found.hash) for found in entries] == [
        ("a", "", "1"),
        ("b", "1", "12"),
        ("c", "12", "123"),
    ]
    assert entries[0] == entry("a", sequence=1, hash="1")


async def test_pages_follow_one_another(database: Database) -> None:
    await database.run(lambda session: append(session, [entry(str(n)) for n in range(5)]))
    *_, entries = await database.read(lambda session: audit_rows.page(session, 2, 2))
    assert [found.sequence for found in entries] == [3, 4]


async def test_a_row_smuggled_in_at_the_end_does_not_stop_the_trail(database: Database) -> None:
    await database.run(lambda session: append(session, [entry("a")]))

    def smuggle(session: Session) -> None:
        row = session.exec(select(AuditRow)).one()
        session.add(AuditRow(**{**row.model_dump(), "sequence": 2, "row_id": None}))

    await database.run(smuggle)
    await database.run(lambda session: append(session, [entry("c")]))
    head, _, entries = await database.read(lambda session: audit_rows.page(session, 0, 10))
    assert head == (3, "13")
    assert [found.sequence for found in entries] == [1, 2, 3]


async def test_a_search_filters_and_gives_one_more_than_the_limit(database: Database) -> None:
    later = NOON.replace(hour=13)
    made = [entry("a"), entry("b", outcome="forbidden"), entry("a", caller="key-1"), entry("a", at=later)]
    await database.run(lambda session: append(session, made))

    async def found(**query: object) -> list[int]:
        asked = AuditQuery.model_validate(query)
        return [row.sequence for row in await database.read(lambda session: audit_rows.search(session, asked))]

    assert await found() == [4, 3, 2, 1]
    assert await found(action="a") == [4, 3, 1]
    assert await found(outcome="forbidden") == [2]
    assert await found(caller="key-1") == [3]
    assert await found(start=later) == [4]
    assert await found(end=later) == [3, 2, 1]
    assert await found(limit=1) == [4, 3]
    assert await found(limit=2, cursor=3) == [2, 1]


async def test_entries_that_are_sent_again_are_skipped(database: Database) -> None:
    made = [entry("a"), entry("b")]
    await database.run(lambda session: append(session, made))
    for _ in range(2):
        await database.run(lambda session: append(session, [*made, entry("c")], again=True))
    head, _, entries = await database.read(lambda session: audit_rows.page(session, 0, 10))
    assert head == (3, "123")
    assert [found.action for found in entries] == ["a", "b", "c"]

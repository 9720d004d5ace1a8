"""Sealed values in the database."""

from datetime import UTC, datetime

import anyio
from sqlmodel import Session

from shared.storage import facts, sealed_rows
from shared.storage.database import Database
from shared.storage.tables import ConnectionRow, ProviderRow

NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


async def test_the_first_check_value_stays(database: Database) -> None:
    seen: list[str] = []

    async def ask(name: str) -> None:
        seen.append(await database.run(lambda session: sealed_rows.check_value(session, lambda: name)))

    async with anyio.create_task_group() as tasks:
        for number in range(8):
            tasks.start_soon(ask, f"sealed by {number}")
    assert len(seen) == 8
    assert len(set(seen)) == 1


async def test_resealing_reaches_every_sealed_value(database: Database) -> None:
    def fill(session: Session) -> None:
        sealed_rows.check_value(session, lambda: "check")
        session.add(ProviderRow(name="openai", dialect="openai", sealed_key="provider"))
        session.add(ProviderRow(name="local", dialect="openai", sealed_key=None))
        fields = {"name": "n", "owner": "o", "type": "ssh", "data": {}, "created_at": NOON, "updated_at": NOON}
        session.add(ConnectionRow(id="c1", sealed_secrets="connection", **fields))
        session.add(ConnectionRow(id="c2", sealed_secrets=None, **fields))

    await database.run(fill)
    await database.run(lambda session: sealed_rows.reseal(session, lambda sealed: f"new {sealed}"))

    def look(session: Session) -> list[object]:
        providers = [session.get(ProviderRow, name) for name in ("openai", "local")]
        connections = [session.get(ConnectionRow, name) for name in ("c1", "c2")]
        return [
            facts.read(session, sealed_rows.CHECK),
            *(row and row.sealed_key for row in providers),
            *(row and row.sealed_secrets for row in connections),
        ]

    assert await database.read(look) == ["new check", "new provider", None, "new connection", None]

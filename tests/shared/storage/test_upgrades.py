"""Upgrades of databases that hold data already, on SQLite and PostgreSQL."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy
from alembic import command
from alembic.config import Config

from shared.domain.identity import LOCAL
from shared.security.audit import AuditTrail
from shared.security.redaction import Redactor
from shared.storage import schema, usage_rows
from shared.storage.database import Database
from tests.support.databases import PostgresServer


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A database without a schema."""
    if request.param == "sqlite":
        async with Database(f"sqlite:///{tmp_path / 'old.sqlite3'}") as opened:
            yield opened
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    url = server.new_database("template0")
    async with Database(url) as opened:
        yield opened
    server.drop(url)


def migrate(database: Database, act: Callable[[Config, str], None], revision: str) -> None:
    """Bring the schema to an older or newer revision."""
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    with database.engine.connect() as connection:
        connection.info["write"] = True
        with connection.begin():
            config.attributes["connection"] = connection
            act(config, revision)


def now() -> datetime:
    return datetime.now(UTC)


USAGE = (
    "INSERT INTO usage (at, request_id, caller, model_id, provider, layer, prompt_tokens, completion_tokens, cached_tokens,"
    " outcome, estimated, duration_ms, tags) VALUES (:at, 'r1', 'key-1', 'm', 'p', 'L0', 1, 2, 0, 'ok', false, 5, '{}')"
)
DECISION = "INSERT INTO decisions (at, request_id, caller, data) VALUES (:at, 'r1', 'key-1', '{}')"


async def test_what_was_there_before_traces_stays_and_the_audit_trail_stays_whole(empty: Database) -> None:
    migrate(empty, command.upgrade, schema.HEAD)
    trail = AuditTrail(empty, now, Redactor())
    for number in range(3):
        await trail.record(LOCAL, "before", {"number": number}, "ok")
    migrate(empty, command.downgrade, "0002")
    with empty.engine.connect() as connection:
        connection.info["write"] = True
        with connection.begin():
            for statement in (USAGE, DECISION):
                connection.execute(sqlalchemy.text(statement), {"at": now().isoformat(" ")})

    schema.upgrade(empty)

    await trail.record(LOCAL, "after", {}, "ok")
    assert (await trail.verify()).valid
    assert (await trail.verify()).entries == 4
    for table in ("usage", "decisions"):
        row = await empty.read(
            lambda session, table=table: (
                session.connection()
                .execute(  # type: ignore[misc]
                    sqlalchemy.text(f"SELECT request_id, caller, trace_id FROM {table}")
                )
                .one()
            )
        )
        assert tuple(row) == ("r1", "key-1", "")


async def test_chats_of_before_they_had_an_id_of_their_own_count_by_the_requests(empty: Database) -> None:
    migrate(empty, command.upgrade, "0004")
    with empty.engine.connect() as connection:
        connection.info["write"] = True
        with connection.begin():
            for _ in range(2):
                connection.execute(sqlalchemy.text(USAGE), {"at": now().isoformat(" ")})

    schema.upgrade(empty)

    span = now() - timedelta(hours=1), now() + timedelta(hours=1)
    (total,) = await empty.read(lambda session: usage_rows.summed(session, *span, None))
    assert (total["requests"], total["attempts"]) == (1, 2)
    migrate(empty, command.downgrade, "0004")
    schema.upgrade(empty)
    (again,) = await empty.read(lambda session: usage_rows.summed(session, *span, None))
    assert again == total

"""Past hours of usage are summed up while chats and changes go on: no transaction that writes grows with the rows."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.engine import Engine

from shared.storage import schema, usage_hours, usage_rows, usage_summing
from shared.storage.database import Database
from tests.support.http_gateway import MODEL, Surface, surface

ROWS = 5_000
PAST = datetime.now(UTC).replace(minute=0, second=1, microsecond=0) - timedelta(hours=3)
FEW = usage_summing.AT_ONCE + 10
"""Rows that a transaction may change: sums, and facts about them."""
USAGE = """
INSERT INTO usage (at, row_id, request_id, chat_id, caller, model_id, provider, layer, prompt_tokens, completion_tokens,
                   cached_tokens, purpose, cost_pico, outcome, estimated, duration_ms, tags)
WITH RECURSIVE number(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < ?)
SELECT ?, n, 'r' || n, 'c' || (n / 2), 'key-' || (n % 20), 'model-' || (n % 10), 'openai', 'L0', 9, 2, 0, 'answer', 1,
       'ok', false, 1, '{"run": "' || n || '"}'
FROM number
"""


def _filled(folder: Path) -> None:
    """A database with many rows in one hour, each with a tag of its own, so that there are as many sums."""
    file = folder / "gateway.sqlite3"
    database = Database(f"sqlite:///{file}")
    schema.upgrade(database)
    database.engine.dispose()
    with sqlite3.connect(file) as connection:
        connection.execute(USAGE, (ROWS, PAST.strftime("%Y-%m-%d %H:%M:%S.000000")))
    connection.close()


class Locked:
    """What transactions do that hold SQLite's write lock, of all connections from now on."""

    def __init__(self) -> None:
        self.changed: list[int] = []
        self.grouping: list[str] = []
        self._before: dict[sqlalchemy.Connection, int] = {}

    @contextmanager
    def watched(self) -> Iterator[None]:
        listeners = (("begin", self._begun), ("commit", self._committed), ("before_cursor_execute", self._executed))
        for name, listener in listeners:
            event.listen(Engine, name, listener)
        try:
            yield
        finally:
            for name, listener in listeners:
                event.remove(Engine, name, listener)

    def _begun(self, connection: sqlalchemy.Connection) -> None:
        self._before[connection] = _changes(connection)

    def _committed(self, connection: sqlalchemy.Connection) -> None:
        self.changed.append(_changes(connection) - self._before.pop(connection))

    def _executed(self, connection: sqlalchemy.Connection, _: Any, statement: str, *__: Any) -> None:
        if connection.info.get("write") and "GROUP BY" in statement:
            self.grouping.append(statement)


def _changes(connection: sqlalchemy.Connection) -> int:
    driver: Any = connection.connection.dbapi_connection
    return int(driver.total_changes)


async def _summed_up(made: Surface) -> None:
    async with asyncio.timeout(20):
        while (await made.gateway.database.read(usage_hours.summed_until) or PAST) <= PAST:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_summing_up_an_hour_holds_the_write_lock_for_a_few_sums_at_a_time(tmp_path: Path) -> None:
    _filled(tmp_path)
    locked = Locked()
    with locked.watched():
        async with surface(tmp_path) as made:
            chat = {"model": MODEL["id"], "messages": [{"role": "user", "content": "hi"}]}
            assert (await made.http.post("/v1/models", json=MODEL)).is_success
            assert (await made.http.post("/v1/chat/completions", json=chat)).is_success
            await _summed_up(made)
            hour = f"from={PAST:%Y-%m-%dT%H}:00:00Z&to={PAST + timedelta(hours=1):%Y-%m-%dT%H}:00:00Z"
            report = (await made.http.get(f"/v1/usage?groupBy=key&{hour}")).json()["groups"]
            assert [(each["requests"], each["attempts"]) for each in report] == [(ROWS // 20, ROWS // 20)] * 20
            by_tag = (await made.http.get(f"/v1/usage?groupBy=tag:run&{hour}")).json()
            assert sum(each["attempts"] for each in by_tag["groups"]) == ROWS
            rows = await made.gateway.database.read(
                lambda session: usage_rows.summed(session, PAST, PAST + timedelta(minutes=1), "model")
            )
            models = (await made.http.get(f"/v1/usage?groupBy=model&{hour}")).json()["groups"]
            assert {each["group"]: each["requests"] for each in models} == {
                each["group"]: each["requests"] for each in rows
            }
    assert sum(locked.changed) > ROWS
    assert max(locked.changed) < FEW
    assert not locked.grouping

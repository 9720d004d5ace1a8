"""Two gateways on one PostgreSQL behind PgBouncer with transaction pooling, seen through HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session

from shared.storage import listener, schema
from shared.storage.database import Database
from tests.http_api.test_read_only_database import HELLO, SHARED, answer
from tests.support.databases import PostgresServer
from tests.support.http_gateway import MODEL, surface
from tests.support.pgbouncer import pooled


@pytest.fixture
async def pooled_url(postgres: PostgresServer) -> AsyncIterator[str]:
    async with pooled(postgres.new_database()) as url:
        yield url


async def test_a_revocation_reaches_the_other_node_without_notifications(
    tmp_path: Path, pooled_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "PROOF_SECONDS", 0.2)
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(surface(tmp_path / "one", database_url=pooled_url, **SHARED))
        other = await stack.enter_async_context(surface(tmp_path / "other", database_url=pooled_url, **SHARED))
        admin = {"authorization": f"Bearer {await one.login()}"}
        await one.http.post("/v1/models", json=MODEL, headers=admin)
        made = (await one.http.post("/v1/keys", json={"name": "k"}, headers=admin)).json()
        key = {"authorization": f"Bearer {made['secret']}"}
        await answer(other, f"/v1/models/{MODEL['id']}", lambda got: got.status_code == 200, key)
        chats = [other.http.post("/v1/chat/completions", json=HELLO, headers=key) for _ in range(20)]
        assert {chat.status_code for chat in await asyncio.gather(*chats)} == {200}
        for gateway in (one, other):
            await gateway.gateway.ledger.flush()
            assert not gateway.gateway.changes.noticed_at_once
        usage = (await one.http.get("/v1/usage", params={"groupBy": "model"}, headers=admin)).json()
        assert usage["total"]["requests"] == 20
        assert (await one.http.delete(f"/v1/keys/{made['key']['id']}", headers=admin)).status_code == 200
        await answer(other, "/v1/auth/status", lambda got: got.status_code == 401, key)
        assert (await one.http.get("/v1/audit/verify", headers=admin)).json()["valid"] is True


async def test_an_empty_database_is_migrated_through_the_pooler(postgres: PostgresServer) -> None:
    async with pooled(postgres.new_database("template0")) as url, Database(url) as database:
        await asyncio.to_thread(schema.upgrade, database)
        assert await asyncio.to_thread(schema.revision, database) == schema.HEAD


async def test_transactions_keep_their_time_limits_and_statements_may_be_repeated(pooled_url: str) -> None:
    def work(session: Session) -> tuple[str, str]:
        for _ in range(8):  # the driver prepares what it has sent five times
            session.connection().execute(text("SELECT 1 + 1"))
        return (
            session.connection().execute(text("SHOW statement_timeout")).scalar_one(),
            session.connection().execute(text("SHOW lock_timeout")).scalar_one(),
        )

    async with Database(pooled_url) as database:
        found = await asyncio.gather(*(database.run(work) for _ in range(40)))
        assert set(found) == {("15s", "15s")}

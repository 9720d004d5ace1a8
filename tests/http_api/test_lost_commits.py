"""COMMITs of which PostgreSQL does the work while its answer is lost: nothing is doubled, and nothing is left behind."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from shared.errors import Unavailable
from shared.storage import outcomes
from tests.support.databases import PostgresServer
from tests.support.http_gateway import MODEL, Surface, surface
from tests.support.lossy_postgres import Lossy, lossy

HELLO = {"model": MODEL["id"], "messages": [{"role": "user", "content": "hi"}]}
CHATS = 20


@pytest.fixture
async def behind(postgres: PostgresServer) -> AsyncIterator[Lossy]:
    async with lossy(postgres) as found:
        yield found


@pytest.fixture(params=["known", "unknown"])
def outcome(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whether the gateway can find out what became of a COMMIT, or the database stays away for too long."""
    if request.param == "unknown":
        monkeypatch.setattr(outcomes, "SECONDS", 0.0)
    return str(request.param)


async def number(made: Surface, statement: str) -> int:
    return await made.gateway.database.read(
        lambda session: int(session.connection().execute(text(statement)).scalar_one())
    )


async def flushed(made: Surface) -> None:
    """Everything that is queued gets written, however many answers are lost."""
    async with asyncio.timeout(10):
        for queue in (made.gateway.ledger, made.gateway.decisions, made.gateway.audit):
            while True:
                try:
                    await queue.flush()
                except Unavailable:
                    continue
                break


async def test_rows_are_written_once_when_answers_to_commits_are_lost(
    tmp_path: Path, behind: Lossy, outcome: str
) -> None:
    async with surface(tmp_path, database_url=behind.url) as made:
        await made.http.post("/v1/models", json=MODEL)
        behind.proxy.lose_every = 2
        for _ in range(CHATS):
            assert (await made.http.post("/v1/chat/completions", json=HELLO)).status_code == 200
            await flushed(made)
        behind.proxy.lose_every = 0
        assert behind.proxy.lost >= CHATS
        assert await number(made, "SELECT count(*) FROM usage") == CHATS
        assert await number(made, "SELECT count(*) FROM decision_log") == CHATS
        assert await number(made, "SELECT count(*) FROM audit WHERE action = 'chat'") == CHATS
        assert (await made.http.get("/v1/audit/verify")).json()["valid"]
        assert (await made.http.get("/v1/usage")).json()["total"]["attempts"] == CHATS
        assert made.gateway.ledger.today.cost == 0
        assert await number(made, "SELECT count(*) FROM audit WHERE action = 'audit_gap'") == 0


async def test_a_key_whose_answer_was_lost_is_there_for_its_maker_or_not_at_all(
    tmp_path: Path, behind: Lossy, outcome: str
) -> None:
    async with surface(tmp_path, database_url=behind.url, audit_chats=False) as made:
        behind.proxy.lose_every = 1
        answer = await made.http.post("/v1/keys", json={"name": "wanted", "scopes": ["chat"]})
        behind.proxy.lose_every = 0
        assert behind.proxy.lost
        if outcome == "known":
            assert answer.status_code == 201, answer.text
            assert made.gateway.api_keys.authenticate(answer.json()["secret"]).name == "wanted"
            assert await number(made, "SELECT count(*) FROM api_keys") == 1
            return
        assert (answer.status_code, answer.json()["code"]) == (503, "outcome_unknown")
        assert "twice" in answer.text
        async with asyncio.timeout(10):
            while await number(made, "SELECT count(*) FROM api_keys"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert (await made.http.get("/v1/keys")).json()["keys"] == []


async def test_an_entry_of_the_audit_trail_that_was_written_is_not_counted_as_lost(
    tmp_path: Path, behind: Lossy, outcome: str
) -> None:
    async with surface(tmp_path, database_url=behind.url) as made:
        behind.proxy.lose_every = 1
        for name in ("a", "b", "c"):
            await made.http.post("/v1/keys", json={"name": name, "scopes": ["chat"]})
        behind.proxy.lose_every = 0
        await made.http.post("/v1/keys", json={"name": "d", "scopes": ["chat"]})
        trail = (await made.http.get("/v1/audit", params={"limit": 100})).json()["entries"]
        assert not [entry for entry in trail if entry["action"] == "audit_gap"]
        assert (await made.http.get("/v1/audit/verify")).json()["valid"]
        named = [entry["details"]["name"] for entry in trail if entry["action"] == "create_key"]
        assert len(named) == len(set(named))

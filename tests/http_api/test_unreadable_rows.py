"""Rows that another version of the gateway wrote and this one cannot read: seen through HTTP, on both databases."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from sqlmodel import Session

from shared.storage import api_key_rows, budget_rows, facts, model_rows, provider_rows
from shared.storage.tables import ApiKeyRow, BudgetRow, ConnectionRow, ModelRow, ProviderRow
from shared.terminal.policy import live
from tests.support.http_gateway import MODEL, Surface, surface

NOW = datetime(2026, 12, 1, tzinfo=UTC)
FREE = {"pricePer1kInputTokens": 0, "pricePer1kOutputTokens": 0}
CONNECTION = {"name": "box", "type": "telnet", "host": "127.0.0.1"}
SHARED = {
    "auth_mode": "required",
    "jwt_secret": "0123456789abcdefghijklmnopqrstuvwxyz",
    "secrets_key": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
}


@asynccontextmanager
async def two(folder: Path, url: str) -> AsyncIterator[tuple[Surface, Surface, dict[str, str]]]:
    """Two gateways on one database, and the headers of their administrator."""
    async with AsyncExitStack() as stack:
        one, other = [
            await stack.enter_async_context(surface(folder / name, database_url=url, **SHARED)) for name in ("a", "b")
        ]
        yield one, other, {"authorization": f"Bearer {await one.login()}"}


async def answer(
    made: Surface, path: str, wanted: Callable[[httpx.Response], bool], headers: dict[str, str]
) -> httpx.Response:
    """The first answer that is as wanted."""
    async with asyncio.timeout(10):
        while not wanted(got := await made.http.get(path, headers=headers)):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return got


def of_a_newer_version(session: Session) -> None:
    """What a rolling upgrade may leave in the database."""
    model = {"id": "new/a", "provider": "openai", "api_model_name": "a", "layer": "L0", "source": "user"}
    session.add(ModelRow(id="new/a", removed=False, data={**model, "colour": "red"}))
    session.add(ModelRow(id="new/b", removed=False, data={**model, "id": "new/b", "layer": "L9"}))
    key = {"prefix": "mgw_x", "limits": {}, "created_at": NOW}
    session.add(ApiKeyRow(id="key-new", name="n", secret_hash="0" * 64, scopes=["chat", "fly"], **key))
    budget = {"appliesTo": "all", "limitUsd": "1"}
    session.add(BudgetRow(id="budget-a", data={**budget, "period": "month", "mood": 1}, created_at=NOW))
    session.add(BudgetRow(id="budget-b", data={**budget, "period": "week"}, created_at=NOW))
    session.add(ProviderRow(name="strange", dialect="grpc", base_url="http://127.0.0.1:9", enabled=True))
    stored = facts.read(session, "configuration", {})
    facts.write(session, "configuration", {**stored, "default_layer": "L9", "enable_cache": True, "wings": 2})
    for version in (model_rows, api_key_rows, budget_rows, provider_rows):
        facts.next_version(session, version.VERSION)
    facts.next_version(session, "configuration_version")


async def test_unreadable_rows_are_skipped_shown_and_deletable_and_revocations_go_on(
    tmp_path: Path, database_url: str
) -> None:
    async with two(tmp_path, database_url) as (one, other, admin):
        made = (await one.http.post("/v1/keys", json={"name": "k"}, headers=admin)).json()
        key = {"authorization": f"Bearer {made['secret']}"}
        await answer(other, "/v1/auth/status", lambda got: got.status_code == 200, key)

        await one.gateway.database.run(of_a_newer_version)
        expected = {"models": 1, "apiKeys": 1, "budgets": 1, "providers": 1, "configuration": 1}
        report = await answer(other, "/health", lambda got: got.json()["unreadableRows"] == expected, admin)
        assert report.json()["status"] == "degraded"
        assert report.json()["configuration"]["enableCache"] is True
        assert report.json()["configuration"]["defaultLayer"] == "L0"
        assert (await other.http.get("/v1/models/new/a", headers=admin)).status_code == 200
        assert (await other.http.get("/v1/models/new/b", headers=admin)).status_code == 404
        budgets = (await other.http.get("/v1/budgets", headers=admin)).json()["budgets"]
        assert [budget["id"] for budget in budgets] == ["budget-a"]
        rows = (await other.http.get("/v1/unreadable", headers=admin)).json()["rows"]
        assert {(row["kind"], row["id"]) for row in rows} == {
            ("models", "new/b"),
            ("apiKeys", "key-new"),
            ("budgets", "budget-b"),
            ("providers", "strange"),
            ("configuration", "configuration"),
        }
        changed = await other.http.put("/v1/models/new/b", json={"enabled": False}, headers=admin)
        assert (changed.status_code, changed.json()["code"]) == (409, "row_unreadable")
        assert 'gateway_unreadable_rows{name="models"} 1.0' in (await other.http.get("/metrics", headers=admin)).text

        assert (await one.http.delete(f"/v1/keys/{made['key']['id']}", headers=admin)).status_code == 200
        await answer(other, "/v1/auth/status", lambda got: got.status_code == 401, key)
        assert (await other.http.get("/health")).json()["jobs"]["refresh"] == {"state": "running", "restarts": 0}

        for path in ("models/new/b", "keys/key-new", "budgets/budget-b", "providers/strange"):
            deleted = await other.http.delete(f"/v1/{path}", headers=admin)
            assert deleted.status_code == 200, deleted.text
        put = await other.http.put("/v1/config", json={"defaultLayer": "L1"}, headers=admin)
        assert put.status_code == 200, put.text
        for gateway in (one, other):
            await answer(gateway, "/health", lambda got: got.json()["unreadableRows"] == {}, admin)


async def test_a_gateway_starts_on_unreadable_rows(tmp_path: Path, database_url: str) -> None:
    async with surface(tmp_path / "a", database_url=database_url, **SHARED) as made:
        await made.gateway.database.run(of_a_newer_version)
    async with surface(tmp_path / "b", database_url=database_url, **SHARED) as made:
        admin = {"authorization": f"Bearer {await made.login()}"}
        await made.http.post("/v1/models", json={**MODEL, **FREE}, headers=admin)
        hello = {"model": MODEL["id"], "messages": [{"role": "user", "content": "hi"}]}
        chat = await made.http.post("/v1/chat/completions", json=hello, headers=admin)
        assert chat.status_code == 200, chat.text
        keys = (await made.http.get("/v1/keys", headers=admin)).json()["keys"]
        assert keys == []


async def test_a_policy_that_cannot_be_read_denies_every_command_until_it_is_replaced(
    tmp_path: Path, database_url: str
) -> None:
    async with two(tmp_path, database_url) as (one, other, admin):

        def newer(session: Session) -> None:
            facts.next_version(session, live.VERSION)
            rule: dict[str, Any] = {"action": "allow", "commands": ["ls"], "only_on_mondays": True}
            facts.write(session, live.FACT, {"policies": [{"name": "p", "rules": [rule]}]})

        await one.gateway.database.run(newer)
        await answer(other, "/health", lambda got: got.json()["unreadableRows"] == {"policy": 1}, admin)
        check = await other.http.post("/v1/terminal/policy/check", json={"command": "ls"}, headers=admin)
        assert check.json()["action"] == "deny", check.text
        put = await other.http.put("/v1/terminal/policy", json={"policy": None}, headers=admin)
        assert put.status_code == 200, put.text
        await answer(one, "/health", lambda got: got.json()["unreadableRows"] == {}, admin)


async def test_a_connection_that_cannot_be_read_is_left_out_of_the_list_and_can_be_deleted(
    tmp_path: Path, database_url: str
) -> None:
    async with surface(tmp_path, database_url=database_url, **SHARED) as made:
        admin = {"authorization": f"Bearer {await made.login()}"}
        ids = []
        for name in ("one", "other"):
            saved = await made.http.post("/v1/terminal/connections", json={**CONNECTION, "name": name}, headers=admin)
            assert saved.status_code == 201, saved.text
            ids.append(saved.json()["connection"]["id"])

        def alter(session: Session) -> None:
            for row_id, data in zip(ids, ({"host": "127.0.0.1", "colour": "red"}, {"host": 5}), strict=True):
                row = session.get_one(ConnectionRow, row_id)
                row.data = data
                session.add(row)

        await made.gateway.database.run(alter)
        listed = (await made.http.get("/v1/terminal/connections", headers=admin)).json()["connections"]
        assert [found["name"] for found in listed] == ["one"]
        assert (await made.http.get("/health")).json()["unreadableRows"] == {"connections": 1}
        assert (await made.http.delete(f"/v1/terminal/connections/{ids[1]}", headers=admin)).status_code == 200
        assert (await made.http.get("/health")).json()["unreadableRows"] == {}

"""A PostgreSQL that takes no writes for a while, as during a fail-over or with a full disk: seen through HTTP."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlmodel import Session

from shared import supervision, upkeep
from shared.errors import Unavailable
from shared.operations import system
from shared.storage import user_rows
from tests.support.databases import PostgresServer
from tests.support.http_gateway import MODEL, Surface, surface

SHARED = {
    "auth_mode": "required",
    "jwt_secret": "0123456789abcdefghijklmnopqrstuvwxyz",
    "secrets_key": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
}
HELLO = {"model": MODEL["id"], "messages": [{"role": "user", "content": "hi"}]}
JOBS = {"refresh", "ledger", "decisions", "audit", "retention", "usage", "probes", "prices", "learning", "nodes"}


async def two_gateways(stack: AsyncExitStack, folder: Path, url: str) -> tuple[Surface, Surface]:
    one = await stack.enter_async_context(surface(folder / "one", database_url=url, **SHARED))
    other = await stack.enter_async_context(surface(folder / "other", database_url=url, **SHARED))
    return one, other


async def answer(made: Surface, path: str, wanted: Any, headers: dict[str, str] | None = None) -> httpx.Response:
    """The first answer that is as wanted."""
    async with asyncio.timeout(10):
        while not wanted(got := await made.http.get(path, headers=headers)):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return got


async def test_a_moment_without_writes_ends_no_job_and_loses_no_usage(tmp_path: Path, postgres: PostgresServer) -> None:
    async with AsyncExitStack() as stack:
        one, other = await two_gateways(stack, tmp_path, postgres.new_database())
        admin = {"authorization": f"Bearer {await one.login()}"}
        await one.http.post("/v1/models", json=MODEL, headers=admin)
        made = (await one.http.post("/v1/keys", json={"name": "k"}, headers=admin)).json()
        key = {"authorization": f"Bearer {made['secret']}"}
        await answer(other, f"/v1/models/{MODEL['id']}", lambda got: got.status_code == 200, key)

        with postgres.read_only():
            refused = await one.http.post("/v1/keys", json={"name": "not now"}, headers=admin)
            assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
            for gateway in (one, other):
                chat = await gateway.http.post("/v1/chat/completions", json=HELLO, headers=key)
                assert chat.status_code == 200, chat.text
                with pytest.raises(Unavailable):
                    await gateway.gateway.ledger.flush()
                report = (await answer(gateway, "/health", lambda got: not got.json()["databaseWritable"])).json()
                assert (report["status"], report["database"]) == ("degraded", True)
                assert {name for name, job in report["jobs"].items() if job["state"] != "restarting"} >= JOBS

        for gateway in (one, other):
            await answer(gateway, "/health", lambda got: got.json()["databaseWritable"])
            await gateway.gateway.ledger.flush()
        usage = (await one.http.get("/v1/usage", params={"groupBy": "model"}, headers=admin)).json()
        assert usage["total"]["requests"] == 2, usage
        assert (await one.http.delete(f"/v1/keys/{made['key']['id']}", headers=admin)).status_code == 200
        await answer(other, "/v1/auth/status", lambda got: got.status_code == 401, key)
        assert all(job["restarts"] == 0 for job in (await other.http.get("/health")).json()["jobs"].values())


async def test_a_job_that_fails_is_started_again_and_health_and_metrics_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "REFRESH_SECONDS", 0.01)
    monkeypatch.setattr(upkeep, "READ_SECONDS", 0.0)
    monkeypatch.setattr(supervision, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(supervision, "LONGEST_PAUSE", 0.02)
    monkeypatch.setattr(system, "BEHIND_SECONDS", 0.2)
    async with surface(tmp_path) as made:

        def broken() -> bool:
            raise RuntimeError("a bug")

        look = made.gateway.database.may_have_changed
        monkeypatch.setattr(made.gateway.database, "may_have_changed", broken)
        await answer(made, "/health", lambda got: got.json()["jobs"]["refresh"]["restarts"] >= 2)
        report = (await answer(made, "/health", lambda got: got.json()["refreshBehindSeconds"] > 0.2)).json()
        assert report["status"] == "degraded"
        monkeypatch.setattr(made.gateway.database, "may_have_changed", look)
        await answer(made, "/health", lambda got: got.json()["refreshBehindSeconds"] < 0.2)
        text = (await made.http.get("/metrics")).text
        assert 'gateway_job_up{name="refresh"} 1.0' in text
        assert 'gateway_job_restarts_total{name="ledger"} 0.0' in text
        assert 'gateway_job_restarts_total{name="refresh"} 0.0' not in text


async def test_a_part_of_the_refresh_that_fails_leaves_the_process_behind_and_holds_up_no_revocation(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Session) -> int:
        raise RuntimeError("a bug")

    monkeypatch.setattr(system, "BEHIND_SECONDS", 0.2)
    async with AsyncExitStack() as stack:
        one, other = await two_gateways(stack, tmp_path, database_url)
        admin = {"authorization": f"Bearer {await one.login()}"}
        made = (await one.http.post("/v1/keys", json={"name": "k"}, headers=admin)).json()
        key = {"authorization": f"Bearer {made['secret']}"}
        await answer(other, "/v1/auth/status", lambda got: got.status_code == 200, key)
        monkeypatch.setattr(user_rows, "version", broken)
        await one.http.delete(f"/v1/keys/{made['key']['id']}", headers=admin)
        await answer(other, "/v1/auth/status", lambda got: got.status_code == 401, key)
        report = await answer(other, "/health", lambda got: got.json()["refreshBehindSeconds"] > 0.2)
        assert report.json()["status"] == "degraded"
        assert report.json()["jobs"]["refresh"] == {"state": "running", "restarts": 0}
